"""Presets: overrides of the defaults, by what they depend on.

Each preset is a list of (condition, overrides). A condition may name a target, a method
and settings of the user's, by value or a function of it; later entries win.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sesamo_jax.config.schema import CHAINS

Condition = Mapping[str, Any]
Preset = list[tuple[Condition, dict[str, Any]]]

LATTICE = {"training.batch_size": 256, "training.steps": 1000}
# The paper widens the base so that plain RealNVP meets all eight modes; a mixture of
# them has as much to find.
WIDE_BASES: Preset = [
    ({"target": target, "method": method}, {"base.variance": 20.0})
    for target in ("gmm", "gmm_broken")
    for method in ("flow", "vmonf")
]
# The flow has all symmetries: no modulation, and no cell that it could stay in.
PARTICLES = {
    "flow.name": "kernel",
    "training.density": "orbit",
    "training.batch_size": 256,
    "training.steps": 600,
    "training.learning_rate": 5e-3,
}


def _among(*known: Any) -> Callable[[Any], bool]:
    """Return the condition that a setting is one of these; None is one left open."""
    return lambda value: value in known


# Short trajectories: as many chains as a batch is large, and their moves do the rest.
ON_CHAINS = {"hmc.leapfrog_steps": 5, "hmc.warmup": 200}
# The mix finds all that chains show, and ends where the action decides.
MIXED = {"training.objective": "maximum_likelihood", "training.likelihood_share": 0.5}


# By its energy alone a flow finds a part of the states: here chains find them all, and
# a graph network is fitted to them, which takes no integration.
MATCHING = ON_CHAINS | {
    "training.objective": "flow_matching",
    "training.data": CHAINS,
    "training.batch_size": 256,
    "training.steps": 16_000,
    "training.learning_rate": 3e-3,
    "training.density": None,
    "training.chunk": 500,
    "flow.name": "equivariant_graph",
    "flow.reach": 4.0,
    "base.variance": 4.0,  # about that of the particles
    "density": "cell",  # that of the samples as drawn
    "evaluation.samples": 10_000,
}

# The defaults of the dataclasses, chosen for minutes on two CPU cores.
DEFAULT: Preset = [
    ({"target": "gmm"}, {"training.steps": 3000}),
    ({"target": "gmm_broken"}, {"training.steps": 3000}),
    (
        {"target": "phi4_real"},
        LATTICE
        | {
            "training.steps": 1200,
            "flow.name": "continuous",
            "base.kind": "spectral",
        },
    ),
    # Near the transition both signs overlap, where only this density has no penalty.
    ({"target": "phi4_real", "method": "sesamo"}, {"training.density": "orbit"}),
    (
        {"target": "phi4_real", "method": "sesamo", "modulation": "learned"},
        {"training.density": "cell"},
    ),
    *[
        entry
        for target in ("phi4_complex", "phi4_complex_broken")
        for entry in (
            (
                {"target": target, "method": "sesamo"},
                LATTICE | {"flow.name": "slice_continuous", "base.kind": "slice"},
            ),
            (
                {"target": target, "method": "sesamo", "target.space": "aligned"},
                {"flow.name": "continuous", "base.kind": "spectral"},
            ),
        )
    ],
    ({"target": "dw2"}, PARTICLES),
    ({"target": "dw4"}, PARTICLES),
    (
        {
            "target": "dw4",
            "method": "flow",
            "flow.name": None,
            "training.data": _among(None, CHAINS),
            "training.objective": _among(None, "flow_matching"),
        },
        MATCHING,
    ),
    (
        {"target": "lj13"},
        PARTICLES
        | {
            "flow.centres": "quadratic",
            "flow.reach": 6.57,
            "flow.width": 0.3,
            "flow.gain": 0.1,
        },
    ),
    *[
        (
            {"target": target, "method": "vmonf"},
            {"flow.name": "realnvp", "training.density": None},
        )
        for target in ("dw2", "dw4", "lj13")
    ],
    # Its laws have few parameters, and start close.
    (
        {"target": "hubbard", "method": "worldlines"},
        {
            "training.steps": 300,
            "training.batch_size": 256,
            "training.learning_rate": 0.02,
            "training.chunk": 20,
            "evaluation.samples": 20_000,
            "evaluation.batch_size": 200,
        },
    ),
    # The canonicalized base's sharp edge takes longer to push out of the way.
    ({"method": "canonicalization"}, {"training.steps": 5000}),
    # On lattices too a mixture is one of the paper's flows.
    *[
        (
            {"target": target, "method": "vmonf"},
            LATTICE
            | {
                "flow.name": "realnvp",
                "flow.width": 100,
                "base.kind": "gaussian",
            },
        )
        for target in ("phi4_real", "phi4_complex", "phi4_complex_broken")
    ],
    *WIDE_BASES,
    ({"training.data": CHAINS}, ON_CHAINS),
    (
        {
            "training.data": CHAINS,
            "training.objective": _among(None, "maximum_likelihood"),
            # a mixture of flows trains on a bound of its own
            "method": _among("sesamo", "flow"),
        },
        MIXED,
    ),
    (
        {"target": "hubbard", "training.data": CHAINS},
        {"training.batch_size": 400, "training.steps": 1500},
    ),
]

# Table 3 and App. I to the letter; A and B are the defaults of the authors' package.
PAPER: Preset = [
    (
        {},
        {
            "density": "cell",
            "modulation": "learned",
            "sites": "all",
            "flow.couplings": 6,
            "flow.layers": 4,
            "flow.width": 40,
            "flow.activation": "relu",
            "flow.init": "paper",
            "flow.shared": False,
            "flow.log_scale_bound": 0.0,
            "base.whiten": False,
            "penalty.amplitude": 1000.0,
            "penalty.sharpness": 100.0,
            "penalty.final": 1000.0,
            "training.steps": 10_000,
            "training.batch_size": 8000,
            "training.learning_rate": 5e-4,
            "training.schedule": "plateau",
            "training.clip_norm": 0.0,
            "training.objective": "self_reparam",
            "training.gamma": 0.5,
            "training.gradient": "total",
        },
    ),
    ({"target": "gmm"}, {"modulation": "exact", "target.borders": "eq35"}),
    ({"target": "gmm_broken"}, {"target.borders": "eq35"}),
    ({"target": "hubbard"}, {"training.steps": 6000}),
    *[
        (
            {"target": target},
            {"flow.width": 100, "training.steps": 400_000, "modulation": law} | space,
        )
        for target, law, space in (
            ("phi4_real", "exact", {}),
            ("phi4_complex", "exact", {"target.space": "aligned"}),
            ("phi4_complex_broken", "learned", {"target.space": "aligned"}),
        )
    ],
    *WIDE_BASES,
    # The paper has no mixture and its later version, which has one, no sizes: these are
    # the defaults of the authors' package, the loss its natural one.
    (
        {"method": "vmonf"},
        {
            "density": "marginal",
            "flow.width": 100,
            "vmonf.components": 4,
            "vmonf.width": 100,
            "vmonf.layers": 4,
            "training.objective": "rao_blackwell",
        },
    ),
    # Without a symmetry there is no slice to live on.
    *[
        ({"target": target, "method": method}, {"target.space": "full"})
        for target in ("phi4_complex", "phi4_complex_broken")
        for method in ("flow", "vmonf")
    ],
]

SMOKE: Preset = [
    *DEFAULT,
    (
        {},
        {
            "training.steps": 20,
            "training.batch_size": 64,
            "training.chunk": 10,
            "evaluation.samples": 1000,
            "evaluation.keep": 100,
        },
    ),
]

PRESETS: dict[str, Preset] = {"default": DEFAULT, "paper": PAPER, "smoke": SMOKE}


def _several(count: Any) -> bool:
    return count is not None and str(count).strip() not in ("1", "None")


# The method of a target, where it is not the default. Flows for particles have all
# symmetries themselves. A flow with a heat bath knows the Hubbard model's sectors of
# one time slice only: with several it reports an ESS of 1 and misses a part of it.
OF_TARGETS: list[tuple[Condition, str]] = [
    *(({"target": target}, "flow") for target in ("dw2", "dw4", "lj13")),
    ({"target": "hubbard", "target.time_slices": _several}, "worldlines"),
]
SUITED: dict[str, list[tuple[Condition, str]]] = {
    "default": OF_TARGETS,
    "paper": [],
    "smoke": OF_TARGETS,
}


def suited_method(
    preset: str, target: str, settings: Mapping[str, Any], default: str
) -> str:
    """Return the method that a preset takes where none is asked for."""
    here = {**settings, "target": target}
    for condition, method in SUITED[preset]:
        if _holds(condition, here):
            return method
    return default


def _holds(condition: Condition, here: Mapping[str, Any]) -> bool:
    return all(
        wanted(here.get(name)) if callable(wanted) else here.get(name) == wanted
        for name, wanted in condition.items()
    )


def overrides(
    preset: str, target: str, method: str, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a preset's overrides for a target, a method and explicit settings.

    An entry that names a flow replaces the one before together with its sizes.
    """
    merged: dict[str, Any] = {}
    here = {**settings, "target": target, "method": method}
    for condition, values in PRESETS[preset]:
        if _holds(condition, here):
            if "flow.name" in values:
                merged = {k: v for k, v in merged.items() if not k.startswith("flow.")}
            merged |= values
    return merged

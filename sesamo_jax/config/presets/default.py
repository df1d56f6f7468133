"""The defaults of targets and methods, chosen for minutes on two CPU cores."""

from typing import Any

from sesamo_jax.config.presets.conditions import (
    Condition,
    Preset,
    among,
    is_not_one,
    is_one,
    is_several,
)
from sesamo_jax.config.presets.paper import WIDE_BASES
from sesamo_jax.config.schema import CHAINS

# Path gradients have little noise: on equal samples, small batches learn the faster.
LATTICE = {"training.batch_size": 64, "training.steps": 1600}
REAL = LATTICE | {"flow.name": "continuous", "base.kind": "spectral"}
ON_SLICE = LATTICE | {"flow.name": "slice_continuous", "base.kind": "slice"}
# Fields of one component, and of several, which a continuous group turns.
ONE_COMPONENT: list[dict[str, Any]] = [
    {"target": "phi4_real"},
    {"target": "phi4_on", "target.components": is_one},
]
COMPONENTS: list[dict[str, Any]] = [
    {"target": "phi4_complex"},
    {"target": "phi4_complex_broken"},
    {"target": "phi4_on", "target.components": is_not_one},
]
# The flow has all symmetries: no modulation, and no cell that it could stay in.
PARTICLES = {
    "flow.name": "kernel",
    "training.density": "orbit",
    "training.batch_size": 256,
    "training.steps": 600,
    "training.learning_rate": 5e-3,
}
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
    "flow.steps": 10,  # of reports, a quarter of theirs: training integrates nothing
    "base.variance": 4.0,  # about that of the particles
    "density": "cell",  # that of the samples as drawn
    "evaluation.samples": 5000,  # a few milliseconds each
}

# The defaults of the dataclasses, chosen for minutes on two CPU cores.
DEFAULT: Preset = [
    ({"target": "gmm"}, {"training.steps": 3000}),
    ({"target": "gmm_broken"}, {"training.steps": 3000}),
    *[
        entry
        for field in ONE_COMPONENT
        for entry in (
            (field, REAL),
            # Near the transition both signs overlap, where only this density has no
            # penalty.
            (field | {"method": "sesamo"}, {"training.density": "orbit"}),
            (
                field | {"method": "sesamo", "modulation": "learned"},
                {"training.density": "cell"},
            ),
        )
    ],
    *[(field | {"method": "sesamo"}, ON_SLICE) for field in COMPONENTS],
    *[
        (
            {"target": target, "method": "sesamo", "target.space": "aligned"},
            {"flow.name": "continuous", "base.kind": "spectral"},
        )
        for target in ("phi4_complex", "phi4_complex_broken")
    ],
    ({"target": "dw2"}, PARTICLES),
    ({"target": "dw4"}, PARTICLES),
    (
        {
            "target": "dw4",
            "method": "flow",
            "flow.name": None,
            "training.data": among(None, CHAINS),
            "training.objective": among(None, "flow_matching"),
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
            {
                "training.batch_size": 256,
                "training.steps": 1000,
                "flow.name": "realnvp",
                "flow.width": 100,
                "base.kind": "gaussian",
            },
        )
        for target in ("phi4_real", "phi4_complex", "phi4_complex_broken", "phi4_on")
    ],
    *WIDE_BASES,
    ({"training.data": CHAINS}, ON_CHAINS),
    (
        {
            "training.data": CHAINS,
            "training.objective": among(None, "maximum_likelihood"),
            # a mixture of flows trains on a bound of its own
            "method": among("sesamo", "flow"),
        },
        MIXED,
    ),
    (
        {"target": "hubbard", "training.data": CHAINS},
        {"training.batch_size": 400, "training.steps": 1500},
    ),
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

# The method of a target, where it is not the default. Flows for particles have all
# symmetries themselves. A flow with a heat bath knows the Hubbard model's sectors of
# one time slice only: with several it reports an ESS of 1 and misses a part of it.
OF_TARGETS: list[tuple[Condition, str]] = [
    *(({"target": target}, "flow") for target in ("dw2", "dw4", "lj13")),
    ({"target": "hubbard", "target.time_slices": is_several}, "worldlines"),
]

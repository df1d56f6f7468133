"""Every run behind the tables and figures of `docs/particles.md`, on data made once."""

from itertools import product
from typing import Any

from particles.files import DATA, SIZES, prepare
from sesamo_jax.run.entry import Entry

RUNS: dict[str, Entry] = {}
PREPARE = prepare
JUDGED = {"evaluation.samples": 20_000, "evaluation.batch_size": 2000}
# Shown with their error of integration, whatever it is, instead of refused: flows that
# fit a few data too closely.
OVERFITTED = {"evaluation.largest_error": 1.0}
# Forces of 13 particles are steep at first, and a step takes long.
CLUSTER = {
    "training.batch_size": 64,
    "training.steps": 1000,
    "training.learning_rate": 1e-2,
    "training.clip_norm": 50.0,
    "evaluation.samples": 4000,
    "evaluation.batch_size": 1000,
    "evaluation.largest_error": 0.1,
}
ON_DATA = ("maximum_likelihood", "flow_matching")
LIKELIHOOD = {"training.objective": "maximum_likelihood"}
MIXED = LIKELIHOOD | {"training.likelihood_share": 0.5}
WIDTHS = {"dw4": "64,64", "lj13": "64,128,64"}


def add(name: str, settings: dict[str, Any], seeds: int = 3, size: str = "") -> None:
    """Add a run on a name's target, judged on its test set.

    Args:
        name: begins with the target's.
        settings: by dotted name; those that train on data do so on `size` of them.
        seeds: number of seeds.
        size: what a training set's file name ends in.
    """
    target = name.split("_")[0]
    own = JUDGED | (CLUSTER if target == "lj13" else {}) | settings
    if settings.get("training.objective") in ON_DATA:
        own["training.data"] = f"{DATA}/{target}_train{size}.npy"
    own["evaluation.data"] = f"{DATA}/{target}_held_out.npy"
    RUNS[name] = Entry(target, own, seeds)


def flow(target: str, kind: str) -> dict[str, Any]:
    """Return the settings of the kernel flow, or of the black box, maybe augmented."""
    if kind == "kernel":
        return {}
    black_box = {
        "flow.name": "black_box",
        "flow.widths": WIDTHS[target],
        "flow.steps": 10,  # its fields are smooth, and their traces take long
        "training.batch_size": 64,
    }
    return black_box | ({"training.augment": True} if kind == "augmented" else {})


KINDS = ("kernel", "black_box", "augmented")

# The energy alone, data alone, and both.
REVERSE = {"training.objective": "reverse_kl"}
add("dw2_reverse", {})
add("dw4_reverse", REVERSE)
for system in ("dw2", "dw4"):
    add(f"{system}_likelihood", LIKELIHOOD)
    add(f"{system}_mixed", MIXED)
LIQUID = {
    "training.steps": 4000,
    "training.learning_rate": 0.015,
    "flow.width": 0.2,  # its shells are sharp
    "flow.steps": 25,  # with 20, training exploits their error
}
add("lj13_likelihood", LIKELIHOOD | LIQUID)
SHORT = {"training.steps": 400}
add("lj13_reverse", SHORT, 1)
add("lj13_mixed", MIXED | SHORT, 1)

# Energies (Fig. 6): the others beside `dw4_mixed`.
for kind in KINDS[1:]:
    add(f"dw4_{kind}_mixed", MIXED | flow("dw4", kind), 1)

# Flow matching of the same data: the kernel, and the field that suits it. A batch takes
# milliseconds, as nothing is integrated.
MATCHING = {
    "training.objective": "flow_matching",
    "training.chunk": 500,
    "density": "cell",  # that of the samples as drawn, since nothing is modulated
}
KERNEL = {"training.steps": 5000, "evaluation.largest_error": 0.1}
add("dw4_matching_kernel", MATCHING | KERNEL)
GRAPH = {
    "flow.name": "equivariant_graph",
    "flow.reach": 4.0,
    "base.variance": 4.0,  # about the data's
    "training.steps": 30_000,
    "training.learning_rate": 3e-3,
    "evaluation.samples": 10_000,
}
add("dw4_matching", MATCHING | GRAPH)
# The default: the same on chains, which need the energy alone.
add("dw4_chains", {"evaluation.samples": 5000})

# Against the number of data (Fig. 5), with as many steps for all flows.
for system, size, kind in product(("dw4", "lj13"), SIZES, KINDS):
    settings = LIKELIHOOD | OVERFITTED | flow(system, kind)
    settings["training.batch_size"] = min(size, 64)
    if system == "lj13":
        settings |= {"training.steps": 300, "evaluation.samples": 2000}
    several = system == "dw4" or kind == "kernel"
    add(f"{system}_{kind}_{size}", settings, 3 if several else 1, f"_{size}")

# Metastable states from one of them (Fig. 7).
for kind in KINDS[:2]:
    settings = LIKELIHOOD | OVERFITTED | flow("dw4", kind)
    add(f"dw4_{kind}_minimum", settings, 1, "_minimum")

# Three ways to a symmetry, by the energy alone: the reflection y -> -y that particles
# declare, and the sign of a lattice field.
COUPLINGS = {"flow.name": "realnvp", "training.steps": 4000}
for name, method in (
    ("dw4_couplings", "realnvp"),
    ("dw4_couplings_modulated", "sesamo"),
    ("dw4_couplings_canonical", "canonicalization"),
):
    add(name, COUPLINGS | {"method": method, "training.density": None})
add("dw4_kernel_modulated", {"method": "sesamo"})
FIELDS = {"evaluation.samples": 20_000, "training.batch_size": 256}
ON_ALL = {"sites": "all", "training.steps": 1200}
for alpha in (0.0, 0.005):
    space = FIELDS | {"target.alpha": alpha}
    for name, settings in (
        ("modulated", ON_ALL),
        ("canonical", {"method": "canonicalization", "training.steps": 1500}),
        # Flow and base both commute with the sign.
        ("equivariant", {"method": "flow", "base.mean": 0.0} | ON_ALL),
    ):
        RUNS[f"lattice_{name}_{alpha}"] = Entry("phi4_real", space | settings, 1)

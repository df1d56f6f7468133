"""Every run behind the tables and figures of `docs/hubbard.md`."""

from typing import Any

from sesamo_jax.run.entry import Entry

BETAS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
SLICES = (2, 8, 32)
CLUSTERS = {
    "ring4": {"target.lattice": "ring", "target.extents": "4"},
    "square2x2": {"target.lattice": "square", "target.extents": "2,2"},
    "ring6": {"target.lattice": "ring", "target.extents": "6"},
}
COUPLINGS = (1.0, 2.0, 4.0, 6.0, 9.0, 12.0, 18.0)
HONEYCOMB = {"target.lattice": "honeycomb", "target.extents": "3,3"}
WORLDLINES = {"method": "worldlines"}
FLOW = {"method": "sesamo"}
HMC = {"method": "hmc", "hmc.modulation": False}
MODULATED = {"method": "hmc"}
ONE_START = {"hmc.one_start": True}
COST_SIZES = (
    *((sites, 32) for sites in (4, 8, 16, 32)),
    *((8, slices) for slices in (8, 16, 64, 128)),
)
# What is enough on large lattices, where a step takes seconds. Gradients from 128
# samples are noisy and the law starts close to its best: larger rates make it worse.
LARGE = WORLDLINES | {
    "training.steps": 100,
    "training.batch_size": 128,
    "training.learning_rate": 0.002,
    "training.chunk": 10,
    "evaluation.samples": 4000,
    "evaluation.batch_size": 100,
}
# A tenth of the default's samples, since each takes 16 determinants.
BRIEF_FLOW = {
    "training.steps": 500,
    "training.batch_size": 400,
    "evaluation.samples": 20_000,
}
# Started, but not moved.
UNTRAINED = {"training.steps": 1, "training.learning_rate": 1e-6}
RUNS: dict[str, Entry] = {}


def add(name: str, *parts: dict[str, Any], seeds: int = 1) -> None:
    """Add a run of the Hubbard model."""
    settings: dict[str, Any] = {}
    for part in parts:
        settings |= part
    RUNS[name] = Entry("hubbard", settings, seeds)


# Two sites, one slice: the paper's scan (Fig. 10).
for beta in BETAS:
    space = {"target.beta": beta}
    add(f"beta_{beta}", space, seeds=3)
    add(f"beta_{beta}_canonicalization", space, {"method": "canonicalization"}, seeds=3)
    add(f"beta_{beta}_hmc_one", space, HMC, ONE_START)
    add(f"beta_{beta}_modulated", space, MODULATED, ONE_START)

# Small clusters, where the exact trace is known; HMC beside them.
for slices in SLICES:
    space = {"target.time_slices": slices}
    add(f"pair_{slices}", space, WORLDLINES, seeds=3)
    if slices < 32:  # beyond, a flow takes far longer than it helps
        add(f"pair_{slices}_flow", space, FLOW)
        add(f"pair_{slices}_chains", space, FLOW, {"training.data": "chains"}, seeds=3)
    add(f"pair_{slices}_hmc", space, HMC)
    add(f"pair_{slices}_hmc_one", space, HMC, ONE_START)
    add(f"pair_{slices}_modulated", space, MODULATED)
# More of the likelihood, and nothing else, where rare paths keep heavy weights.
for share in (0.9, 1.0):
    likely = {
        "target.time_slices": 8,
        "training.data": "chains",
        "training.likelihood_share": share,
        "training.steps": 3000,
    }
    add(f"pair_8_chains_share_{share}", FLOW, likely)
for name, space in CLUSTERS.items():
    space = space | {"target.time_slices": 8}
    add(name, space, WORLDLINES, seeds=3)
    add(f"{name}_hmc", space, HMC)
    add(f"{name}_hmc_one", space, HMC, ONE_START)
    add(f"{name}_modulated", space, MODULATED)

# From weak to strong coupling at four sites: worldlines, and a flow with a heat bath.
for u in COUPLINGS:
    space = CLUSTERS["ring4"] | {"target.time_slices": 8, "target.u": u}
    add(f"coupling_{u}", space, WORLDLINES)
    add(f"coupling_{u}_flow", space, FLOW | BRIEF_FLOW)
    add(f"coupling_{u}_modulated", space, MODULATED)

for beta in (2.0, 4.0):  # colder
    space = CLUSTERS["ring4"] | {"target.time_slices": 8, "target.beta": beta}
    add(f"cold_{beta}_modulated", space, MODULATED)

# The honeycomb lattice of 18 sites, and its frontier.
add("honeycomb_10", HONEYCOMB, {"target.time_slices": 10}, LARGE, seeds=3)
space = HONEYCOMB | {"target.time_slices": 100}
add("honeycomb_100", space, LARGE)
add("honeycomb_100_untrained", space, LARGE, UNTRAINED)
few = {"hmc.chains": 16, "hmc.samples": 200, "hmc.warmup": 200}
add("honeycomb_100_hmc_one", space, HMC, ONE_START, few)
honeycomb = HONEYCOMB | {"target.time_slices": 10}
add("honeycomb_10_modulated", honeycomb, MODULATED, few)
for name, change in (
    ("beta_2", {"target.beta": 2.0}),
    ("u_10", {"target.u": 10.0}),
    ("u_9", {"target.u": 9.0}),
):
    change = LARGE | change
    add(f"honeycomb_100_{name}", space, change)
    add(f"honeycomb_100_{name}_untrained", space, change, UNTRAINED)

# Cost against the number of sites and of slices.
BRIEF = LARGE | {"training.steps": 20, "evaluation.samples": 1000}
for sites, slices in COST_SIZES:
    space = {"target.lattice": "ring", "target.extents": sites}
    add(f"cost_{sites}_{slices}", space, {"target.time_slices": slices}, BRIEF)

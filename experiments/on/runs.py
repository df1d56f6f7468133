"""Every run behind the tables and figures of `docs/on.md`."""

from typing import Any

from phi4.runs import IN_SEVEN_STEPS

from sesamo_jax.run.entry import Entry

COMPONENTS = (3, 4)
# In the symmetric phase, where the susceptibility of 8x8 is largest, deep in the other.
PHASES = {"symmetric": 0.22, "transition": 0.28, "broken": 0.4}
FIELDS = (0.0, 0.02)
SCAN = (0.005, 0.01, 0.02, 0.05, 0.1)
# Made with larger batches, and fewer steps of integration, than are the default now.
BRIEF = {
    "training.steps": 400,
    "training.batch_size": 256,
    "evaluation.samples": 20_000,
    **IN_SEVEN_STEPS,
}
CHAINS = {"method": "hmc"}

RUNS: dict[str, Entry] = {}


def add(name: str, components: int, kappa: float, h: float, **settings: Any) -> None:
    """Add a run of the O(N) model on an 8 x 8 lattice."""
    space = {"target.components": components, "target.kappa": kappa, "target.h": h}
    RUNS[name] = Entry("phi4_on", space | settings)


for components in COMPONENTS:
    for phase, kappa in PHASES.items():
        for h in FIELDS:
            name = f"o{components}_{phase}_{h}"
            add(name, components, kappa, h, **BRIEF)
            add(f"{name}_hmc", components, kappa, h, **CHAINS)

# The linear sigma model: h in the place of the quark mass.
for phase, kappa in PHASES.items():
    for h in SCAN:
        add(f"sigma_{phase}_{h}", 4, kappa, h, **CHAINS)

"""Systems of several kinds, each sampled by what suits it and by what does not.

`sesamo-jax study symmetries --analysis systems` trains and judges them, three seeds
each, and writes what the page shows. Rows that are there with the same settings stay.
"""

from typing import Any

import jax
import numpy as np
from reading import measured, write_measured

from sesamo_jax import Target, train
from sesamo_jax.symmetries import Cyclic
from symmetries.targets import clock, exchanged_modes, seven_wells

SEEDS = 3
PLANE = {"training.steps": 4000, "training.batch_size": 512}
FIRM = {"penalty.amplitude": 400.0, "penalty.final": 400.0}
ON_SLICE = {
    "flow.name": "slice_continuous",
    "base.kind": "slice",
    "training.batch_size": 64,
    "training.steps": 1600,
    "evaluation.samples": 20_000,
}
QUOTED = (
    *("ess", "forward_ess", "log_z", "log_z_error", "bar", "bar_error", "verdict"),
    "pareto_k",
)


def systems() -> dict[str, tuple[Target, dict[str, Any]]]:
    """Return targets and settings by the names of the table."""
    turned = seven_wells(Cyclic(7, broken=True))
    return {
        "seven wells, maps onto each": (seven_wells(), PLANE),
        "seven wells, seven rotations": (turned, PLANE),
        "the same, learned weights": (turned, PLANE | {"modulation": "learned"}),
        "24 modes, S_4": (exchanged_modes(), {"training.steps": 2000} | FIRM),
        "clock model, 8x8": (clock(), ON_SLICE),
    }


def main() -> None:
    """Train, judge and write all systems."""
    rows = (measured("symmetries/systems") or {"rows": {}})["rows"]
    for name, (target, settings) in systems().items():
        if rows.get(name, {}).get("settings") == settings:
            continue
        result = train(target, settings, seeds=SEEDS)
        reports = [
            sampler.report(jax.random.key(100 + seed))
            for seed, sampler in enumerate(result.samplers)
        ]
        rows[name] = {
            "seeds": [{key: report[key] for key in QUOTED} for report in reports],
            "settings": settings,
            "exact": target.exact.log_z,
            "seconds": float(np.mean(result.wall_seconds)) / SEEDS,
        }
        print(name, [round(report["ess"], 4) for report in reports], flush=True)
        write_measured("symmetries/systems", {"rows": rows})

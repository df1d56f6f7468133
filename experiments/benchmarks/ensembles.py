"""Ten seeds in one program against ten programs one after the other.

Every program is a fresh process: its seconds count from its start to its end, imports
and compilation included, training with the default preset and no report.
"""

import time
from typing import Any

from benchmarks.workers import Worker

TARGETS = ("gmm", "hubbard")
SEEDS = 10


def measure(
    targets: tuple[str, ...] = TARGETS, seeds: int = SEEDS, steps: int | None = None
) -> dict[str, Any]:
    """Return the seconds of all programs, the one with all seeds amid the others.

    Args:
        targets: names.
        seeds: in one program, and programs of one seed.
        steps: of training; None takes the preset's.
    """
    out: dict[str, Any] = {"seeds": seeds, "targets": {}}
    for target in targets:
        half = seeds // 2
        singles = [program(target, [seed], steps) for seed in range(half)]
        joint = program(target, list(range(seeds)), steps)
        singles += [program(target, [seed], steps) for seed in range(half, seeds)]
        out["targets"][target] = {"joint": joint, "singles": singles}
    return out


def program(target: str, seeds: list[int], steps: int | None) -> dict[str, Any]:
    """Return the seconds of one program, all told and by what it does."""
    start = time.perf_counter()
    with Worker("ours") as worker:
        found = worker.ask("train_seeds", target=target, seeds=seeds, steps=steps)
    return {"seconds": time.perf_counter() - start, **found}


def ratios(found: dict[str, Any], unit: str = "seconds") -> list[float]:
    """Return joint over seeds times single, once for every single program.

    Args:
        found: of one target.
        unit: `seconds`, or those of a part, `train_seconds`.
    """
    singles = found["singles"]
    return [found["joint"][unit] / (len(singles) * one[unit]) for one in singles]

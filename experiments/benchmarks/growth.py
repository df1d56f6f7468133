"""Seconds a training step against the volume, the batch and the order of the group."""

from collections.abc import Sequence
from math import log
from typing import Any, NamedTuple

from benchmarks.workers import Worker

SECONDS = 1.0  # of a turn, about
MOST_STEPS = 200


class Series(NamedTuple):
    """Runs that differ in one size: their target, its name, and settings by size."""

    target: str
    size: str
    settings: dict[int, dict[str, Any]]


SERIES = {
    "volume": Series(
        "phi4_real",
        "V",
        {
            length**2: {"target.shape": f"{length},{length}"}
            for length in (4, 6, 8, 12, 16)
        },
    ),
    "batch": Series(
        "phi4_real",
        "batch",
        {
            batch: {"target.shape": "8,8", "training.batch_size": batch}
            for batch in (64, 128, 256, 512, 1024)
        },
    ),
    "cyclic group": Series(
        "gmm", "|G|", {modes: {"target.modes": modes} for modes in (4, 8, 16, 32)}
    ),
    "sign flips": Series(
        "hubbard",
        "|G|",
        {2**sites: {"target.extents": str(sites)} for sites in (2, 4, 6)},
    ),
}


def measure(repeats: int) -> dict[str, Any]:
    """Return seconds a step by series and size, one entry a turn."""
    return {"series": {name: one_series(name, repeats) for name in SERIES}}


def one_series(name: str, repeats: int) -> list[dict[str, Any]]:
    """Return size, seconds a step and seconds of compilation for one series."""
    series, rows = SERIES[name], []
    with Worker("ours") as worker:
        for size, settings in series.settings.items():
            job = {"target": series.target, "preset": "default", "settings": settings}
            worker.ask("steps", count=2, **job)
            first = worker.ask("steps", count=2, **job)
            count = max(2, min(MOST_STEPS, round(SECONDS / first["seconds"])))
            turns = [worker.ask("steps", count=count, **job) for _ in range(repeats)]
            rows.append(
                {
                    "size": size,
                    "seconds": [turn["seconds"] for turn in turns],
                    "compile_seconds": first["compile_seconds"],
                }
            )
    return rows


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Return p of seconds ~ size^p through the last two sizes."""
    return log(seconds[-1] / seconds[-2]) / log(sizes[-1] / sizes[-2])

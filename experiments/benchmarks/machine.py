"""On what machine a measurement was made, and medians with their spread."""

import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sesamo_jax.run.provenance import environment


def short(value: float, digits: int = 3) -> str:
    """Return a number in so many digits, as 1400 and not as 1.4e+03."""
    return f"{float(f'{value:.{digits}g}'):g}"


class Spread(NamedTuple):
    """A median and the extremes around it."""

    median: float
    low: float
    high: float

    def text(self, digits: int = 3) -> str:
        """Return `median (low-high)`, or the median alone where all are the same."""
        median, low, high = (short(value, digits) for value in self)
        return median if low == high else f"{median} ({low}-{high})"


def spread(values: Sequence[float]) -> Spread:
    """Return median, smallest and largest of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def machine() -> dict[str, Any]:
    """Return the processor, what else ran on it, and all versions."""
    load = os.getloadavg()[0]
    return {"processor": _processor(), "load_at_start": load, **environment()}


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    if known.exists():
        for line in known.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

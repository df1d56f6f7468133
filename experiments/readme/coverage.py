"""The self-test as the documentation shows it.

`sesamo-jax study readme --analysis coverage` does what `sesamo-jax selftest` does, on
eight targets with 40 reports each, and writes the pulls.
"""

from itertools import chain

import jax
from matplotlib.figure import Figure
from reading import measured, write_measured

from sesamo_jax.run.pages import markdown
from sesamo_jax.run.selftest.coverage import coverage_figure, coverages
from sesamo_jax.run.selftest.pulls import Pull, measure_all

CASES, REPEATS, SEED = 8, 40, 0
NAME = "readme/coverage"


def main() -> None:
    """Measure and write."""
    jax.config.update("jax_enable_x64", True)  # the Hubbard model needs it
    by_kind: dict[str, list[float | None]] = {}
    for pull in chain.from_iterable(measure_all(SEED, CASES, REPEATS)):
        value = None if pull.value is None else round(pull.value, 4)
        by_kind.setdefault(pull.quantity, []).append(value)
    write_measured(NAME, {"cases": CASES, "repeats": REPEATS, "pulls": by_kind})


def pulls() -> list[Pull]:
    """Return what was measured."""
    content = measured(NAME) or {"pulls": {}}
    return [
        Pull(quantity, value)
        for quantity, values in content["pulls"].items()
        for value in values
    ]


def coverage_table() -> str:
    """Return the shares of pulls within one and two errors, by kind of estimate."""
    head = ["estimate", "pulls, marked", "mean", "std", "1 sigma", "2 sigma"]
    rows = [
        [
            row.quantity,
            f"{row.pulls}, {row.marked}",
            f"{row.mean:+.2f}",
            f"{row.std:.2f}",
            f"{row.one:.3f}",
            f"{row.two:.3f}",
        ]
        for row in coverages(pulls())
    ]
    return markdown(head, [*rows, ["nominal", "", "0", "1", "0.683", "0.954"]])


def coverage_drawn() -> Figure | None:
    """Return the shares at every probability."""
    found = pulls()
    return coverage_figure(found) if found else None

"""What the package should reach, beside what was measured."""

from collections.abc import Callable
from typing import NamedTuple

from benchmarks import ensembles
from benchmarks.machine import spread
from benchmarks.records import read_part
from benchmarks.throughput import speedups
from benchmarks.time_to_ess import ratios
from sesamo_jax.run.pages import markdown


class Goal(NamedTuple):
    """A statement, its bound, whether larger is better, and what was measured."""

    statement: str
    bound: float
    at_least: bool
    measured: Callable[[], list[float]]


def sooner(task: str, threshold: float, unit: str) -> Callable[[], list[float]]:
    """Return what gives the peer's cost over ours, by seed; empty if not measured."""

    def measured() -> list[float]:
        part = read_part(f"time_to_ess_{task}")
        return [] if part is None else ratios(part["runs"], threshold, unit)

    return measured


def faster(target: str, name: str) -> Callable[[], list[float]]:
    """Return what gives the peer's seconds a step over ours, by turn."""

    def measured() -> list[float]:
        part = read_part("step")
        if part is None:
            return []
        seconds = part["targets"][target]["seconds"]
        return speedups(seconds["peer"], seconds[name])

    return measured


def together(target: str) -> Callable[[], list[float]]:
    """Return what gives one program's seconds over those of many."""

    def measured() -> list[float]:
        part = read_part("ensemble")
        return [] if part is None else ensembles.ratios(part["targets"][target])

    return measured


GOALS = (
    Goal("`hubbard` to ESS 0.99, time", 20, True, sooner("hubbard", 0.99, "seconds")),
    Goal("`hubbard` to ESS 0.99, samples", 50, True, sooner("hubbard", 0.99, "drawn")),
    Goal(
        "`hubbard` to ESS 0.99, samples, in batches of 250",
        50,
        True,
        sooner("hubbard_small_batches", 0.99, "drawn"),
    ),
    Goal("`gmm` to ESS 0.999, time", 10, True, sooner("gmm", 0.999, "seconds")),
    *(
        goal
        for target in ("gmm", "hubbard")
        for goal in (
            Goal(
                f"`{target}`, a step of the paper's sizes",
                1,
                True,
                faster(target, "paper"),
            ),
            Goal(
                f"`{target}`, a step with our networks, same batch",
                1.5,
                True,
                faster(target, "default, same batch"),
            ),
            Goal(
                f"`{target}`, ten seeds at once over ten programs",
                0.8,
                False,
                together(target),
            ),
        )
    ),
)


def table() -> str:
    """Return all goals, their bounds and the medians measured."""
    rows = []
    for goal in GOALS:
        values = goal.measured()
        bound = f"{'at least' if goal.at_least else 'at most'} {goal.bound}"
        if not values:
            rows.append([goal.statement, bound, "not measured", ""])
            continue
        found = spread(values)
        good = (found.median >= goal.bound) == goal.at_least
        rows.append([goal.statement, bound, found.text(), "yes" if good else "no"])
    return markdown(["ratio", "wanted", "measured", "reached"], rows)

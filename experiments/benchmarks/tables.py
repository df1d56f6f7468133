"""Write the tables and figures of docs/benchmarks.md from the committed result files.

`python experiments/benchmarks/tables.py` rewrites the parts of the page between its
markers; the tests check that they are up to date.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from reading import ROOT

from benchmarks import ensembles, figures, goals, profile_tables
from benchmarks.machine import Spread, spread
from benchmarks.records import measured_parts, read_part
from benchmarks.tasks import TASKS
from benchmarks.throughput import speedups
from benchmarks.time_to_ess import first_reaching, ratios
from sesamo_jax.run.pages import markdown, rewrite
from sesamo_jax.run.study import save_figures
from sesamo_jax.run.text import value_error

PAGES = (ROOT / "docs" / "benchmarks.md",)
FIGURES = ROOT / "docs" / "benchmarks"
MISSING = "*Not measured yet.*"


def when_measured(name: str, table: Callable[[dict[str, Any]], str]) -> str:
    """Return a part's table, or that it is missing."""
    part = read_part(name)
    return MISSING if part is None else table(part)


def trainings() -> dict[str, dict[str, Any]]:
    """Return the measured tasks of training, by name."""
    found = {name: read_part(f"time_to_ess_{name}") for name in TASKS}
    return {name: part for name, part in found.items() if part is not None}


def time_to_ess() -> str:
    """Return seconds and samples to every threshold, ours and the peer's."""
    head = ["task", "ESS", "ours, s", "peer, s", "ratio"]
    head += ["ours, 10^3 samples", "peer, 10^3 samples", "ratio"]
    rows = []
    for name, part in trainings().items():
        runs = part["runs"]
        for threshold in part["thresholds"]:
            row = [f"`{name}`", f"{threshold}"]
            for unit, scale in (("seconds", 1.0), ("drawn", 1e-3)):
                for who in ("ours", "peer"):
                    own = [run for run in runs if run["who"] == who]
                    row.append(_cost(own, threshold, unit, scale))
                found = ratios(runs, threshold, unit)
                row.append(spread(found).text() if found else "")
            rows.append(row)
    return markdown(head, rows, names=2, shown=5) if rows else MISSING


def _cost(runs: list[dict[str, Any]], threshold: float, unit: str, scale: float) -> str:
    points = [first_reaching(run["points"], threshold) for run in runs]
    costs = [scale * point[unit] for point in points if point is not None]
    if not runs:
        return ""
    if not costs:
        return "not reached"
    some = "" if len(costs) == len(runs) else f"{len(costs)} of {len(runs)} seeds: "
    return some + spread(costs).text()


def ends() -> str:
    """Return where every training stood when it stopped."""
    head = ["task", "who", "ESS", "log Z of the first seed", "exact", "leak"]
    head += ["training, s", "compilation, s", "seeds"]
    rows = []
    for name, part in trainings().items():
        for who in ("ours", "peer"):
            runs = [run for run in part["runs"] if run["who"] == who]
            if not runs:
                continue
            last = [run["points"][-1] for run in runs]
            exact = runs[0].get("exact_log_z")
            leaks = [point["leak"] for point in last if point["leak"] is not None]
            rows.append(
                [
                    f"`{name}`",
                    who,
                    spread([point["ess"] or 0.0 for point in last]).text(5),
                    value_error(last[0]["log_z"], last[0]["log_z_error"]),
                    f"{exact:.5f}" if exact is not None else "",
                    spread(leaks).text() if leaks else "",
                    _column(last, "seconds"),
                    _column(runs, "compile_seconds") if who == "ours" else "",
                    str(len(runs)),
                ]
            )
    return markdown(head, rows, names=2) if rows else MISSING


def _column(entries: list[dict[str, Any]], name: str) -> str:
    return spread([entry[name] for entry in entries]).text()


def step() -> str:
    """Return seconds a step of every contender."""

    def table(part: dict[str, Any]) -> str:
        rows = []
        for target, found in part["targets"].items():
            peer = found["seconds"]["peer"]
            for name, seconds in found["seconds"].items():
                ratio = spread(speedups(peer, seconds)).text() if name != "peer" else ""
                milliseconds = spread([1e3 * value for value in seconds]).text()
                label = "peer" if name == "peer" else f"ours, {name}"
                compilation = found["compile_seconds"][name]
                rows.append(
                    [f"`{target}`", label, milliseconds, ratio]
                    + [f"{compilation:.1f}" if name != "peer" else ""]
                )
        head = ["target", "who", "ms a step", "times faster", "compilation, s"]
        return markdown(head, rows)

    return when_measured("step", table)


def sampling() -> str:
    """Return samples with log q a second of every contender."""

    def table(part: dict[str, Any]) -> str:
        rows, names = [], []
        for target, sizes in part["targets"].items():
            for entry in sizes:
                names = list(entry["rates"])
                cells = [
                    Spread(*(1e-3 * value for value in spread(rates))).text()
                    for rates in entry["rates"].values()
                ]
                rows.append([f"`{target}`", f"{entry['size']}", *cells])
        heads = ["peer" if name == "peer" else f"ours, {name}" for name in names]
        return markdown(["target", "samples a call", *heads], rows)

    return when_measured("sampling", table)


def ensemble() -> str:
    """Return the seconds of one program of all seeds beside those of many programs."""

    def table(part: dict[str, Any]) -> str:
        seeds = part["seeds"]
        rows = []
        for target, found in part["targets"].items():
            total = sum(one["seconds"] for one in found["singles"])
            joint = found["joint"]
            rows.append(
                [
                    f"`{target}`",
                    f"{joint['seconds']:.1f}",
                    f"{total:.1f}",
                    spread(ensembles.ratios(found)).text(),
                    f"{joint['compile_seconds']:.1f}",
                    _column(found["singles"], "compile_seconds"),
                    spread(ensembles.ratios(found, "train_seconds")).text(),
                ]
            )
        head = ["target", f"{seeds} seeds at once, s", f"{seeds} programs, s", "ratio"]
        head += ["compilation at once, s", "of one, s", "ratio of training alone"]
        return markdown(head, rows, shown=4)

    return when_measured("ensemble", table)


def machines() -> str:
    """Return on what machine each part was measured."""
    rows = []
    for name, part in measured_parts().items():
        where = part["machine"]
        packages = where["packages"]
        theirs = part.get("peer", {}).get("packages", {})
        rows.append(
            [
                f"`{name}`",
                where["processor"],
                str(where["cpus"]),
                f"{where['load_at_start']:.1f}",
                f"jax {packages['jax']}, flax {packages['flax']}",
                f"{part['took_seconds']:.0f}",
                where["python"],
                ", ".join(f"{name} {version}" for name, version in theirs.items()),
            ]
        )
    head = ["part", "processor", "cores", "load before", "versions", "took, s"]
    return markdown([*head, "Python", "peer"], rows) if rows else MISSING


def drawn() -> str:
    """Return the link to the figure, once there is something to draw."""
    if not trainings():
        return MISSING
    return (
        "![ESS against seconds of training](benchmarks/ess_time.png)\n\n"
        "*ESS against seconds of training, compilation and evaluations not counted. "
        "One line a seed.*"
    )


TABLES = {
    "goals": goals.table,
    "time_to_ess": time_to_ess,
    "ess_figure": drawn,
    "ends": ends,
    "step": step,
    "sampling": sampling,
    "ensemble": ensemble,
    "peaks": lambda: when_measured("peak", profile_tables.peaks),
    "growth": lambda: when_measured("growth", profile_tables.growth),
    "lattice": lambda: when_measured("lattice", profile_tables.lattice),
    "machines": machines,
}


def main() -> None:
    """Write figures and tables."""
    measured = trainings()
    if measured:
        save_figures({"ess_time.png": lambda: figures.ess_time(measured)}, FIGURES)
    rewrite(PAGES, TABLES)


if __name__ == "__main__":
    main()

"""Results of studies, for tables and figures to read, and analyses to add to."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import hypot
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sesamo_jax.run.pages import markdown
from sesamo_jax.run.provenance import environment
from sesamo_jax.run.results import Results, results_in
from sesamo_jax.storage.files import read_json, write_json

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results"
Run = dict[str, Any]  # a run's metrics
Cell = Callable[[str, Run], str]  # of a table, from a run's name and metrics


class Drawn(NamedTuple):
    """Samples of one seed of a run.

    Attributes:
        x: configurations, (n, ...).
        w: normalised weights, (n,).
    """

    x: np.ndarray
    w: np.ndarray


def place(name: str) -> tuple[Results, str]:
    """Return the results of STUDY and the name RUN, of STUDY/RUN."""
    study, _, run = name.rpartition("/")
    return results_in(RESULTS / study), run


def metrics(name: str) -> Run | None:
    """Return the metrics of STUDY/RUN, or None where there are none."""
    results, run = place(name)
    return results.metrics(run)


def known(study: str, names: Iterable[str]) -> Iterator[tuple[str, Run]]:
    """Return those of a study's runs that there are, by name."""
    for name in names:
        run = metrics(f"{study}/{name}")
        if run is not None:
            yield name, run


def table(columns: Mapping[str, Cell], runs: Iterable[tuple[str, Run]]) -> str:
    """Return a table of runs in Markdown, by what each column shows of one."""
    rows = [[cell(name, run) for cell in columns.values()] for name, run in runs]
    return markdown(list(columns), rows)


def labelled(labels: Mapping[str, str]) -> Cell:
    """Return the cell that names a run in words."""
    return lambda name, run: labels[name]


def quoted(name: str, run: Run) -> str:
    """Return a run's name as the command line knows it."""
    return f"`{name}`"


def total(name: str) -> Cell:
    """Return the cell of a quantity over all seeds: mean(std), or a dash."""
    return lambda _, run: run["aggregate"][name]["text"] or "-"


def seconds(_: str, run: Run) -> str:
    """Return the seconds of a model."""
    return f"{run['aggregate']['wall_seconds']['mean']:.0f}"


def memory(_: str, run: Run) -> str:
    """Return the largest memory of a run, in GiB."""
    return f"{run['peak_memory_bytes'] / 2**30:.1f}"


def step_seconds(run: Run) -> float:
    """Return the seconds that a training step took."""
    return run["seeds"][0]["wall_seconds"] / run["seeds"][0]["steps"]


def samples(name: str, seed: int = 0) -> Drawn | None:
    """Return samples of STUDY/RUN, where its folder is; it is not committed."""
    results, run = place(name)
    arrays = results.arrays(run)
    if not arrays:
        return None
    x = arrays["x"][seed].astype(float)
    log_w = arrays["log_w"][seed].astype(float) if "log_w" in arrays else 0 * x[:, 0]
    w = np.exp(log_w - log_w.max())
    return Drawn(x, w / w.sum())


def curves(name: str) -> list[np.ndarray]:
    """Return (seconds per model, ESS) of every seed of STUDY/RUN, (rows, 2) each.

    Seeds train together in one program: each has its share of the time.
    """
    results, run = place(name)
    history = results.history(run)
    if history is None:
        return []
    share = np.array([1 / history["ess"].shape[1], 1.0])
    columns = zip(history["seconds"].T, history["ess"].T, strict=True)
    return [share * np.stack(column, axis=-1) for column in columns]


def measured(name: str) -> dict[str, Any] | None:
    """Return what a study's analysis has measured, STUDY/ANALYSIS, or None."""
    path = RESULTS / f"{name}.json"
    return read_json(path) if path.exists() else None


def write_measured(name: str, content: dict[str, Any]) -> None:
    """Write what an analysis has measured, and where, for STUDY/ANALYSIS."""
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content | {"environment": environment()})


def mean_error(run: Run, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a quantity's mean over seeds and the error of that mean.

    Of one shape, that of the quantity; the error is NaN where a seed has none that
    could be trusted: the spread between three seeds would say no more.
    """
    seeds = [seed.get("observables", {}).get(name) for seed in run["seeds"]]
    if None in seeds:
        seeds = [{"mean": s[name], "error": s[f"{name}_error"]} for s in run["seeds"]]
    means = np.array([seed["mean"] for seed in seeds], float)
    errors = np.array([seed["error"] for seed in seeds], float)
    return means.mean(axis=0), np.sqrt((errors**2).sum(axis=0)) / len(seeds)


def distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return the distance of two means in units of their joint error."""
    return (one[0] - other[0]) / hypot(one[1], other[1])

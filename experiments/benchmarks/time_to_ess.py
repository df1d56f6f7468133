"""Seconds and samples to a given ESS, ours and the authors' package in turns.

Seed by seed, ours first. The clock runs during training steps only: compilation is
stated apart, and evaluations, on independent samples, do not count for either.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.records import read_part
from benchmarks.tasks import PATIENCE, TASKS, THRESHOLDS, Task
from benchmarks.workers import Worker


def measure(name: str, peer: Path, repeats: int) -> dict[str, Any]:
    """Return the curves of all seeds of one task.

    Args:
        name: in `TASKS`.
        peer: interpreter of the peer's environment.
        repeats: seeds, where the task does not say how many.

    Raises:
        ValueError: where the task to stand beside has not been measured.
    """
    task = TASKS[name]
    seeds = range(task.repeats or repeats)
    runs = [run for seed in seeds for run in one_seed(task, seed, peer)]
    if task.beside is not None:
        part = read_part(f"time_to_ess_{task.beside}")
        if part is None:
            raise ValueError(f"time_to_ess_{task.beside} comes first")
        runs += [run for run in part["runs"] if run["who"] == "peer"]
    return {"task": name, "thresholds": THRESHOLDS, "runs": runs}


def one_seed(task: Task, seed: int, peer: Path) -> list[dict[str, Any]]:
    """Return our curve of one seed and, where there is one, the peer's after it."""
    common = {
        "seed": seed,
        "stop": max(THRESHOLDS),
        "every": task.every,
        "samples": task.samples,
    }
    with Worker("ours") as worker:
        found = worker.ask(
            "train",
            target=task.target,
            settings=task.settings,
            seconds=task.seconds,
            **common,
        )
    runs = [{"who": "ours", "seed": seed, **found}]
    if task.peer is not None:
        seconds = task.peer_seconds
        if seconds is None:
            seconds = PATIENCE * found["points"][-1]["seconds"]
        with Worker("peer_driver", peer) as worker:
            found = worker.ask("train", system=task.peer, seconds=seconds, **common)
        runs.append({"who": "peer", "seed": seed, **found})
    for run in runs:
        last = run["points"][-1]
        print(
            f"  {run['who']}, seed {seed}: ESS {last['ess'] or 0:.4f} after "
            f"{last['seconds']:.1f} s, {last['drawn']} samples",
            flush=True,
        )
    return runs


def first_reaching(
    points: Sequence[dict[str, Any]], threshold: float
) -> dict[str, Any] | None:
    """Return the first evaluation with at least a threshold's ESS, None without one."""
    for point in points:
        if (point["ess"] or 0.0) >= threshold:
            return point
    return None


def ratios(runs: Sequence[dict[str, Any]], threshold: float, unit: str) -> list[float]:
    """Return the peer's cost over ours for every seed that reached a threshold in both.

    Args:
        runs: of one task.
        threshold: of the ESS.
        unit: of the cost, `seconds` or `drawn`.
    """
    reached = {
        (run["who"], run["seed"]): first_reaching(run["points"], threshold)
        for run in runs
    }
    pairs = [
        (reached.get(("ours", seed)), point)
        for (who, seed), point in reached.items()
        if who == "peer"
    ]
    return [theirs[unit] / ours[unit] for ours, theirs in pairs if ours and theirs]

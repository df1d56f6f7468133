"""What the studies share: carrying out tables of runs, and tables of their results."""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from math import inf, isinf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sesamo_jax.config import resolve
from sesamo_jax.config.resolve import difference, to_json
from sesamo_jax.storage.files import read_json

ROOT = Path(__file__).parents[1]
STOPPING_SECONDS = 120.0
Run = dict[str, Any]  # the content of a result file


class Entry(NamedTuple):
    """One run: a target, settings by dotted name, seeds and their first, a preset."""

    target: str
    settings: dict[str, Any]
    seeds: int = 1
    seed: int = 0
    preset: str = "default"


def command(folder: str, entry: Entry) -> list[str]:
    """Return the command line of one run, after the interpreter's name."""
    words = ["experiments/run.py", "--target", entry.target]
    words += ["--preset", entry.preset] if entry.preset != "default" else []
    for key, value in entry.settings.items():
        words += ["--set", f"{key}={value}"]
    words += ["--seeds", str(entry.seeds)] if entry.seeds > 1 else []
    words += ["--seed", str(entry.seed)] if entry.seed else []
    return [*words, "--output", folder]


def carry_out(runs: dict[str, Entry], hours: float = inf, show: bool = False) -> int:
    """Carry out runs, each in a process of its own; return how many did not finish.

    Finished ones are skipped. When the hours are over, the run that is under way saves
    its state and stops; the next call continues it.

    Args:
        runs: by their folder below the project's.
        hours: budget of this call.
        show: print the commands only.
    """
    end, unfinished = time.monotonic() + 3600 * hours, 0
    for folder, entry in runs.items():
        words = command(folder, entry)
        if show:
            print("python", *words)
            continue
        if (ROOT / folder / "metrics.json").exists():
            try:
                change = changed(folder, entry)
            except ValueError as error:
                change = str(error)
            if change:
                print(f"{folder} holds another run ({change}): remove it", flush=True)
                unfinished += 1
            continue
        left = end - time.monotonic()
        if left <= 0:
            unfinished += 1
            continue
        print("python", *words, flush=True)
        full = [sys.executable, *words, "--resume"]
        unfinished += not finished_in(left, full)
    return unfinished


def changed(folder: str, entry: Entry) -> str | None:
    """Return how a run's configuration differs from its entry, in words, or None."""
    settings = {name: str(value) for name, value in entry.settings.items()}
    wanted = to_json(
        resolve(entry.target, entry.preset, settings, entry.seed, entry.seeds)
    )
    found = read(ROOT / folder / "config.json")
    return difference(_forget(found, wanted), wanted)


def _forget(found: Any, wanted: Any) -> Any:
    """Return what was found, with None, which is filled to suit, wherever wanted."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return {name: _forget(value, wanted.get(name)) for name, value in found.items()}
    return None if wanted is None else found


def finished_in(seconds: float, words: list[str]) -> bool:
    """Return whether a program ends well in time; stop it where it does not."""
    with subprocess.Popen(words, cwd=ROOT) as process:
        try:
            return process.wait(None if isinf(seconds) else seconds) == 0
        except subprocess.TimeoutExpired:
            process.terminate()
        try:
            process.wait(STOPPING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()  # its last checkpoint is at most a minute old
    return False


def study(
    description: str,
    folder: str,
    runs: dict[str, Entry],
    prepare: Callable[[], None] | None = None,
) -> int:
    """Carry out what the command line asks for; return 1 if not all finished.

    Args:
        description: of the study, whose first line is that of its help.
        folder: of all runs, below `experiments/results`.
        runs: by name.
        prepare: makes the files that runs read, where they are missing.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="show the runs and stop")
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="runs named so")
    parser.add_argument("--hours", type=float, default=inf, help="stop after so many")
    options = parser.parse_args()
    texts = options.only or [""]
    chosen = {
        f"experiments/results/{folder}/{name}": entry
        for name, entry in runs.items()
        if any(text in name for text in texts)
    }
    if not chosen:
        parser.error(f"no run's name has {' or '.join(texts)}: see --list")
    if prepare is not None and not options.list:
        prepare()
    return int(carry_out(chosen, options.hours, options.list) > 0)


def metrics(folder: str, name: str) -> Run | None:
    """Return a run's result file, or None where there is none."""
    path = ROOT / "experiments" / "results" / folder / name / "metrics.json"
    return read(path) if path.exists() else None


def mean_error(run: Run, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a quantity's mean over seeds and the error of that mean.

    Of one shape, that of the quantity; the error is NaN where a seed has none.
    """
    seeds = [seed.get("observables", {}).get(name) for seed in run["seeds"]]
    if None in seeds:
        seeds = [{"mean": s[name], "error": s[f"{name}_error"]} for s in run["seeds"]]
    means = np.array([seed["mean"] for seed in seeds], float)
    errors = np.array([seed["error"] for seed in seeds], float)
    return means.mean(axis=0), np.sqrt((errors**2).sum(axis=0)) / len(seeds)


def read(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file.

    Raises:
        ValueError: if it cannot be read, naming it.
    """
    return read_json(path)


def with_tables(page: str, tables: dict[str, Callable[[], str]]) -> str:
    """Return a page's text with fresh tables, those that it has markers for."""
    for name, table in tables.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        if begin not in page:
            continue
        head, rest = page.split(begin)
        page = f"{head}{begin}\n{table()}\n{end}{rest.split(end)[1]}"
    return page


def rewrite(pages: tuple[Path, ...], tables: dict[str, Callable[[], str]]) -> None:
    """Write fresh tables into pages."""
    for page in pages:
        page.write_text(with_tables(page.read_text(), tables))


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)

"""The history of a training, `history.csv`: a line per chunk of steps and seed."""

import csv
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

# Of every training; the metrics that its objective has beside them follow.
COLUMNS = (
    "seed",
    "step",
    "seconds",
    "samples_drawn",
    "loss",
    "loss_std",
    "ess",
    "log_z",
    "leak",
    "nonfinite_steps",
)
HEAD = ",".join(COLUMNS)
ELSEWHERE = "compile_seconds"  # of all of a row, in `metrics.json`


def append(path: Path, seeds: Sequence[int], row: Mapping[str, Any]) -> None:
    """Append one line per seed, in the columns that the file has.

    A new file has those of the row; one that an earlier version began keeps its own.

    Args:
        path: of the file.
        seeds: whose lines they are.
        row: values of each column but `seed`, (seeds,) each.
    """
    columns: list[str] = []
    if path.exists():
        with path.open() as file:
            columns = next(csv.reader(file), [])
    with path.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not columns:
            columns = [*COLUMNS, *sorted(row.keys() - {*COLUMNS, ELSEWHERE})]
            writer.writerow(columns)
        for index, seed in enumerate(seeds):
            values = [row[name][index].item() for name in columns[1:]]
            writer.writerow([seed, *(_short(value) for value in values)])


def until(path: Path, seeds: Sequence[int], step: int) -> str:
    """Return the text of the file up to a step, without torn lines; else nothing.

    Says so on stderr where lines up to that step are missing.

    Raises:
        ValueError: if the file is not a history.
    """
    head, *lines = path.read_text().splitlines(keepends=True) or [""]
    columns = head.removesuffix("\n").split(",")
    torn = not lines and HEAD.startswith(head)
    if not (torn or tuple(columns[: len(COLUMNS)]) == COLUMNS):
        raise ValueError("its first line does not name a history's columns")
    lines = [line for line in lines if line.endswith("\n")]
    steps = [_step(line, len(columns)) for line in lines]
    members = Counter(steps)
    whole = [s <= step and members[s] == len(seeds) for s in steps]
    if step > max(compress(steps, whole), default=0):
        print(
            f"{path}: its lines up to step {step} are missing, the history goes on "
            "without them",
            file=sys.stderr,
        )
    return "".join([head, *compress(lines, whole)]) if any(whole) else ""


def parse(text: str) -> dict[str, np.ndarray]:
    """Return one array of shape (rows, seeds) per column of a file's text.

    Raises:
        ValueError, KeyError, TypeError: if it is not a history.
    """
    table = list(csv.DictReader(text.splitlines()))
    seeds = len({row["seed"] for row in table})
    names = dict.fromkeys([*COLUMNS, *(table[0] if table else ())])
    return {
        name: np.array([float(row[name]) for row in table]).reshape(-1, seeds)
        for name in names
    }


def _step(line: str, columns: int) -> int:
    """Return the step of a line with so many columns."""
    values = [float(value) for value in line.split(",")]
    if len(values) != columns:
        raise ValueError(f"a line has {len(values)} numbers")
    return int(values[1])


def _short(value: float | int) -> float | int | str:
    return value if isinstance(value, int) else f"{value:.7g}"

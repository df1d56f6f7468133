"""`sesamo-jax sweep`: a scan of parameters, one run per point.

Points are all combinations of the values of `--grid`.
"""

import argparse
import sys
from collections import Counter
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sesamo_jax.config import resolve
from sesamo_jax.run.cli.command import (
    Command,
    Failed,
    add_target,
    assignments,
    known_target,
)
from sesamo_jax.run.folder import METRICS
from sesamo_jax.run.sweep import Point, carry_out_points, check, table

EXECUTORS = ("debug", "local", "slurm")
TIMEOUT_MINUTES = 24 * 60  # submitit's own default is 5
EXAMPLES = """\
examples:
  sesamo-jax sweep --target gmm --grid target.modes=4,8,16 --output runs/modes
      three runs, one after the other, and a table of what they reach
  sesamo-jax sweep --target phi4_real --output runs/scan \\
      --executor slurm --parallel 8 \\
      --grid target.kappa=0.2,0.25,0.3 --grid "target.shape=8,8;16,16"
      six jobs of a cluster; repeated, the command continues what was interrupted
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name the options of `sweep`."""
    add_target(parser)
    parser.add_argument(
        "--grid",
        action="append",
        default=[],
        metavar="A.B=V,W",
        help="values of a field; with ; between them where they hold commas: 8,8;16,16",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="A.B=VALUE", help="of all points"
    )
    parser.add_argument("--seeds", type=int, default=1, help="models per point")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--devices", type=int, help="of each point; default 1")
    parser.add_argument("--output", type=Path, help="folder of all points' folders")
    parser.add_argument(
        "--executor",
        default="local",
        help="slurm: array job; local: processes here; debug: this very process",
    )
    parser.add_argument(
        "--parallel", type=int, default=1, help="points at once; default 1"
    )
    parser.add_argument(
        "--slurm",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="of submitit, e.g. timeout_min=60 gpus_per_node=1 slurm_partition=gpu",
    )
    parser.add_argument("--list", action="store_true", help="show the points and stop")


def carry_out(options: argparse.Namespace) -> None:
    """Carry out the points that are not finished, and print the table of all."""
    scan = points(options)
    if options.list:
        for point in scan:
            done = (point.folder / METRICS).exists()
            print(point.folder, "finished" if done else "to do")
        return
    submit = executor(options)
    todo = [point for point in scan if not (point.folder / METRICS).exists()]
    failures = carry_out_points(todo, submit, options.parallel)
    options.output.mkdir(parents=True, exist_ok=True)
    text = table(scan, failures)
    (options.output / "table.md").write_text(text + "\n", "utf-8")
    print(text)
    for name, reason in failures.items():
        print(f"{name}: {reason}", file=sys.stderr)
    if failures:
        raise Failed(
            f"{len(failures)} of {len(scan)} points did not finish; repeat this"
        )


def grid(options: list[str]) -> dict[str, list[str]]:
    """Return the values of every field of `--grid`.

    Raises:
        ValueError: for a wrong form, or a field that is given twice.
    """
    fields: dict[str, list[str]] = {}
    for name, text in assignments("--grid", options):
        values = [value.strip() for value in text.split(";" if ";" in text else ",")]
        values = [value for value in values if value]
        if not values or name in fields:
            raise ValueError(f"--grid {name}={text}: name it once, with its values")
        fields[name] = values
    if not fields:
        raise ValueError("--grid is missing, e.g. --grid training.steps=100,200")
    return fields


def points(options: argparse.Namespace) -> list[Point]:
    """Return the points of a command line, all of them known to be possible.

    Raises:
        ValueError: if a point's configuration is wrong, or two are the same.
    """
    target = known_target(options)
    if options.output is None:
        raise ValueError("--output is missing, the folder of the scan")
    fields, shared = grid(options.grid), dict(assignments("--set", options.set))
    found = []
    for values in product(*fields.values()):
        own = dict(zip(fields, values, strict=True))
        words = [f"{name}={value}" for name, value in own.items()]
        name = "_".join(words).replace(",", "x").replace("/", "-")
        settings = shared | own
        try:
            run = resolve(target, options.preset, settings, options.seed, options.seeds)
            check(run, options.output / name)
        except ValueError as error:
            raise ValueError(f"point {name}: {error}") from error
        found.append(Point(run, options.output / name, options.devices))
    [(folder, count)] = Counter(point.folder for point in found).most_common(1)
    if count > 1:
        raise ValueError(f"--grid has {count} points of the name {folder.name}")
    return found


def executor(options: argparse.Namespace) -> Any:
    """Return what submits points; None for this very process.

    Raises:
        ValueError: for an unknown executor or setting of it, or without submitit.
    """
    if options.executor not in EXECUTORS:
        raise ValueError(
            f"unknown --executor {options.executor!r}; known: {', '.join(EXECUTORS)}"
        )
    if options.parallel < 1:
        raise ValueError(f"--parallel {options.parallel} must be at least 1")
    settings: dict[str, Any] = {"timeout_min": TIMEOUT_MINUTES}
    for name, value in assignments("--slurm", options.slurm):
        settings[name] = int(value) if value.isdecimal() else value
    if options.executor == "debug":
        return None
    try:
        import submitit
    except ImportError:
        raise ValueError(
            f"--executor {options.executor} needs submitit: "
            "pip install 'sesamo-jax[cluster]', or choose --executor debug"
        ) from None
    if options.executor == "slurm":
        settings.setdefault("slurm_array_parallelism", options.parallel)
    try:
        with TemporaryDirectory() as trial:  # before its own folder is made
            found = submitit.AutoExecutor(trial, options.executor)
            found.update_parameters(**settings)
        found = submitit.AutoExecutor(options.output / "jobs", options.executor)
        found.update_parameters(**settings)
    except (NameError, RuntimeError, TypeError) as error:  # of names, a queue, types
        raise ValueError(f"--executor {options.executor}: {error}") from error
    return found


COMMAND = Command(
    "scan parameters, one run per point, here or as jobs of a cluster",
    EXAMPLES,
    add_arguments,
    carry_out,
)

"""Scan parameters, one run per point: `python experiments/sweep.py --target gmm ...`.

Points are all combinations of the values of `--grid`. Each is a run in a folder of its
own that resumes, so that a job may be interrupted at any time and started again.
"""

import argparse
import sys
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax
from run import Parser, assignments, fail, show_any_name
from studies import markdown, read

from sesamo_jax.config import Run, complete, resolve
from sesamo_jax.config.presets import PRESETS
from sesamo_jax.config.resolve import difference, to_json
from sesamo_jax.run.execute import Stopped, execute
from sesamo_jax.storage.files import reading
from sesamo_jax.targets import TARGETS

EXECUTORS = ("debug", "local", "slurm")
COLUMNS = ("ess", "leak", "log_z")
POLL_SECONDS = 0.5
TIMEOUT_MINUTES = 24 * 60  # submitit's own default is 5


@dataclass(frozen=True)
class Point:
    """One run of the scan, to be called on the machine that carries it out.

    Attributes:
        run: what to do.
        folder: where.
        devices: over which its training is spread; None for one.
    """

    run: Run
    folder: Path
    devices: int | None = None

    def __call__(self) -> None:
        """Carry the run out, from where it stands."""
        execute(self.run, self.folder, resume=True, devices=self.devices)

    def checkpoint(self) -> Any:
        """Return what submitit queues again when the job is preempted or timed out."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the command line's values."""
    parser = Parser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--target", help="what to sample: " + ", ".join(TARGETS))
    parser.add_argument(
        "--preset", default="default", help="defaults: " + ", ".join(PRESETS)
    )
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
    return parser.parse_args(arguments)


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
    if options.target is None:
        raise ValueError("--target is missing; known: " + ", ".join(TARGETS))
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
            run = resolve(
                options.target, options.preset, settings, options.seed, options.seeds
            )
            check(run, options.output / name)
        except ValueError as error:
            raise ValueError(f"point {name}: {error}") from error
        found.append(Point(run, options.output / name, options.devices))
    [(folder, count)] = Counter(point.folder for point in found).most_common(1)
    if count > 1:
        raise ValueError(f"--grid has {count} points of the name {folder.name}")
    return found


def check(run: Run, folder: Path) -> None:
    """Raise ValueError unless the run can be carried out in its folder."""
    if run.target.dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    config = complete(run.config, run.target.build(run.target_name))
    known = folder / "config.json"
    if known.exists():
        wanted = to_json(replace(run, config=config))
        if changed := difference(read(known), wanted):
            raise ValueError(
                f"{folder} holds a run of another configuration ({changed}): repeat "
                "its settings, or choose another --output"
            )


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


def carry_out(todo: list[Point], submit: Any, parallel: int) -> dict[str, str]:
    """Carry out points; return by folder's name why some did not finish."""
    failures = {}
    if submit is None:
        for point in todo:
            try:
                point()
            except Stopped as stop:  # by a signal, which is for all points
                failures[point.folder.name] = str(stop)
                break
            except Exception as error:  # whatever it is, other points may do better
                failures[point.folder.name] = reason(error)
        return failures
    jobs: list[Any] = []
    with submit.batch() if submit.cluster == "slurm" else nullcontext():  # one array
        for point in todo:
            # A scheduler keeps the number of jobs at a time by itself.
            while submit.cluster == "local" and running(jobs) >= parallel:
                time.sleep(POLL_SECONDS)
            jobs.append(submit.submit(point))
    for point, job in zip(todo, jobs, strict=True):
        if error := job.exception():
            failures[point.folder.name] = f"{reason(error)} (job {job.job_id})"
    return failures


def reason(error: BaseException) -> str:
    """Return the last line of an error, or of the one that a job reports on."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    rules = [i for i, line in enumerate(lines) if set(line) == {"-"}]
    if len(rules) > 1:  # submitit puts a trace between two of them
        return lines[rules[1] - 1]
    return lines[-1] if lines else type(error).__name__


def running(jobs: list[Any]) -> int:
    """Return how many jobs have not ended."""
    return sum(not job.done() for job in jobs)


def table(scan: list[Point], failures: dict[str, str]) -> str:
    """Return the results of all points in Markdown; name those that are damaged."""
    rows = []
    for point in scan:
        path, cells = point.folder / "metrics.json", ["-"] * len(COLUMNS)
        try:
            if path.exists():
                with reading(path, "remove it"):
                    total = read(path)["aggregate"]
                    cells = [total[name]["text"] for name in COLUMNS]
        except ValueError as error:
            failures[point.folder.name] = str(error)
        rows.append([f"`{point.folder.name}`", *cells])
    return markdown(["point", "ESS", "leak", "log Z"], rows)


def main() -> None:
    """Run the command line."""
    show_any_name()
    options = parse()
    try:
        scan = points(options)
        if options.list:
            for point in scan:
                done = (point.folder / "metrics.json").exists()
                print(point.folder, "finished" if done else "to do")
            return
        submit = executor(options)
    except ValueError as error:
        fail(str(error), 2)
    todo = [point for point in scan if not (point.folder / "metrics.json").exists()]
    try:
        failures = carry_out(todo, submit, options.parallel)
        options.output.mkdir(parents=True, exist_ok=True)
        text = table(scan, failures)
        (options.output / "table.md").write_text(text + "\n", "utf-8")
    except OSError as error:
        fail(str(error), 1)
    print(text)
    for name, reason in failures.items():
        print(f"{name}: {reason}", file=sys.stderr)
    if failures:
        fail(f"{len(failures)} of {len(scan)} points did not finish; repeat this", 1)


if __name__ == "__main__":
    main()

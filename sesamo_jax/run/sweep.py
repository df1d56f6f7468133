"""Scans of parameters: points that resume, one run and one folder each.

A scan may be interrupted at any time and started again.
"""

import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sesamo_jax.config import Run, complete
from sesamo_jax.config.record import difference, from_json, to_json
from sesamo_jax.core import enable_precision
from sesamo_jax.run.execute import Stopped, execute
from sesamo_jax.run.folder import CONFIG, METRICS
from sesamo_jax.run.pages import markdown
from sesamo_jax.storage.files import read_json, reading
from sesamo_jax.targets import build_from

COLUMNS = ("ess", "leak", "log_z")
POLL_SECONDS = 0.5


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

    def __reduce__(self) -> tuple:
        # A user's own target is code, which another process imports by itself.
        return _point, (to_json(self.run), self.folder, self.devices)

    def __call__(self) -> None:
        """Carry the run out, from where it stands."""
        execute(self.run, self.folder, resume=True, devices=self.devices)

    def checkpoint(self) -> Any:
        """Return what submitit queues again when the job is preempted or timed out."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def _point(tree: dict[str, Any], folder: Path, devices: int | None) -> Point:
    return Point(from_json(tree), folder, devices)


def check(run: Run, folder: Path) -> None:
    """Raise ValueError unless the run can be carried out in its folder."""
    enable_precision(run.target.dtype)
    config = complete(run.config, build_from(run.target_name, run.target))
    known = folder / CONFIG
    if known.exists():
        wanted = to_json(replace(run, config=config))
        if changed := difference(read_json(known), wanted):
            raise ValueError(
                f"{folder} holds a run of another configuration ({changed}): repeat "
                "its settings, or choose another --output"
            )


def carry_out_points(todo: list[Point], submit: Any, parallel: int) -> dict[str, str]:
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
        if failure := job.exception():
            failures[point.folder.name] = f"{reason(failure)} (job {job.job_id})"
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
        path, cells = point.folder / METRICS, ["-"] * len(COLUMNS)
        try:
            if path.exists():
                with reading(path, "remove it"):
                    total = read_json(path)["aggregate"]
                    cells = [total[name]["text"] for name in COLUMNS]
        except ValueError as error:
            failures[point.folder.name] = str(error)
        rows.append([f"`{point.folder.name}`", *cells])
    return markdown(["point", "ESS", "leak", "log Z"], rows)

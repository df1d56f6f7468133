"""What runs have given, one line of JSON per run: small enough for a repository.

A line holds the run's whole configuration, environment, metrics and history; the
folders they come from, with samples, checkpoints and figures, need not be kept.
"""

import json
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sesamo_jax.run.folder import CONFIG, ENVIRONMENT, METRICS, RunFolder
from sesamo_jax.run.history import parse
from sesamo_jax.storage.files import reading, replacing

FILE = "runs.jsonl"
REMEDY = "restore it from a copy"


class Results:
    """The results of a study, by the names of its runs.

    Args:
        folder: holds `runs.jsonl` and, where they have been carried out here, the
            folders of the runs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / FILE

    @cached_property
    def records(self) -> dict[str, dict[str, Any]]:
        """What is known of each run: config, environment, metrics, history.

        Raises:
            Damaged: if the file cannot be read; one sentence.
        """
        if not self.path.exists():
            return {}
        with reading(self.path, REMEDY):
            lines = self.path.read_text().splitlines()
            found = [json.loads(line) for line in lines]
            return {record.pop("run"): record for record in found}

    def __contains__(self, name: str) -> bool:
        return name in self.records

    def config(self, name: str) -> dict[str, Any]:
        """Return the configuration of a run that there is."""
        return self.records[name]["config"]

    def metrics(self, name: str) -> dict[str, Any] | None:
        """Return the metrics of a run, None where there is none."""
        return self.records[name]["metrics"] if name in self else None

    def history(self, name: str) -> dict[str, np.ndarray] | None:
        """Return the history of a run's training, (rows, seeds) for each column.

        None where there is no run of that name, or none that trains.
        """
        text = self.records[name]["history"] if name in self else None
        return None if text is None else parse(text)

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Return the samples of a run, nothing unless its folder is here."""
        return RunFolder(self.folder / name).read_arrays()

    def put(self, name: str, record: dict[str, Any]) -> None:
        """Take in what a run's folder holds; it replaces what is there of that name."""
        records = {**self.records, name: record}
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as file:
            for run in sorted(records):
                line = {"run": run, **records[run]}
                text = json.dumps(line, separators=(",", ":"), allow_nan=False)
                file.write(text.encode() + b"\n")
        self.records = records


def results_in(folder: Path) -> Results:
    """Return the results in a folder, the same object to all who ask."""
    return _shared(folder.resolve())


@cache
def _shared(folder: Path) -> Results:
    return Results(folder)


def record(path: Path) -> dict[str, Any]:
    """Return what a finished run's folder holds, samples and figures apart.

    Raises:
        ValueError: if the run is not finished, or its files cannot be read.
    """
    folder = RunFolder(path)
    metrics = folder.read(METRICS)
    if metrics is None:
        raise ValueError(f"{path} holds no finished run: {METRICS} is not there")
    history = folder.history_path
    return {
        "config": folder.read(CONFIG),
        "environment": folder.read(ENVIRONMENT),
        "metrics": metrics,
        "history": history.read_text() if history.exists() else None,
    }

"""The run folder: what is written where."""

import fcntl
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sesamo_jax.run import history
from sesamo_jax.storage.files import (
    Damaged,
    partial,
    read_arrays,
    read_json,
    reading,
    replacing,
    write_arrays,
    write_json,
)

PROBE = ".write_test"
CONFIG, ENVIRONMENT, METRICS = "config.json", "env.json", "metrics.json"
LINES, SAMPLES = "history.csv", "samples.npz"
ANEW = "and resume: the trained model is judged anew"
# What to do about a file that is damaged.
REMEDIES = {
    CONFIG: "restore it from a copy, or choose another folder",
    ENVIRONMENT: "move it away, or choose another folder",
    METRICS: f"remove it {ANEW}",
    SAMPLES: f"remove it and {METRICS} {ANEW}",
    LINES: "restore it from a copy, or remove it: the run goes on without it",
}


class RunFolder:
    """The files of one run: configuration, environment, history, metrics, samples.

    Args:
        path: the folder; created by `open`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.history_path = path / LINES
        self._lock: int | None = None

    @property
    def checkpoints(self) -> Path:
        """Where training states go."""
        return self.path / "checkpoint"

    def open(self) -> None:
        """Create the folder, make sure that it can be written to, and lock it.

        The lock ends with `close`, or with the process. Some network file systems have
        none; two runs there would overwrite each other's files.

        Raises:
            BlockingIOError: while another run has it open.
            OSError: if it cannot be written to.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        probe = self.path / PROBE
        probe.write_text("")
        probe.unlink()
        self._lock = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise
        except OSError:
            pass

    def close(self) -> None:
        """Let other runs open the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def is_new(self) -> bool:
        """Return whether the folder is missing, or holds what opening it leaves.

        A kill may leave some of that before there is a configuration. Earlier versions
        wrote the environment first.
        """
        if not self.path.exists():
            return True
        names = {entry.name for entry in self.path.iterdir()}
        own = {PROBE, ENVIRONMENT}
        own |= {partial(self.path / name).name for name in (CONFIG, ENVIRONMENT)}
        if not names <= own:
            return False
        return ENVIRONMENT not in names or "git_commit" in self.read(ENVIRONMENT)

    def check(self) -> None:
        """Raise Damaged where something else is in the place of a file or folder."""
        for name in REMEDIES:
            path = self.path / name
            if path.exists() and not path.is_file():
                raise Damaged(f"{path} must be a file: move it away")
        if self.checkpoints.exists() and not self.checkpoints.is_dir():
            raise Damaged(f"{self.checkpoints} must be a folder: move it away")

    def read(self, name: str) -> Any:
        """Return the content of a JSON file, None if it is not there.

        Raises:
            Damaged: if it cannot be read; one sentence.
        """
        path = self.path / name
        return read_json(path, REMEDIES[name]) if path.exists() else None

    def read_arrays(self) -> dict[str, np.ndarray]:
        """Return the samples and what belongs to them, nothing if they are not there.

        Raises: as `read`.
        """
        path = self.path / SAMPLES
        return read_arrays(path, REMEDIES[SAMPLES]) if path.exists() else {}

    def write(self, name: str, content: Any) -> None:
        """Write a JSON file; it is replaced whole or not at all."""
        write_json(self.path / name, content)

    def write_arrays(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write a compressed npz file; it is replaced whole or not at all."""
        write_arrays(self.path / name, arrays)

    def append_history(self, seeds: Sequence[int], row: Mapping[str, Any]) -> None:
        """Append one line per seed to `history.csv`."""
        history.append(self.history_path, seeds, row)

    def truncate_history(self, seeds: Sequence[int], step: int) -> None:
        """Drop lines beyond a step, which a resumed run writes again, and torn ones.

        Says so on stderr where lines up to that step are missing.

        Raises: as `read`.
        """
        if not self.history_path.exists():
            return
        with reading(self.history_path, REMEDIES[LINES]):
            kept = history.until(self.history_path, seeds, step)
        if not kept:
            self.history_path.unlink()
            return
        with replacing(self.history_path) as file:
            file.write(kept.encode())

    def read_history(self) -> dict[str, np.ndarray]:
        """Return the history, one array of shape (rows, seeds) per column.

        Raises: as `read`.
        """
        with reading(self.history_path, REMEDIES[LINES]):
            return history.parse(self.history_path.read_text())

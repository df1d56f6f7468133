"""The run folder: what is written where."""

import csv
import fcntl
import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

PACKAGES = (
    *("sesamo-jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy"),
    *("distrax", "diffrax", "blackjax"),
)
HISTORY = (
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


class RunFolder:
    """The files of one run: configuration, environment, history, metrics, samples.

    Args:
        path: the folder; created by `open`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.history_path = path / "history.csv"
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
        probe = self.path / ".write_test"
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

    def is_empty(self) -> bool:
        """Return whether the folder is missing or holds nothing."""
        return not self.path.exists() or not any(self.path.iterdir())

    def read(self, name: str) -> Any:
        """Return the content of a JSON file, None if it is not there."""
        path = self.path / name
        return json.loads(path.read_text()) if path.exists() else None

    def write(self, name: str, content: Any) -> None:
        """Write a JSON file; it is replaced whole or not at all."""
        temporary = self.path / f".{name}.part"
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
        os.replace(temporary, self.path / name)

    def write_arrays(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write a compressed npz file; it is replaced whole or not at all."""
        temporary = self.path / f".{name}"
        with temporary.open("wb") as file:
            np.savez_compressed(file, **dict(arrays))  # type: ignore[arg-type]
        os.replace(temporary, self.path / name)

    def append_history(self, seeds: Sequence[int], row: Mapping[str, Any]) -> None:
        """Append one line per seed to `history.csv`."""
        new = not self.history_path.exists()
        with self.history_path.open("a", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if new:
                writer.writerow(HISTORY)
            for index, seed in enumerate(seeds):
                values = [row[name][index].item() for name in HISTORY[1:]]
                writer.writerow([seed, *(_short(value) for value in values)])

    def truncate_history(self, step: int) -> None:
        """Drop lines beyond a step, which a resumed run writes again, and torn ones."""
        if not self.history_path.exists():
            return
        lines = self.history_path.read_text().splitlines(keepends=True)
        commas = len(HISTORY) - 1
        whole = [x for x in lines[1:] if x.endswith("\n") and x.count(",") == commas]
        kept = [line for line in whole if int(line.split(",")[1]) <= step]
        temporary = self.history_path.with_suffix(".part")
        temporary.write_text("".join(lines[:1] + kept))
        os.replace(temporary, self.history_path)

    def read_history(self) -> dict[str, np.ndarray]:
        """Return the history, one array of shape (rows, seeds) per column."""
        with self.history_path.open() as file:
            table = list(csv.DictReader(file))
        seeds = len({row["seed"] for row in table})
        columns = {
            name: np.array([float(row[name]) for row in table]) for name in table[0]
        }
        return {name: values.reshape(-1, seeds) for name, values in columns.items()}


def _short(value: float | int) -> float | int | str:
    return value if isinstance(value, int) else f"{value:.7g}"


def environment() -> dict[str, Any]:
    """Return versions, device and settings that a result may depend on."""
    device = jax.devices()[0]
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "device": f"{device.platform} {device.device_kind}",
        "devices": jax.device_count(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "git_commit": _git("rev-parse", "HEAD"),
        "git_dirty": bool(_git("status", "--porcelain")),
        "x64": bool(jax.config.jax_enable_x64),  # type: ignore[attr-defined]
        "matmul_precision": jax.config.jax_default_matmul_precision,  # type: ignore[attr-defined]
        "threefry_partitionable": bool(jax.config.jax_threefry_partitionable),  # type: ignore[attr-defined]
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
    }


def peak_memory_bytes() -> int:
    """Return the largest resident memory that this process has had so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()

"""The history of a training as TensorBoard's events, written while it goes on."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import time
from typing import Any

import numpy as np

from sesamo_jax.run.folder import RunFolder
from sesamo_jax.run.history import ELSEWHERE

EVENTS = "tensorboard"
AXES = {"seed", "step", "seconds", ELSEWHERE}  # of a row, what is no curve


class TensorBoardFolder(RunFolder):
    """A run folder whose history is written as events, too.

    They are in `tensorboard/seed_I`, a curve per column of `history.csv`, at the step
    and, counted back from now, at the second of training; values that are not finite
    are left out. A resumed run writes its whole history again, in place of what it
    wrote before.

    Args:
        path: as of `RunFolder`.

    Raises:
        ValueError: if tensorboardX is not installed, with the remedy.
    """

    def __init__(self, path: Path) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise ValueError(
                "tensorboard=True needs tensorboardX: "
                "pip install 'sesamo-jax[tensorboard]', or leave it out"
            ) from error
        super().__init__(path)
        self._new_writer = SummaryWriter
        self._writers: list[Any] = []
        self._start = 0.0

    def append_history(self, seeds: Sequence[int], row: Mapping[str, Any]) -> None:
        """Append one line per seed to `history.csv`, and the same as events."""
        super().append_history(seeds, row)
        rows: Iterator[Mapping[str, Any]] = iter([row])
        if not self._writers:
            # TensorBoard hides what older files have from the step to purge on.
            self._writers = [
                self._new_writer(str(self.path / EVENTS / f"seed_{seed}"), purge_step=0)
                for seed in seeds
            ]
            self._start = time() - float(row["seconds"][0])
            history = self.read_history()
            rows = (
                {name: column[index] for name, column in history.items()}
                for index in range(len(history["step"]))
            )
        for line in rows:
            self._write(line)

    def close(self) -> None:
        """Let other runs open the folder."""
        for writer in self._writers:
            writer.close()
        super().close()

    def _write(self, row: Mapping[str, Any]) -> None:
        """Write the events of one row, (seeds,) values of each column."""
        for index, writer in enumerate(self._writers):
            step = int(row["step"][index])
            moment = self._start + float(row["seconds"][index])
            for name in sorted(row.keys() - AXES):
                value = float(row[name][index])
                if np.isfinite(value):
                    writer.add_scalar(name, value, step, moment)
            writer.flush()

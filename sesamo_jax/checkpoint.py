"""Saving and restoring: training states and trained parameters, through orbax."""

import errno
import os
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from sesamo_jax.core import Params
from sesamo_jax.train import TrainState

KEPT = 2


class Checkpoints:
    """Training states in a folder; a step is there whole or not at all.

    Two steps are kept, so that a write that fails half way leaves the one before.

    Args:
        folder: created if missing.
    """

    def __init__(self, folder: Path) -> None:
        self._manager = ocp.CheckpointManager(
            folder.absolute(),
            options=ocp.CheckpointManagerOptions(
                max_to_keep=KEPT, enable_async_checkpointing=False
            ),
        )

    def latest_step(self) -> int | None:
        """Return the last step saved, or None."""
        return self._manager.latest_step()

    def save(self, states: TrainState, seconds: dict[str, float]) -> None:
        """Save the states of all seeds and the seconds spent so far.

        Raises:
            OSError: if the disk refuses; earlier steps stay.
        """
        step = int(states.step[0])
        if step == self.latest_step():
            return
        tree = {"states": _without_key(states), "seconds": seconds}
        try:
            self._manager.save(step, args=ocp.args.StandardSave(tree))
        except ValueError as error:  # tensorstore's word for a full disk
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error

    def restore(self, like: TrainState) -> tuple[TrainState, dict[str, float]]:
        """Return the last states and seconds.

        Args:
            like: states of the same structure and shapes, for instance initial ones.
        """
        seconds = {"wall": 0.0, "compile": 0.0}
        tree = {"states": _without_key(like), "seconds": seconds}
        restored = self._manager.restore(
            self.latest_step(), args=ocp.args.StandardRestore(tree)
        )
        states = TrainState(**restored["states"])
        key = jax.random.wrap_key_data(states.key)
        return states._replace(key=key), restored["seconds"]

    def close(self) -> None:
        """Release orbax's resources."""
        self._manager.close()


def _without_key(states: TrainState) -> dict[str, Any]:
    return states._replace(key=jax.random.key_data(states.key))._asdict()


def save(path: str | Path, params: Params) -> None:
    """Write trained parameters to a new folder.

    Raises:
        ValueError: if the folder exists.
    """
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(Path(path).absolute(), params)


def load(path: str | Path, like: Params) -> Params:
    """Read parameters that `save` wrote.

    Args:
        path: the folder.
        like: parameters of the same structure, for instance `model.init(key)`.

    Raises:
        ValueError: if structure or shapes differ.
    """
    with ocp.StandardCheckpointer() as checkpointer:
        return checkpointer.restore(Path(path).absolute(), like)

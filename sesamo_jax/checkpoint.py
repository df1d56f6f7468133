"""Saving and restoring: training states and trained parameters, through orbax."""

import errno
import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from sesamo_jax.core import Params
from sesamo_jax.processes import from_first, on_first
from sesamo_jax.train import TrainState

KEPT = 2


class Checkpoints:
    """Training states in a folder; a step is there whole or not at all.

    Two steps are kept, so that a write that fails half way leaves the one before. Of
    several processes the first one writes and reads; all must call every method.

    Args:
        folder: created if missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._manager: Any = on_first(self._open)

    def _open(self) -> ocp.CheckpointManager:
        self._folder.mkdir(parents=True, exist_ok=True)
        alone = ocp.options.MultiprocessingOptions(
            primary_host=0, active_processes={0}, barrier_sync_key_prefix="first"
        )
        return ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(
                max_to_keep=KEPT,
                enable_async_checkpointing=False,
                create=False,
                multiprocessing_options=alone,
            ),
        )

    def latest_step(self) -> int | None:
        """Return the last step saved, or None."""
        return from_first(lambda: self._manager.latest_step())

    def save(self, states: TrainState, seconds: dict[str, float]) -> None:
        """Save the states of all seeds and the seconds spent so far.

        Args:
            states: whole, on one device: they can be restored on any number of them.
            seconds: by kind.

        Raises:
            OSError: if the disk refuses; earlier steps stay.
        """
        on_first(lambda: self._save(states, seconds))

    def _save(self, states: TrainState, seconds: dict[str, float]) -> None:
        step = int(states.step[0])
        if step == self._manager.latest_step():
            return
        tree = {"states": _on_host(states), "seconds": seconds}
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
        return from_first(lambda: self._restore(like))

    def _restore(self, like: TrainState) -> tuple[TrainState, dict[str, float]]:
        seconds = {"wall": 0.0, "compile": 0.0}
        tree = {"states": _on_host(like), "seconds": seconds}
        restored = self._manager.restore(
            self._manager.latest_step(), args=ocp.args.StandardRestore(tree)
        )
        states = TrainState(**jax.tree.map(jnp.asarray, restored["states"]))
        key = jax.random.wrap_key_data(states.key)
        return states._replace(key=key), restored["seconds"]

    def close(self) -> None:
        """Release orbax's resources."""
        on_first(lambda: self._manager.close())


def _on_host(states: TrainState) -> dict[str, Any]:
    """Return states as NumPy arrays, which know no devices, with the keys' data."""
    plain = states._replace(key=jax.random.key_data(states.key))
    return jax.tree.map(np.asarray, plain._asdict())


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

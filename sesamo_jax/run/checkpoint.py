"""Saving and restoring training states, through orbax."""

import errno
import logging
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from sesamo_jax.parallel.processes import from_first, on_first
from sesamo_jax.run.seal import seal, steps_in, verified
from sesamo_jax.storage.files import first_line
from sesamo_jax.training.state import TrainState

KEPT = 2
# What a step takes on the disk, at most: for each byte, array and step.
ROOM, ROOM_PER_ARRAY, ROOM_PER_STEP = 1.1, 1024, 96 * 1024


class Checkpoints:
    """Training states in a folder; a step is there whole or not at all.

    Two steps are kept, so that a write that fails half way leaves the one before. Each
    carries a checksum of its files, the random number generator, and whose it is. Of
    several processes the first one writes and reads; all must call every method.

    Args:
        folder: created if missing; what a killed or refused write left is removed.
        configurations: `resolve.fingerprint` of the run, the first of which is saved
            with the states; states saved with any other are refused.
        read_only: the folder is another run's: it must exist and stays as it is.
    """

    def __init__(
        self,
        folder: Path,
        configurations: Sequence[str] = ("",),
        read_only: bool = False,
    ) -> None:
        self._folder = folder.absolute()
        self._configurations = tuple(configurations)
        self._read_only = read_only
        self._unusable: list[int] = []
        self._manager: Any = on_first(self._open)

    def _open(self) -> ocp.CheckpointManager:
        if not self._read_only:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._tidy()
        alone = ocp.options.MultiprocessingOptions(
            primary_host=0, active_processes={0}, barrier_sync_key_prefix="first"
        )
        library = logging.getLogger("absl")
        level = library.level
        if self._read_only:  # which orbax warns of
            library.setLevel(logging.ERROR)
        try:
            return ocp.CheckpointManager(
                self._folder,
                options=ocp.CheckpointManagerOptions(
                    max_to_keep=KEPT,
                    enable_async_checkpointing=False,
                    create=False,
                    read_only=self._read_only,
                    multiprocessing_options=alone,
                ),
            )
        finally:
            library.setLevel(level)

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
        while self._unusable:  # orbax takes no step before one that is there
            self._manager.delete(self._unusable.pop())
        step = int(states.step[0])
        if step == self._manager.latest_step():
            return
        tree = {"states": _on_host(states), "seconds": seconds}
        try:
            self._reserve(tree)
            self._manager.save(step, args=ocp.args.StandardSave(tree))
            seal(self._folder / str(step), self._configurations[0], states.key)
        except ValueError as error:  # tensorstore's word for a full disk
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        finally:
            self._tidy()

    def _reserve(self, tree: Any) -> None:
        """Raise OSError unless there is room for a step.

        Where orbax itself runs out of it, its threads print hundreds of lines.
        """
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
        size = int(ROOM * sum(leaf.nbytes for leaf in leaves))
        size += ROOM_PER_ARRAY * len(leaves) + ROOM_PER_STEP
        if not hasattr(os, "posix_fallocate"):  # on macOS
            return
        try:
            with TemporaryFile(dir=self._folder) as file:
                os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:  # else of a file system that cannot say
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise

    def _tidy(self) -> None:
        """Remove what was not written whole, and what was not removed whole."""
        old = [self._folder / str(step) for step in steps_in(self._folder)[KEPT:]]
        for path in [*self._folder.glob("*.orbax-checkpoint-tmp*"), *old]:
            shutil.rmtree(path, ignore_errors=True)

    def restore(self, like: TrainState) -> tuple[TrainState, dict[str, float]]:
        """Return the last states that can be read, and seconds.

        Says on stderr which steps cannot, and which have no checksum. Keys are of the
        generator that they were saved with.

        Args:
            like: states of the same structure and shapes, for instance initial ones.

        Raises:
            ValueError: if no step can be read, or the last one is of another
                configuration; one sentence.
        """
        return from_first(lambda: self._restore(like))

    def _restore(self, like: TrainState) -> tuple[TrainState, dict[str, float]]:
        remedy = f"restore a copy, or remove {self._folder} to train anew"
        if self._read_only:
            remedy = "start from another run"
        reasons = []
        for step in sorted(self._manager.all_steps(), reverse=True):
            path = self._folder / str(step)
            try:
                record = verified(path)
                known = record.get("configuration", self._configurations[0])
                own = known in self._configurations
                found = self._read(step, like, record["generator"]) if own else None
            except Exception as error:  # whatever damage makes of a library
                reasons.append(f"{path} cannot be read ({first_line(error)})")
                continue
            if found is None:
                raise ValueError(
                    f"{path} is the checkpoint of another configuration: {remedy}"
                )
            self._unusable = [s for s in self._manager.all_steps() if s > step]
            if "sha256" not in record:
                reasons.append(f"{path} has no checksum, and is taken as it is")
            elif reasons:
                reasons.append(f"step {step} before it is taken")
            if reasons:
                print("; ".join(reasons), file=sys.stderr)
            return found
        raise ValueError(f"{'; '.join(reasons)}: {remedy}")

    def _read(
        self, step: int, like: TrainState, generator: str
    ) -> tuple[TrainState, dict[str, float]]:
        keys = jax.random.split(jax.random.key(0, impl=generator), len(like.step))
        seconds = {"wall": 0.0, "compile": 0.0}
        tree = {"states": _on_host(like._replace(key=keys)), "seconds": seconds}
        restored = self._manager.restore(step, args=ocp.args.StandardRestore(tree))
        states = TrainState(**jax.tree.map(jnp.asarray, restored["states"]))
        key = jax.random.wrap_key_data(states.key, impl=generator)
        return states._replace(key=key), restored["seconds"]

    def close(self) -> None:
        """Release orbax's resources."""
        on_first(lambda: self._manager.close())


def _on_host(states: TrainState) -> dict[str, Any]:
    """Return states as NumPy arrays, which know no devices, with the keys' data.

    What is empty is left out.
    """
    plain = states._replace(key=jax.random.key_data(states.key))._asdict()
    filled = {name: value for name, value in plain.items() if jax.tree.leaves(value)}
    return jax.tree.map(np.asarray, filled)

"""A trained run read back from its folder: what it was, and its last checkpoint."""

from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from sesamo_jax.config.build import build_model
from sesamo_jax.config.record import fingerprint, from_json, to_json
from sesamo_jax.config.schema import Run
from sesamo_jax.core import Model, Target
from sesamo_jax.run.checkpoint import Checkpoints
from sesamo_jax.run.folder import CONFIG, RunFolder
from sesamo_jax.storage.files import reading
from sesamo_jax.targets import build_from
from sesamo_jax.training.state import TrainState, init_states, restorable


class Restored(NamedTuple):
    """A run of a method that is trained, as far as it has come.

    Attributes:
        run: what it does.
        target: what it samples.
        model: of both.
        states: of the last checkpoint, with a leading axis over seeds.
    """

    run: Run
    target: Target
    model: Model
    states: TrainState


def restore(path: Path, name: str, remedy: str) -> Restored:
    """Return a run and its last checkpoint; its folder stays as it is.

    Args:
        path: the run folder.
        name: what messages call it.
        remedy: what to do where its configuration cannot be read.

    Raises:
        ValueError: if there is no run with a checkpoint, or one that does not belong to
            its configuration; one sentence.
    """
    folder = RunFolder(path)
    tree = folder.read(CONFIG) if path.is_dir() else None
    if tree is None or not folder.checkpoints.exists():
        raise ValueError(f"{name} holds no run with a checkpoint")
    with reading(path / CONFIG, remedy):
        run = from_json(tree)
        target = build_from(run.target_name, run.target)
        model = build_model(target, run.config)
    seeds = range(run.seed, run.seed + run.seeds)
    like = restorable(init_states(model, run.config, seeds), target, run.config)
    # As it was written, and with what has been added to configurations since then.
    known = [fingerprint(tree), fingerprint(to_json(run))]
    with closing(Checkpoints(folder.checkpoints, known, read_only=True)) as checkpoints:
        if checkpoints.latest_step() is None:
            raise ValueError(f"{name} holds no checkpoint yet: wait for one")
        states = checkpoints.restore(like)[0]
    return Restored(run, target, model, states)

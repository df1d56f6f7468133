"""Samplers read back: from folders of their own, from the package, from runs."""

from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import jax
import numpy as np

from sesamo_jax.config import Run
from sesamo_jax.config.record import from_json
from sesamo_jax.config.schema import METHODS
from sesamo_jax.core import Target, enable_precision
from sesamo_jax.core.words import unknown
from sesamo_jax.flows import FlowConfig
from sesamo_jax.run.folder import CONFIG, METRICS, RunFolder
from sesamo_jax.run.restore import restore
from sesamo_jax.storage.files import reading
from sesamo_jax.targets import build_from
from sesamo_jax.trained import store
from sesamo_jax.trained.sampler import Sampler
from sesamo_jax.trained.samples import WeightedSamples, observe

PRETRAINED = files("sesamo_jax") / "pretrained"
ANOTHER = "choose the folder of another run"


def load(
    folder: str | Path,
    target: Target | None = None,
    flow: FlowConfig | None = None,
) -> Sampler:
    """Return the sampler that `Sampler.save` wrote, which draws the same from a key.

    Enables float64 in JAX if the sampler's named target is of this type.

    Args:
        folder: of the sampler.
        target: if it was made in Python, and is neither named nor imported by a path.
        flow: the configuration of a flow that was made in Python.

    Raises:
        ValueError: if the folder holds no sampler, a damaged one, or one of a newer
            version; if target or flow are missing or have changed; one sentence.
    """
    stored = store.read(Path(folder), target, flow)
    sampler = Sampler(stored.target, stored.config, None)
    like = jax.eval_shape(sampler.model.init, jax.random.key(0))
    return sampler.with_params(store.fill(like, stored.params, Path(folder)))


def pretrained() -> list[str]:
    """Return the names of the samplers that come with the package."""
    return sorted(item.name for item in PRETRAINED.iterdir() if item.is_dir())


def load_pretrained(name: str) -> Sampler:
    """Return a sampler that comes with the package.

    Enables float64 in JAX if its target is of this type.

    Raises:
        ValueError: for an unknown name.
    """
    if name not in pretrained():
        raise ValueError(unknown("pretrained sampler", name, pretrained()))
    with as_file(PRETRAINED / name) as folder:
        return load(folder)


@dataclass(frozen=True)
class LoadedRun:
    """What a run folder holds.

    Attributes:
        run: target, configuration and seeds.
        history: one array of shape (rows, seeds) per column of `history.csv`; empty
            without one.
        metrics: the content of `metrics.json`; None of a run that is not finished.
        samples: of every seed, those that were kept; empty likewise.
        samplers: of every seed, as of the last checkpoint; empty for methods without
            training, such as chains.
    """

    run: Run
    history: dict[str, np.ndarray]
    metrics: dict[str, Any] | None
    samples: tuple[WeightedSamples, ...]
    samplers: tuple[Sampler, ...]

    def frame(self) -> Any:
        """Return the history as a pandas DataFrame, a row per seed and chunk of steps.

        Raises:
            ImportError: without pandas.
        """
        import pandas

        columns = {name: array.ravel() for name, array in self.history.items()}
        return pandas.DataFrame(columns).astype({"seed": int, "step": int})


def load_run(folder: str | Path) -> LoadedRun:
    """Return what the folder of a run holds, which stays as it is.

    Enables float64 in JAX if the run's target is of this type.

    Raises:
        ValueError: if it holds no run, or one that is damaged; one sentence.
    """
    path = Path(folder)
    own = RunFolder(path)
    tree = own.read(CONFIG) if path.is_dir() else None
    if tree is None:
        raise ValueError(f"{folder} holds no {CONFIG}: {ANOTHER}")
    with reading(path / CONFIG, ANOTHER):
        run = from_json(tree)
        enable_precision(run.target.dtype)
        target = build_from(run.target_name, run.target)
    samplers: tuple[Sampler, ...] = ()
    if METHODS[run.config.method].is_trained:
        states = restore(path, str(folder), ANOTHER).states
        first = Sampler(target, run.config, None)
        samplers = first.members(states.params)
    return LoadedRun(
        run=run,
        history=own.read_history() if own.history_path.exists() else {},
        metrics=own.read(METRICS),
        samples=_samples(own.read_arrays(), target),
        samplers=samplers,
    )


def _samples(
    arrays: dict[str, np.ndarray], target: Target
) -> tuple[WeightedSamples, ...]:
    """Return the samples of every seed."""
    found = []
    observables = jax.jit(lambda x: observe(target, x))
    for seed, x in enumerate(arrays.get("x", ())):
        own = {name: arrays[name][seed] for name in ("log_w", "u") if name in arrays}
        own.setdefault("log_w", np.zeros(len(x), x.dtype))
        values = jax.device_get(observables(x))
        found.append(WeightedSamples(x, own["log_w"], own.get("u"), values))
    return tuple(found)

"""Reading the result files of the particle study, with energies of their samples."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import studies
from studies import ROOT

from sesamo_jax import build_target
from sesamo_jax.run.folder import RunFolder
from sesamo_jax.storage.files import read_arrays

metrics = partial(studies.metrics, "particles")
RESULTS = ROOT / "experiments" / "results" / "particles"
# Entropies of the targets, the lowest NLL that a mean over samples can have: by
# quadrature for two particles, else <u> + log Z of reference samples.
FLOORS = {"dw2": 3.390, "dw4": 7.124, "lj13": 16.95}
# NLL of a flow that does nothing, N(0, 1) without the centre of mass.
PRIORS = {"dw4": 19.1, "lj13": 42.1}


class Drawn(NamedTuple):
    """Samples of one seed of a run.

    Attributes:
        x: coordinates, (n, N - 1, D).
        w: normalised weights, (n,).
    """

    x: np.ndarray
    w: np.ndarray


def samples(name: str, seed: int = 0) -> Drawn | None:
    """Return a run's samples, where they are; they are not committed."""
    path = RESULTS / name / "samples.npz"
    if not path.exists():
        return None
    arrays = read_arrays(path)
    x, log_w = arrays["x"][seed], arrays["log_w"][seed].astype(float)
    w = np.exp(log_w - log_w.max())
    return Drawn(x, w / w.sum())


def observed(target: str, name: str, x: np.ndarray) -> np.ndarray:
    """Return an observable of configurations, (n,)."""
    of_one = build_target(target).observables[name]
    return np.asarray(jax.jit(jax.vmap(of_one))(jnp.asarray(x, jnp.float32)))


def training_nll(name: str) -> list[float]:
    """Return each seed's NLL of training batches, a mean over the last steps."""
    return RunFolder(RESULTS / name).read_history()["loss"][-1].tolist()


def result_file(name: str) -> dict[str, Any] | None:
    """Return what one of the study's other commands has measured, or None."""
    path = RESULTS / f"{name}.json"
    return studies.read(path) if path.exists() else None

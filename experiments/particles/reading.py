"""Reading the results of the particle study, with energies of its samples."""

import jax
import jax.numpy as jnp
import numpy as np
import reading
from reading import ROOT, Drawn, Run

from particles.files import DATA
from sesamo_jax import build_target
from sesamo_jax.geometry.particles import helmert

# Entropies of the targets, the lowest NLL that a mean over samples can have: by
# quadrature for two particles, else <u> + log Z of reference samples.
FLOORS = {"dw2": 3.390, "dw4": 7.124, "lj13": 16.95}
# NLL of a flow that does nothing, N(0, 1) without the centre of mass.
PRIORS = {"dw4": 19.1, "lj13": 42.1}


def metrics(name: str) -> Run | None:
    """Return the metrics of one of the study's runs, or None."""
    return reading.metrics(f"particles/{name}")


def data(target: str, kind: str, rows: slice = slice(None)) -> Drawn:
    """Return some of the data of a target, in coordinates, equally weighted."""
    x = np.load(ROOT / DATA / f"{target}_{kind}.npy")[rows]
    return Drawn(helmert(x.shape[1]) @ x, np.full(len(x), 1 / len(x)))


def observed(target: str, name: str, x: np.ndarray) -> np.ndarray:
    """Return an observable of configurations, (n,)."""
    of_one = build_target(target).observables[name]
    return np.asarray(jax.jit(jax.vmap(of_one))(jnp.asarray(x, jnp.float32)))


def training_nll(name: str) -> list[float]:
    """Return each seed's NLL of training batches, a mean over the last steps."""
    results, run = reading.place(f"particles/{name}")
    history = results.history(run)
    assert history is not None
    return history["loss"][-1].tolist()

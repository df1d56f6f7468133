"""The data of the particle study: made once, with fixed seeds, and not committed."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
from reading import ROOT

from particles.quench import quench
from sesamo_jax import build_target
from sesamo_jax.geometry.particles import coordinates, positions

DATA = "runs/particles/data"
# Variance of the Gaussian that populations start from: about that of the double wells,
# where the estimates of Z then agree; the target's own for the cluster.
STARTS = {"dw2": 5.6, "dw4": 4.5, "lj13": None}
# Of the test set, how many judge a model: clusters take long.
HELD_OUT = {"dw2": 10_000, "dw4": 10_000, "lj13": 4000}
SIZES = (10, 100, 1000, 10_000)
JITTER = 0.05  # of the particles around one minimum
QUENCHED = 20


def prepare() -> None:
    """Make the sets that are missing, by `sesamo-jax data`, and parts of them.

    TARGET_train_N.npy are the first N of the training set, TARGET_held_out.npy as many
    of the test set as judge models. dw4_train_minimum.npy are
    10,000 copies of the lowest minimum below a few of its samples, each with noise.
    """
    folder = ROOT / DATA
    for name, variance in STARTS.items():
        if not (folder / f"{name}_test.npy").exists():
            words = ["data", "--target", name, "--output", str(folder)]
            words += ["--set", f"smc.variance={variance}"] if variance else []
            subprocess.run([sys.executable, "-m", "sesamo_jax", *words], check=True)
    for name, held_out in HELD_OUT.items():
        test = np.load(folder / f"{name}_test.npy")
        np.save(folder / f"{name}_held_out.npy", test[:held_out])
        train = np.load(folder / f"{name}_train.npy")
        for size in SIZES:
            np.save(folder / f"{name}_train_{size}.npy", train[:size])
    path = folder / "dw4_train_minimum.npy"
    if not path.exists():
        np.save(path, around_minimum(np.load(folder / "dw4_train.npy")))


def around_minimum(x: np.ndarray) -> np.ndarray:
    """Return 10,000 noisy copies of the lowest minimum below some positions."""
    jax.config.update("jax_enable_x64", True)
    target = build_target("dw4", dtype="float64")
    y = np.array(jax.vmap(coordinates)(jnp.asarray(x[:QUENCHED], jnp.float64)))
    minima = quench(target, y)
    lowest = np.asarray(positions(minima.y[np.argmin(minima.energies)]))
    noise = np.random.default_rng(0).normal(0, JITTER, (SIZES[-1], *lowest.shape))
    copies = lowest + noise
    return (copies - copies.mean(axis=1, keepdims=True)).astype(np.float32)

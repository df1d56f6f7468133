"""Statistics, grids, random parameters, a group and programs for the tests."""

import subprocess
import sys
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerances import SIGMAS

from sesamo_jax.symmetries import Cyclic


def with_slow(names, slow):
    """Return the parameters of a test, those of the slow names marked so."""
    missing = set(slow) - set(names)
    assert not missing, missing
    marks = {name: [pytest.mark.slow] if name in slow else [] for name in names}
    return [pytest.param(name, marks=own, id=name) for name, own in marks.items()]


def assert_mean(values, expected, sigmas=SIGMAS):
    """Assert that the mean over axis 0 agrees with `expected` within its error.

    A component that never varies must agree to rounding.
    """
    values = np.asarray(values, np.float64)
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    deviation = np.abs(values.mean(axis=0) - expected)
    allowed = sigmas * error + 1e-12 * (1 + np.abs(expected))
    assert np.all(deviation <= allowed), (
        f"off by up to {np.max(deviation / allowed) * sigmas:.1f} standard errors"
    )


def assert_counts(counts, probabilities, total=None, sigmas=SIGMAS):
    """Assert that counts, of `total` draws or all of them, agree with probabilities."""
    counts, probabilities = np.asarray(counts), np.asarray(probabilities, np.float64)
    total = counts.sum() if total is None else total
    error = np.sqrt(total * probabilities * (1 - probabilities))
    deviation = np.abs(counts - total * probabilities)
    # The 1 covers bins too thin to be Gaussian.
    excess = deviation / (sigmas * error + 1)
    worst = np.unravel_index(np.argmax(excess), excess.shape)
    assert excess[worst] <= 1, (counts[worst], total * probabilities[worst])


def grid(limit, points, dimension=2):
    """Return trapezoidal nodes (points^d, d) on [-limit, limit]^d and a cell's volume.

    For smooth integrands that vanish at the edge it converges exponentially. An even
    number of points keeps the nodes off the axes, where sectors meet.
    """
    axis, step = np.linspace(-limit, limit, points, retstep=True)
    axes = np.meshgrid(*[axis] * dimension, indexing="ij")
    return np.stack(axes, axis=-1).reshape(-1, dimension), step**dimension


def quadrature(target, limit, points):
    """Return log Z, sector masses, normalised weights and nodes on a product grid."""
    dimension = int(np.prod(target.event_shape))
    nodes, volume = grid(limit, points, dimension)
    x = nodes.reshape(-1, *target.event_shape)
    weights = np.exp(-np.asarray(jax.jit(jax.vmap(target.action))(x))) * volume
    sector = np.asarray(jax.jit(jax.vmap(target.symmetry.sector))(x))
    z = weights.sum()
    masses = np.bincount(sector, weights / z, target.symmetry.order)
    return np.log(z), masses, weights / z, nodes


def random_params(init, rng, gain=1.0):
    """Return parameters shaped like those of `init()`, all of them random.

    Kernels have variance gain^2 / fan_in, the rest gain^2 / 9. Nothing of `init` is
    compiled or run.
    """

    def draw(leaf):
        scale = gain / (np.sqrt(leaf.shape[0]) if len(leaf.shape) == 2 else 3)
        return jnp.asarray(scale * rng.normal(size=leaf.shape), leaf.dtype)

    return jax.tree.map(draw, jax.eval_shape(init))


@dataclass(frozen=True)
class PlaneRotation:
    """Rotations of the first two of several components, as a user might add them."""

    cyclic: Cyclic

    @property
    def order(self):
        return self.cyclic.order

    @property
    def factors(self):
        return self.cyclic.factors

    def act(self, g, y):
        x, log_vol = self.cyclic.act(g, y[:2])
        return jnp.concatenate([x, y[2:]]), log_vol

    def undo(self, g, x):
        return jnp.concatenate([self.cyclic.undo(g, x[:2]), x[2:]])

    def sector(self, x):
        return self.cyclic.sector(x[:2])

    def margins(self, y):
        return self.cyclic.margins(y[:2])


def run_program(text, timeout):
    """Run a program in float64 in a process of its own and return what it prints.

    For what may wait for ever, which is no way for a test to fail.
    """
    begin = "import jax; jax.config.update('jax_enable_x64', True)\n"
    return subprocess.run(
        [sys.executable, "-c", begin + text],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=True,
    ).stdout

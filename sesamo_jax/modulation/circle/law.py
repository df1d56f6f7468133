"""Modulation laws over the angles of U(1): densities in theta on [0, 2 pi)."""

from collections.abc import Callable
from math import log, pi

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Key
from sesamo_jax.modulation.continuous import ContinuousLaw
from sesamo_jax.modulation.discrete.heat_bath import log_shares


class CircleExactLaw(ContinuousLaw):
    """Uniform over the circle, p_S = 1 / (2 pi); no parameters."""

    def log_prob(self, angle: Array, y: Array) -> Array:
        """Return -log(2 pi)."""
        return jnp.full((), -log(2 * pi), y.dtype)

    def draw(self, key: Key, y: Array) -> Array:
        """Return a uniform angle."""
        return jax.random.uniform(key, (), y.dtype, maxval=2 * pi)


class CircleHeatBathLaw(ContinuousLaw):
    """The target's own conditional along the circle, exp(-f(e^{i theta} y)) on a grid.

    The density is linear between the grid's angles. What is sampled is exactly the
    density that `log_prob` reports, however coarse the grid: coarseness costs
    efficiency, not correctness.

    Attributes:
        action: f of the target.
        bins: number of grid angles, evaluations of f per sample.
    """

    action: Callable[[Array], Array]
    bins: int = 32

    @property
    def evaluations(self) -> int:
        """Number of evaluations of f that the density at an angle takes."""
        return self.bins

    def _heights(self, y: Array) -> Array:
        """Return the normalised density at the grid's angles, (bins,)."""
        angles = jnp.asarray(2 * np.pi * np.arange(self.bins) / self.bins, y.dtype)
        actions = jax.vmap(lambda g: self.action(self.symmetry.act(g, y)[0]))(angles)
        return jnp.exp(log_shares(actions)) * self.bins / (2 * pi)

    def log_prob(self, angle: Array, y: Array) -> Array:
        """Return log p_S(angle | y)."""
        heights = self._heights(y)
        position = angle * self.bins / (2 * pi)
        left = jnp.floor(position).astype(jnp.int32) % self.bins
        rest = position - jnp.floor(position)
        right = heights[(left + 1) % self.bins]
        return jnp.log((1 - rest) * heights[left] + rest * right)

    def draw(self, key: Key, y: Array) -> Array:
        """Return an angle drawn given y.

        Numerics: a cell with heights a, b is drawn by its mass (a + b) / 2; inside, the
        quantile t of a + (b - a) t is solved in the form that does not cancel at a = b.
        """
        heights = self._heights(y)
        cell_key, inside_key = jax.random.split(key)
        ahead = jnp.roll(heights, -1)
        cell = jax.random.categorical(cell_key, jnp.log(heights + ahead))
        a, b = heights[cell], ahead[cell]
        quantile = jax.random.uniform(inside_key, dtype=heights.dtype)
        mass = quantile * (a + b)
        t = mass / (a + jnp.sqrt(a**2 + (b - a) * mass))
        return (cell + t) * (2 * pi / self.bins)

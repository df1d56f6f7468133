"""Modulation laws over the angles of U(1): densities in theta on [0, 2 pi)."""

from collections.abc import Callable
from math import pi
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Key
from sesamo_jax.symmetries import U1


class CircleLaw(nn.Module):
    """A law that is a positive density on the circle, linear between grid angles.

    What is sampled is exactly the density that `log_prob` reports, however coarse the
    grid: coarseness costs efficiency, not correctness.

    Attributes:
        symmetry: the group.
    """

    symmetry: U1

    def log_heights(self, y: Array) -> Array:
        """Return the log of the unnormalised density at the grid angles, (K,)."""
        raise NotImplementedError

    def _heights(self, y: Array) -> Array:
        """Return the normalised density at the grid angles, (K,)."""
        heights = jax.nn.softmax(self.log_heights(y))
        return heights * heights.size / (2 * pi)

    def log_prob(self, angle: Array, y: Array) -> Array:
        """Return log p_S(angle | y)."""
        heights = self._heights(y)
        position = angle * heights.size / (2 * pi)
        left = jnp.floor(position).astype(jnp.int32) % heights.size
        rest = position - jnp.floor(position)
        right = heights[(left + 1) % heights.size]
        return jnp.log((1 - rest) * heights[left] + rest * right)

    def __call__(self, key: Key, y: Array) -> tuple[Array, Array]:
        """Draw an angle given y and return it with log p_S(angle | y).

        Numerics: a cell with heights a, b is drawn by its mass (a + b) / 2; inside, the
        quantile t of a + (b - a) t is solved in the form that does not cancel at a = b.
        """
        heights = jax.lax.stop_gradient(self._heights(y))
        cell_key, inside_key = jax.random.split(key)
        ahead = jnp.roll(heights, -1)
        cell = jax.random.categorical(cell_key, jnp.log(heights + ahead))
        a, b = heights[cell], ahead[cell]
        quantile = jax.random.uniform(inside_key, dtype=heights.dtype)
        mass = quantile * (a + b)
        t = mass / (a + jnp.sqrt(a**2 + (b - a) * mass))
        angle = (cell + t) * (2 * pi / heights.size)
        return angle, self.log_prob(angle, y)


class CircleExactLaw(CircleLaw):
    """Uniform over the circle, p_S = 1 / (2 pi); no parameters."""

    def log_heights(self, y: Array) -> Array:
        """Return a flat density on one cell."""
        return jnp.zeros(1, y.dtype)


class CircleLearnedLaw(CircleLaw):
    """A learned density, the same for all y: circular, piecewise linear.

    It plays the part of the paper's spline h(u) (eqs. 40, 43), u -> theta being its
    quantile function; unlike that spline its density is tied at 0 and 2 pi.

    Attributes:
        bins: number of grid angles.
        dtype: floating type of the parameters.
    """

    bins: int = 16
    dtype: Any = jnp.float32

    def setup(self) -> None:
        """Create one log height per grid angle, all equal: exact U(1)."""
        self.heights = self.param(
            "log_heights", nn.initializers.zeros, (self.bins,), self.dtype
        )

    def log_heights(self, y: Array) -> Array:
        """Return the parameters."""
        return self.heights


class CircleHeatBathLaw(CircleLaw):
    """The target's own conditional along the circle, exp(-f(e^{i theta} y)) on a grid.

    Attributes:
        action: f of the target.
        bins: number of grid angles, evaluations of f per sample.
    """

    action: Callable[[Array], Array]
    bins: int = 32

    def log_heights(self, y: Array) -> Array:
        """Return -f on the grid."""
        angles = jnp.asarray(2 * np.pi * np.arange(self.bins) / self.bins, y.dtype)
        return jax.vmap(lambda g: -self.action(self.symmetry.act(g, y)[0]))(angles)

"""The paper's law for a broken U(1): a learned spline of the circle."""

from math import log, pi
from typing import Any

import distrax
import flax.linen as nn
import jax
import jax.numpy as jnp

from sesamo_jax.core import Array, Key
from sesamo_jax.modulation.continuous import ContinuousLaw


class CircleLearnedLaw(ContinuousLaw):
    """theta = h(u) with u uniform on [0, 2 pi), the same for all y (eqs. 40, 43).

    h is a monotone rational-quadratic spline with equal slopes at 0 and 2 pi, so that
    p_S(theta) = 1 / (2 pi h'(u)) is continuous on the circle. It starts as h(u) = u,
    the uniform law.

    Attributes:
        bins: number of spline segments.
        dtype: floating type of the parameters.
    """

    bins: int = 16
    dtype: Any = jnp.float32

    def setup(self) -> None:
        """Create widths, heights and slopes, all 0: the identity."""
        size = (3 * self.bins,)
        self.shape = self.param("spline", nn.initializers.zeros, size, self.dtype)

    def _spline(self) -> distrax.RationalQuadraticSpline:
        # distrax wants a slope for the last knot too, and then takes the first one's.
        return distrax.RationalQuadraticSpline(
            jnp.append(self.shape, self.shape[2 * self.bins]),
            range_min=0.0,
            range_max=2 * pi,
            boundary_slopes="circular",
            # Both ways h changes slopes by up to the inverse of this: float32 can.
            min_bin_size=1e-3,
            min_knot_slope=1e-3,
        )

    def log_prob(self, angle: Array, y: Array) -> Array:
        """Return -log(2 pi) - log h'(h^-1(angle)), which does not depend on y."""
        return self._spline().inverse_and_log_det(angle)[1] - log(2 * pi)

    def draw(self, key: Key, y: Array) -> Array:
        """Return h(u)."""
        uniform = jax.random.uniform(key, (), self.dtype, maxval=2 * pi)
        return self._spline().forward_and_log_det(uniform)[0]

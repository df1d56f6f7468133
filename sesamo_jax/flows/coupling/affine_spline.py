"""Monotone maps of one variable: affine, then a rational-quadratic spline.

y = S(x exp(s) + t). The affine map moves values to where S, on its fixed interval,
should shape them, and moves what S cannot: its tails. S is the spline of Durkan,
Bekasov, Murray, Papamakarios 2019 (arXiv:1906.04032), whose inverse is a root of a
quadratic equation.
"""

from typing import Any, NamedTuple

import distrax
import jax.numpy as jnp

from sesamo_jax.core import Array

# Of a network's outputs on their way to the splines. A spline's parameters are many
# and move together, so that at a step size that suits s and t they would overshoot.
NETWORK_GAIN = 0.2


class AffineSpline(NamedTuple):
    """Maps of many variables, each by itself.

    Attributes:
        log_scale: s.
        shift: t.
        spline: S, of distrax.
    """

    log_scale: Array
    shift: Array
    spline: Any

    def forward_and_log_det(self, x: Array) -> tuple[Array, Array]:
        """Return y and log dy/dx of each variable."""
        y, log_slope = self.spline.forward_and_log_det(
            x * jnp.exp(self.log_scale) + self.shift
        )
        return y, self.log_scale + log_slope

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """Return x and log dx/dy of each variable."""
        moved, log_slope = self.spline.inverse_and_log_det(y)
        x = (moved - self.shift) * jnp.exp(-self.log_scale)
        return x, log_slope - self.log_scale


def raw_numbers(bins: int) -> int:
    """Return how many numbers describe one map."""
    return 3 * bins + 3


def affine_spline(
    raw: Array, bound: float, limit: float, gain: float = NETWORK_GAIN
) -> AffineSpline:
    """Return the maps that unconstrained numbers describe, the identity for zeros.

    Args:
        raw: (..., 3 bins + 3); s, t, then logarithms of bin sizes and slopes up to
            constants.
        bound: S acts on [-bound, bound], with slope 1 at both ends, and is the identity
            outside.
        limit: bound on |s| and on the spline's numbers.
        gain: factor of the latter before they are bounded.

    Numerics: bounded, neither exp nor the slopes of S leave float32's range.
    """
    spline = distrax.RationalQuadraticSpline(
        limit * jnp.tanh(gain * raw[..., 2:] / limit),
        -bound,
        bound,
        boundary_slopes="identity",
    )
    log_scale = limit * jnp.tanh(raw[..., 0] / limit)
    return AffineSpline(log_scale, raw[..., 1], spline)

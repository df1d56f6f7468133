"""Checkerboard couplings with monotone splines, for real fields on a lattice."""

from dataclasses import dataclass
from typing import Any

import distrax
import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array
from sesamo_jax.core.bounds import positive, size
from sesamo_jax.flows.coupling.checkerboard import (
    Checkerboard,
    CheckerboardConditioner,
    CheckerboardConfig,
)

# Of the network's outputs on their way to the splines. A spline's parameters are many
# and move together, so that at a step size that suits s and t they would overshoot.
SPLINE_GAIN = 0.2


@dataclass(frozen=True)
class SplineConfig(CheckerboardConfig):
    """Sizes of a flow of spline couplings; the other fields as for `checkerboard`.

    The splines' parameters, logarithms of bin sizes and slopes up to constants, have
    `log_scale_bound` as their bound too.

    Attributes:
        bins: segments of each spline.
        bound: the splines act on [-bound, bound], in the flow's units, and are the
            identity outside.
    """

    bins: int = size(8, most=1000)
    bound: float = positive(5.0)

    def build(self, event_shape: tuple[int, ...], dtype: Any) -> nn.Module:
        """Return the flow for one event shape.

        Raises:
            ValueError: for a field out of its range, or an odd extent.
        """
        super().build(event_shape, dtype)  # for its checks
        return SplineCouplings(event_shape, self, dtype)


class SplineCoupling(CheckerboardConditioner):
    """y = S(x exp(s) + t) on the sites of one parity, all functions of the others.

    The affine map moves a site's values to where S, on its fixed interval, should shape
    them, and moves what S cannot: its tails.
    """

    config: SplineConfig

    def _maps(self, x: Array) -> tuple[Any, Array, Array, np.ndarray]:
        """Return S, s and t on the active sites, (sites,), and the mask of these."""
        config = self.config
        raw, active = self.condition(x, 3 * config.bins + 3)
        raw = raw[active]  # splines are the costly part: none for frozen sites
        # Bounded, neither exp nor the slopes of a spline leave float32's range.
        limit = config.log_scale_bound
        log_scale = limit * jnp.tanh(raw[:, 0] / limit)
        spline = distrax.RationalQuadraticSpline(
            limit * jnp.tanh(SPLINE_GAIN * raw[:, 2:] / limit),
            -config.bound,
            config.bound,
            boundary_slopes="identity",
        )
        return spline, log_scale, raw[:, 1], active

    def forward_and_log_det(self, z: Array) -> tuple[Array, Array]:
        """Return y and sum (s + log S')."""
        spline, log_scale, shift, active = self._maps(z)
        moved, log_slope = spline.forward_and_log_det(
            z[active] * jnp.exp(log_scale) + shift
        )
        return z.at[active].set(moved), jnp.sum(log_scale + log_slope)

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """Return z and -sum (s + log S')."""
        spline, log_scale, shift, active = self._maps(y)
        moved, log_slope = spline.inverse_and_log_det(y[active])
        z = y.at[active].set((moved - shift) * jnp.exp(-log_scale))
        return z, jnp.sum(log_slope - log_scale)


class SplineCouplings(Checkerboard):
    """Spline couplings in turn on both parities; the identity to begin with.

    They keep no zero mode, so they are for fields on all of R^N and not for U(1)
    slices.
    """

    config: SplineConfig = SplineConfig()

    def setup(self) -> None:
        """Create the couplings."""
        self.couplings = [
            SplineCoupling(index % 2, self.config, self.dtype)
            for index in range(self.config.couplings)
        ]

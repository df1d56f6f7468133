"""Checkerboard couplings with monotone splines, for real fields on a lattice."""

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array
from sesamo_jax.core.bounds import positive, size
from sesamo_jax.flows.coupling.affine_spline import (
    AffineSpline,
    affine_spline,
    raw_numbers,
)
from sesamo_jax.flows.coupling.checkerboard import (
    Checkerboard,
    CheckerboardConditioner,
    CheckerboardConfig,
)


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
    """y = S(x exp(s) + t) on the sites of one parity, all functions of the others."""

    config: SplineConfig

    def _maps(self, x: Array) -> tuple[AffineSpline, np.ndarray]:
        """Return the maps of the active sites, (sites,), and the mask of these."""
        config = self.config
        raw, active = self.condition(x, raw_numbers(config.bins))
        # Splines are the costly part: none for frozen sites.
        maps = affine_spline(raw[active], config.bound, config.log_scale_bound)
        return maps, active

    def forward_and_log_det(self, z: Array) -> tuple[Array, Array]:
        """Return y and sum (s + log S')."""
        maps, active = self._maps(z)
        moved, slopes = maps.forward_and_log_det(z[active])
        return z.at[active].set(moved), jnp.sum(slopes)

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """Return z and -sum (s + log S')."""
        maps, active = self._maps(y)
        moved, slopes = maps.inverse_and_log_det(y[active])
        return y.at[active].set(moved), jnp.sum(slopes)


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

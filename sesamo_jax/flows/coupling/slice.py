"""Checkerboard couplings for complex fields that keep the zero mode, for U(1) slices.

On the active sites each part v (real or imaginary) becomes s v + t + c, with the
constant c that leaves sum v as it was. The frozen sites do not change, so the field
keeps its zero mode, real and imaginary, and stays on the slice of `symmetries.u1`.
On the n - 1 free directions the map has log|det| = sum log s + log mean(1 / s).
"""

from dataclasses import dataclass
from math import log
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array
from sesamo_jax.flows.coupling import chain
from sesamo_jax.flows.coupling.checkerboard import (
    CheckerboardConfig,
    PeriodicConvolution,
)
from sesamo_jax.flows.coupling.conditioner import ACTIVATIONS


@dataclass(frozen=True)
class SliceCouplingConfig(CheckerboardConfig):
    """Sizes of a flow of slice couplings; fields as for the checkerboard flow."""

    keeps_slice: ClassVar[bool] = True

    def build(self, event_shape: tuple[int, ...], dtype: Any) -> nn.Module:
        """Return the flow for one event shape (*lattice, 2).

        Raises:
            ValueError: for a field out of its range, an odd extent, or a last axis that
                is not of length 2.
        """
        if event_shape[-1] != 2 or len(event_shape) < 2:
            raise ValueError(
                f"flow 'slice_coupling' needs complex fields of shape (*lattice, 2), "
                f"got {event_shape}"
            )
        super().build(event_shape[:-1], dtype)  # for its checks
        return SliceCouplings(event_shape, self, dtype)


class SliceCoupling(nn.Module):
    """One coupling.

    Attributes:
        parity: 0 or 1, which sites change.
        config: sizes.
        dtype: floating type.
    """

    parity: int
    config: SliceCouplingConfig
    dtype: Any

    @nn.compact
    def log_scale_and_shift(self, x: Array) -> tuple[Array, Array, np.ndarray]:
        """Return s and t, (*lattice, 2), zero on frozen sites, and the active mask."""
        config = self.config
        active = (np.indices(x.shape[:-1]).sum(axis=0) % 2 == self.parity)[..., None]
        frozen = jnp.asarray(~active, self.dtype)
        mean = jnp.mean(x[..., 0])  # kept by the flow, so known in both directions
        context = jnp.broadcast_to(mean, frozen.shape)
        h = jnp.concatenate([(x - context) * frozen, frozen, context], axis=-1)
        for _ in range(config.layers):
            h = PeriodicConvolution(config.channels, config.radius, self.dtype)(h)
            h = ACTIVATIONS[config.activation](h)
        out = PeriodicConvolution(4, config.radius, self.dtype, zero=True)(h)
        bound = config.log_scale_bound
        log_scale = bound * jnp.tanh(out[..., :2] / bound)
        return (
            jnp.where(active, log_scale, 0),
            jnp.where(active, out[..., 2:], 0),
            active,
        )

    def _log_det(self, log_scale: Array, active: np.ndarray) -> Array:
        axes = tuple(range(log_scale.ndim - 1))
        inverse = jax.nn.logsumexp(-log_scale, axis=axes, where=active)
        # A Python number: one of NumPy's would make float32 fields float64.
        return jnp.sum(log_scale) + jnp.sum(inverse) - 2 * log(active.sum())

    def forward_and_log_det(self, z: Array) -> tuple[Array, Array]:
        """Return y and log|det| on the space of fixed zero mode."""
        log_scale, shift, active = self.log_scale_and_shift(z)
        y = z * jnp.exp(log_scale) + shift
        axes = tuple(range(z.ndim - 1))
        constant = jnp.sum(z - y, axis=axes) / float(active.sum())
        y = jnp.where(active, y + constant, z)
        return y, self._log_det(log_scale, active)

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """Return z and -log|det|; c solves sum (y - t - c) / s = sum y on the sites."""
        log_scale, shift, active = self.log_scale_and_shift(y)
        axes = tuple(range(y.ndim - 1))
        unscaled = (y - shift) * jnp.exp(-log_scale)
        inverse_sum = jnp.sum(jnp.exp(-log_scale), axis=axes, where=active)
        constant = jnp.sum(unscaled - y, axis=axes, where=active) / inverse_sum
        z = jnp.where(active, unscaled - constant * jnp.exp(-log_scale), y)
        return z, -self._log_det(log_scale, active)


class SliceCouplings(nn.Module):
    """Slice couplings in turn on both parities.

    Attributes:
        event_shape: (*lattice, 2), even extents.
        config: sizes.
        dtype: floating type.
    """

    event_shape: tuple[int, ...]
    config: SliceCouplingConfig = SliceCouplingConfig()
    dtype: Any = jnp.float32

    def setup(self) -> None:
        """Create the couplings."""
        self.couplings = [
            SliceCoupling(index % 2, self.config, self.dtype)
            for index in range(self.config.couplings)
        ]

    def forward_and_log_det(self, z: Array) -> tuple[Array, Array]:
        """Return y = g(z) and log|det dy/dz| at fixed zero mode, for one event."""
        return chain.forward(self.couplings, z)

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """Return z = g^-1(y) and log|det dz/dy| at fixed zero mode, for one event."""
        return chain.inverse(self.couplings, y)

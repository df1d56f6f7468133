"""Affine couplings on a lattice: checkerboard masks, periodic convolutions."""

from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array
from sesamo_jax.core.bounds import check_fields, choice, positive, size
from sesamo_jax.flows.coupling import chain, score
from sesamo_jax.flows.coupling.conditioner import ACTIVATIONS
from sesamo_jax.flows.sizes import MOST_LAYERS, MOST_NUMBERS

MOST_REACH = 32  # sites, with (2 r + 1)^d products each


@dataclass(frozen=True)
class CheckerboardConfig:
    """Sizes of a flow of checkerboard couplings.

    Attributes:
        couplings: number of couplings; even and odd sites change in turn.
        layers: hidden convolutional layers of each conditioner.
        channels: of each hidden layer.
        radius: convolutions reach this many sites in every direction.
        activation: `relu`, `gelu`, `silu` or `tanh`.
        log_scale_bound: s is bound * tanh(raw / bound).
    """

    needs_all_sites: ClassVar[bool] = True

    couplings: int = size(8, most=MOST_LAYERS)
    layers: int = size(2, most=MOST_LAYERS)
    channels: int = size(12, most=MOST_NUMBERS)
    radius: int = size(1, most=MOST_REACH)
    activation: str = choice("silu", ACTIVATIONS)
    log_scale_bound: float = positive(2.0)

    def build(self, event_shape: tuple[int, ...], dtype: Any) -> nn.Module:
        """Return the flow for one event shape.

        Raises:
            ValueError: for a field out of its range, or an odd extent, where a
                checkerboard does not close.
        """
        if any(extent % 2 for extent in event_shape):
            raise ValueError(
                f"checkerboard couplings need even extents, got {event_shape}: use "
                "another flow, or an even lattice"
            )
        check_fields(self, "flow")
        return Checkerboard(event_shape, self, dtype)


class PeriodicConvolution(nn.Module):
    """Convolution on a periodic lattice, (*shape, in) -> (*shape, out).

    Shifted copies of the field side by side make it one dense product, which is several
    times faster on CPUs than a convolution with few channels.

    Attributes:
        out: output channels.
        radius: reach in sites.
        dtype: floating type.
        zero: start from zero weights.
    """

    out: int
    radius: int
    dtype: Any
    zero: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Apply to one event."""
        axes = tuple(range(x.ndim - 1))
        reach = range(-self.radius, self.radius + 1)
        shifts = product(reach, repeat=len(axes))
        patches = jnp.concatenate([jnp.roll(x, s, axes) for s in shifts], axis=-1)
        init = nn.initializers.zeros if self.zero else nn.initializers.he_normal()
        return nn.Dense(
            self.out, dtype=self.dtype, param_dtype=self.dtype, kernel_init=init
        )(patches)


class CheckerboardConditioner(nn.Module):
    """Functions of the sites of one parity, for those of the other.

    Attributes:
        parity: 0 or 1, which sites change.
        config: sizes.
        dtype: floating type.
    """

    parity: int
    config: CheckerboardConfig
    dtype: Any

    @nn.compact
    def condition(self, x: Array, outputs: int) -> tuple[Array, np.ndarray]:
        """Return functions of the frozen sites, and which sites are active.

        Args:
            x: one event, (*shape).
            outputs: functions per site; all are 0 at the initial parameters.

        Returns:
            The functions, (*shape, outputs), and the mask of active sites, (*shape).
        """
        config = self.config
        active = np.indices(x.shape).sum(axis=0) % 2 == self.parity
        frozen = jnp.asarray(~active, self.dtype)
        h = jnp.stack([x * frozen, frozen], axis=-1)
        for _ in range(config.layers):
            h = PeriodicConvolution(config.channels, config.radius, self.dtype)(h)
            h = ACTIVATIONS[config.activation](h)
        last = PeriodicConvolution(outputs, config.radius, self.dtype, zero=True)
        return last(h), active


class CheckerboardCoupling(CheckerboardConditioner):
    """y = x exp(s) + t on the sites of one parity, s and t functions of the others."""

    def log_scale_and_shift(self, x: Array) -> tuple[Array, Array]:
        """Return s and t, zero on the frozen sites, for one event."""
        out, active = self.condition(x, 2)
        bound = self.config.log_scale_bound
        log_scale = bound * jnp.tanh(out[..., 0] / bound)
        return jnp.where(active, log_scale, 0), jnp.where(active, out[..., 1], 0)

    def forward_and_log_det(self, z: Array) -> tuple[Array, Array]:
        """Return y and sum s."""
        log_scale, shift = self.log_scale_and_shift(z)
        return z * jnp.exp(log_scale) + shift, jnp.sum(log_scale)

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """Return z and -sum s; s and t read only sites that did not change."""
        log_scale, shift = self.log_scale_and_shift(y)
        return (y - shift) * jnp.exp(-log_scale), -jnp.sum(log_scale)

    def forward_with_score(
        self, z: Array, score_z: Array
    ) -> tuple[Array, Array, Array]:
        """Return y, sum s and the score of y's density from that of z's."""
        y, log_det, scaled, added = score.affine(
            self,
            lambda coupling, x: coupling.log_scale_and_shift(x),
            active=z,
            passive=z,
            score=score_z,
        )
        return y, log_det, scaled + added


class Checkerboard(nn.Module):
    """Checkerboard couplings in turn on both parities.

    Attributes:
        event_shape: even extents.
        config: sizes.
        dtype: floating type.
    """

    event_shape: tuple[int, ...]
    config: CheckerboardConfig = CheckerboardConfig()
    dtype: Any = jnp.float32

    def setup(self) -> None:
        """Create the couplings."""
        self.couplings: list[Any] = [
            CheckerboardCoupling(index % 2, self.config, self.dtype)
            for index in range(self.config.couplings)
        ]

    def forward_and_log_det(self, z: Array) -> tuple[Array, Array]:
        """Return y = g(z) and log|det dy/dz| for one event."""
        return chain.forward(self.couplings, z)

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """Return z = g^-1(y) and log|det dz/dy| for one event."""
        return chain.inverse(self.couplings, y)

    def forward_with_score(
        self, z: Array, score_z: Array
    ) -> tuple[Array, Array, Array]:
        """Return y, log|det dy/dz| and the score of y's density from that of z's."""
        return score.forward(self.couplings, z, score_z)

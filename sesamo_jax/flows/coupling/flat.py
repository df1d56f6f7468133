"""Flows of the flattened event: couplings in turn on two halves of its components."""

from collections.abc import Callable
from math import prod
from typing import Any, ClassVar

import flax.linen as nn
import jax.numpy as jnp

from sesamo_jax.core import Array
from sesamo_jax.flows.coupling import chain, score


def split(x: Array, even: bool) -> tuple[Array, Array]:
    """Return the components that change and those that stay, of one event (size,).

    Args:
        x: the event.
        even: those of even index change, else those of odd index.
    """
    return (x[::2], x[1::2]) if even else (x[1::2], x[::2])


def merge(active: Array, passive: Array, even: bool) -> Array:
    """Return the event whose halves, as `split` makes them, are given."""
    first, second = (active, passive) if even else (passive, active)
    # No scatter, which CPUs carry out number by number.
    second = jnp.pad(second, (0, first.size - second.size))
    pairs = jnp.stack([first, second], axis=1)
    return pairs.ravel()[: active.size + passive.size]


class FlatCouplings(nn.Module):
    """Couplings in turn on the even and the odd flat components.

    Attributes:
        event_shape: shape of one configuration.
        config: sizes, of `couplings` many.
        dtype: floating type.
    """

    # `(even, config, dtype)` to one coupling of flat events (size,).
    coupling: ClassVar[Callable[..., nn.Module]]

    event_shape: tuple[int, ...]
    config: Any
    dtype: Any = jnp.float32

    def setup(self) -> None:
        """Create the couplings, the first one changing the even half."""
        # A single component is all of the even half.
        count = self.config.couplings if prod(self.event_shape) > 1 else 1
        self.couplings: list[Any] = [
            type(self).coupling(index % 2 == 0, self.config, self.dtype)
            for index in range(count)
        ]

    def forward_and_log_det(self, z: Array) -> tuple[Array, Array]:
        """Return y = g(z) and log|det dy/dz| for one event."""
        y, log_det = chain.forward(self.couplings, z.ravel())
        return y.reshape(self.event_shape), log_det

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """Return z = g^-1(y) and log|det dz/dy| for one event."""
        z, log_det = chain.inverse(self.couplings, y.ravel())
        return z.reshape(self.event_shape), log_det

    def forward_with_score(
        self, z: Array, score_z: Array
    ) -> tuple[Array, Array, Array]:
        """Return y, log|det dy/dz| and the score of y's density from that of z's."""
        y, log_det, score_y = score.forward(self.couplings, z.ravel(), score_z.ravel())
        shape = self.event_shape
        return y.reshape(shape), log_det, score_y.reshape(shape)

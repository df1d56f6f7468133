"""The factorised Gaussian base of the paper."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax.scipy.stats import norm

from sesamo_jax.core import Array, Target


class Gaussian(nn.Module):
    """Independent Gaussians of one mean and one variance (Table 3); no parameters.

    Attributes:
        event_shape: shape of one configuration, which is also the noise's.
        mean: of every component.
        variance: of every component.
        dtype: floating type.
    """

    event_shape: tuple[int, ...]
    mean: float = 0.0
    variance: float = 1.0
    dtype: Any = jnp.float32

    @property
    def scale(self) -> float:
        """Standard deviation of a component."""
        return self.variance**0.5

    def from_noise(self, noise: Array) -> tuple[Array, Array]:
        """Return z and log q_0(z) for one event of standard normal noise."""
        z = self.mean + self.variance**0.5 * noise
        return z, self.log_prob(z)

    def log_prob(self, z: Array) -> Array:
        """Return log q_0(z), normalised."""
        return jnp.sum(norm.logpdf(z, self.mean, self.variance**0.5))


def build_gaussian(
    target: Target, mean: float | None, variance: float | None
) -> Gaussian:
    """Return the base of the target's shape; mean and variance have been chosen."""
    assert mean is not None
    assert variance is not None
    return Gaussian(target.event_shape, mean, variance, target.dtype)

"""Modulation laws over the directions of O(N): densities on the unit sphere."""

from math import log

import flax.linen as nn
import jax
import jax.numpy as jnp

from sesamo_jax.core import Array, Key
from sesamo_jax.geometry.sphere import surface
from sesamo_jax.symmetries import ON


class SphereLaw(nn.Module):
    """A law over directions; subclasses give its density and a sampler of that density.

    Directions are drawn without gradients, as the angles of `circle.law.CircleLaw`.

    Attributes:
        symmetry: the group.
    """

    symmetry: ON

    @property
    def log_surface(self) -> float:
        """Return log |S^{N-1}|."""
        return log(surface(self.symmetry.components))

    def log_prob(self, direction: Array, y: Array) -> Array:
        """Return log p_S(omega | y), a density on the unit sphere."""
        raise NotImplementedError

    def draw(self, key: Key, y: Array) -> Array:
        """Return a direction (N,) drawn given y, without gradients."""
        raise NotImplementedError

    def __call__(self, key: Key, y: Array) -> tuple[Array, Array]:
        """Draw a direction given y and return it with log p_S(omega | y)."""
        direction = jax.lax.stop_gradient(self.draw(key, y))
        return direction, self.log_prob(direction, y)


class SphereExactLaw(SphereLaw):
    """Uniform over the sphere; no parameters."""

    def log_prob(self, direction: Array, y: Array) -> Array:
        """Return -log |S^{N-1}|."""
        return jnp.full((), -self.log_surface, y.dtype)

    def draw(self, key: Key, y: Array) -> Array:
        """Return a uniform direction."""
        normal = jax.random.normal(key, (self.symmetry.components,), y.dtype)
        return normal / jnp.sqrt(jnp.sum(normal**2))

"""Modulation laws over the directions of O(N): densities on the unit sphere."""

from math import log

import jax
import jax.numpy as jnp

from sesamo_jax.core import Array, Key
from sesamo_jax.geometry.sphere import polar, surface
from sesamo_jax.modulation.continuous import ContinuousLaw
from sesamo_jax.symmetries import ON


class SphereLaw(ContinuousLaw):
    """A law over directions omega, unit vectors (N,): a density on the unit sphere.

    Attributes:
        symmetry: the group.
    """

    symmetry: ON

    @property
    def log_surface(self) -> float:
        """Return log |S^{N-1}|."""
        return log(surface(self.symmetry.components))


class SphereExactLaw(SphereLaw):
    """Uniform over the sphere; no parameters."""

    def log_prob(self, direction: Array, y: Array) -> Array:
        """Return -log |S^{N-1}|."""
        return jnp.full((), -self.log_surface, y.dtype)

    def draw(self, key: Key, y: Array) -> Array:
        """Return a uniform direction."""
        size = (self.symmetry.components,)
        return polar(jax.random.normal(key, size, y.dtype))[1]

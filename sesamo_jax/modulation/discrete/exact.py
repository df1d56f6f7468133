"""The uniform law, for actions that the group leaves invariant."""

import jax.numpy as jnp

from sesamo_jax.core import Array
from sesamo_jax.modulation.discrete.law import FiniteLaw


class ExactLaw(FiniteLaw):
    """p_S(u) = 1 / |G| (eq. 16 with b = ln 0.5, eq. 33); no parameters."""

    def log_probs(self, y: Array) -> Array:
        """Return -log |G| for every u."""
        order = self.symmetry.order
        return jnp.full((order,), -jnp.log(order), y.dtype)

    def log_probs_into(self, x: Array) -> Array:
        """Return the same: the law does not depend on y."""
        return self.log_probs(x)

"""What the modulation laws of a finite group share.

A law is the conditional p_S(u | y) with which x = T_u y is chosen (eqs. 12-16).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from sesamo_jax.core import Array, FiniteSymmetry, Key


class FiniteLaw(nn.Module):
    """A law over the elements of a finite group; subclasses give the probabilities.

    Attributes:
        symmetry: the group.
    """

    symmetry: FiniteSymmetry

    def log_probs(self, y: Array) -> Array:
        """Return log p_S(u | y) for every u, shape (|G|,)."""
        raise NotImplementedError

    def log_probs_into(self, x: Array) -> Array:
        """Return log p_S(u | T_u^-1 x) for every u: the ways to arrive at x, (|G|,)."""
        raise NotImplementedError

    def __call__(self, key: Key, y: Array) -> tuple[Array, Array]:
        """Draw u given one event y and return u and log p_S(u | y)."""
        log_probs = self.log_probs(y)
        u = jax.random.categorical(key, jax.lax.stop_gradient(log_probs))
        return u.astype(jnp.int32), log_probs[u]

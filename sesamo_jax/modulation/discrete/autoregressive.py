"""A law that factorises over sign flips, for groups too large to enumerate."""

from math import log
from typing import Any

import jax
import jax.numpy as jnp

from sesamo_jax.core import Array, FiniteSymmetry, Key, Target
from sesamo_jax.modulation.discrete.law import FiniteLaw
from sesamo_jax.modulation.discrete.signs import SignLaw

MOST_FLIPS = 31  # elements are int32


class AutoregressiveLaw(FiniteLaw):
    """p_S(u), the same for all y: one flip after the other, each given those before.

    Over the broken factors of (Z2)^N it is a `SignLaw` relative to the unflipped sign,
    so N (N - 1) / 2 numbers stand for 2^(N-1) probabilities; exact factors are
    uniform. It starts as the uniform law. Elements are drawn without a list of them.

    Attributes:
        symmetry: a product of sign flips.
        dtype: floating type.
    """

    dtype: Any = jnp.float32

    def setup(self) -> None:
        """Create the law of the broken flips."""
        self.broken = [i for i, f in enumerate(self.symmetry.factors) if f.broken]
        signs = len(self.broken) + 1
        self.signs = SignLaw(((0,) * signs,) * signs, (0.0,), self.dtype)

    def log_prob(self, u: Array, y: Array) -> Array:
        """Return log p_S(u)."""
        orders = (2,) * len(self.symmetry.factors)
        digits = jnp.stack(jnp.unravel_index(u, orders))[jnp.array(self.broken, int)]
        flips = 1 - 2 * digits.astype(self.dtype)
        relative = jnp.concatenate([jnp.ones(1, self.dtype), flips])
        exact = len(orders) - len(self.broken)
        # Twice, since p(-s) = p(s) and both are the same flips.
        return self.signs.log_prob(relative) + (1 - exact) * log(2)

    def log_probs(self, y: Array) -> Array:
        """Return log p_S(u) of every u, for small groups."""
        every = jnp.arange(self.symmetry.order)
        return jax.vmap(lambda u: self.log_prob(u, y))(every)

    def log_probs_into(self, x: Array) -> Array:
        """Return the same: the law does not depend on y."""
        return self.log_probs(x)

    def __call__(self, key: Key, y: Array) -> tuple[Array, Array]:
        """Draw u and return it with log p_S(u)."""
        sign_key, exact_key = jax.random.split(key)
        signs = self.signs.draw(sign_key)
        count = len(self.symmetry.factors)
        digits = jax.random.bernoulli(exact_key, 0.5, (count,)).astype(jnp.int32)
        flips = (signs[1:] * signs[0] < 0).astype(jnp.int32)
        digits = digits.at[jnp.array(self.broken, int)].set(flips)
        u = jnp.sum(digits * 2 ** jnp.arange(count)[::-1]).astype(jnp.int32)
        return u, self.log_prob(u, y)


def build_autoregressive(target: Target, symmetry: FiniteSymmetry) -> AutoregressiveLaw:
    """Return the law for a product of sign flips.

    Raises:
        ValueError: for another group, or more flips than an element's index holds.
    """
    flips = len(symmetry.factors)
    if any(factor.order != 2 for factor in symmetry.factors) or flips > MOST_FLIPS:
        raise ValueError(
            f"modulation 'autoregressive' is a law over at most {MOST_FLIPS} sign "
            f"flips, not over the group of {target.name!r}: use 'heat_bath'"
        )
    return AutoregressiveLaw(symmetry, target.dtype)

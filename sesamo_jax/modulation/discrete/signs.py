"""A law over the signs of many sites, for groups too large to enumerate."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Key

RESIDUAL_SCALE = 0.2  # what a step of the optimiser moves single pairs by


class SignLaw(nn.Module):
    """p(s) = prod_i p(s_i | s_1 ... s_{i-1}) over s in {-1, 1}^N, with p(-s) = p(s).

    p(s_i | ...) = 1 / (1 + exp(-2 s_i sum_{j<i} J_ij s_j)): to first order in J the
    Ising law exp(sum_{j<i} J_ij s_i s_j), and normalised at any N. J_ij is one number
    per class of pairs, which few samples determine, plus one of its own.

    Attributes:
        classes: class of every pair of sites, (N, N) nested tuples.
        start: J of every class at the start.
        dtype: floating type.
    """

    classes: tuple[tuple[int, ...], ...]
    start: tuple[float, ...]
    dtype: Any = jnp.float64

    def setup(self) -> None:
        """Create J by class, and the rest, which starts at 0."""
        sites = len(self.classes)
        start = jnp.asarray(self.start, self.dtype)
        by_class = self.param("by_class", lambda _: start)
        rest = self.param("rest", nn.initializers.zeros, (sites, sites), self.dtype)
        before = np.tril(np.ones((sites, sites)), -1)
        coupling = by_class[np.array(self.classes)] + RESIDUAL_SCALE * rest
        self.coupling = coupling * before.astype(self.dtype)

    def log_prob(self, signs: Array) -> Array:
        """Return log p(s), s of shape (N,)."""
        return jnp.sum(jax.nn.log_sigmoid(2 * signs * (self.coupling @ signs)))

    def draw(self, key: Key) -> Array:
        """Return s, (N,), without gradients."""
        coupling = jax.lax.stop_gradient(self.coupling)
        sites = len(coupling)
        uniform = jax.random.uniform(key, (sites,), self.dtype)

        def choose(signs: Array, site: Array) -> tuple[Array, None]:
            up = uniform[site] < jax.nn.sigmoid(2 * coupling[site] @ signs)
            return signs.at[site].set(jnp.where(up, 1, -1)), None

        start = jnp.zeros(sites, self.dtype)
        return jax.lax.scan(choose, start, jnp.arange(sites))[0]

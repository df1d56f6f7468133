"""A heat bath level by level along a chain of subgroups, for groups beyond any list."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from sesamo_jax.core import Array, FiniteSymmetry, Key, Target
from sesamo_jax.modulation.discrete.heat_bath import log_shares
from sesamo_jax.modulation.discrete.law import FiniteLaw
from sesamo_jax.symmetries import Chain

Action = Callable[[Array], Array]


class CosetLaw(FiniteLaw):
    """p_S(u | y) = prod_i p(t_i | t_(i+1) ... y) for u = t_1 t_2 ..., the last t first.

    Each t_i is drawn with probabilities proportional to exp(-f(t_i t_(i+1) ... y)) over
    its level. That is uniform where the action is invariant; where it is broken the
    levels do not know what comes after, and the weight depends on u. As many
    evaluations of f as all levels have cosets.

    Attributes:
        symmetry: a chain of subgroups.
        action: f of the target.
    """

    symmetry: Chain
    action: Action

    @property
    def evaluations(self) -> int:
        """Number of evaluations of f that a draw, or its probability, takes."""
        return sum(self.symmetry.indices)

    def _log_level(self, level: int, y: Array) -> tuple[Array, Array]:
        """Return t y of all t of a level, and their log probabilities."""
        digits = jnp.arange(self.symmetry.indices[level])
        images = jax.vmap(lambda t: self.symmetry.lift(level, t, y))(digits)
        return images, log_shares(jax.vmap(self.action)(images))

    def log_prob(self, u: Array, y: Array) -> Array:
        """Return log p_S(u | y)."""
        digits, total = self.symmetry.digits(u), jnp.zeros((), y.dtype)
        for level in reversed(range(len(digits))):
            images, log_p = self._log_level(level, y)
            y, total = images[digits[level]], total + log_p[digits[level]]
        return total

    def __call__(self, key: Key, y: Array) -> tuple[Array, Array]:
        """Draw u given one event y and return u and log p_S(u | y)."""
        u, total = jnp.zeros((), jnp.int32), jnp.zeros((), y.dtype)
        below = 1
        for level in reversed(range(len(self.symmetry.levels))):
            key, level_key = jax.random.split(key)
            images, log_p = self._log_level(level, y)
            t = jax.random.categorical(level_key, jax.lax.stop_gradient(log_p))
            y, total = images[t], total + log_p[t]
            u = u + below * t.astype(jnp.int32)
            below *= self.symmetry.indices[level]
        return u, total

    def log_probs(self, y: Array) -> Array:
        """Return log p_S(u | y) of every u, for groups that can be listed."""
        every = jnp.arange(self.symmetry.order)
        return jax.vmap(lambda u: self.log_prob(u, y))(every)

    def log_probs_into(self, x: Array) -> Array:
        """Return log p_S(u | T_u^-1 x) of every u, likewise."""
        every = jnp.arange(self.symmetry.order)
        return jax.vmap(lambda u: self.log_prob(u, self.symmetry.undo(u, x)))(every)


def build_cosets(target: Target, symmetry: FiniteSymmetry) -> CosetLaw:
    """Return the law for a chain of subgroups.

    Raises:
        ValueError: for another group.
    """
    if not isinstance(symmetry, Chain):
        raise ValueError(
            "modulation 'cosets' goes down a chain of subgroups, which the symmetry of "
            f"{target.name!r} is not: use 'heat_bath', or make it by subgroup_chain"
        )
    return CosetLaw(symmetry, target.action)

"""The heat bath over wells that are no images of each other."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from sesamo_jax.core import Array
from sesamo_jax.modulation.discrete.heat_bath import image_actions, log_shares
from sesamo_jax.modulation.discrete.law import FiniteLaw
from sesamo_jax.symmetries import Wells

Action = Callable[[Array], Array]


class WellsLaw(FiniteLaw):
    """p_S(u | y) = exp(-f(T_u y)) |det T_u| / sum_v exp(-f(T_v y)) |det T_v|.

    The T_u^-1 x of one x lie on no common orbit, so the ways to arrive at it take
    wells^2 evaluations of f.

    Attributes:
        symmetry: the wells.
        action: f of the target.
    """

    symmetry: Wells
    action: Action

    def log_probs(self, y: Array) -> Array:
        """Return log p_S(u | y) of every well."""
        return log_shares(image_actions(self.action, self.symmetry, y))

    def log_probs_into(self, x: Array) -> Array:
        """Return log p_S(u | T_u^-1 x) of every well."""
        every = jnp.arange(self.symmetry.order)
        return jax.vmap(lambda u: self.log_probs(self.symmetry.undo(u, x))[u])(every)

"""The target's own conditional along an orbit, which needs no parameters."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from sesamo_jax.core import Array
from sesamo_jax.modulation.finite import FiniteLaw


class HeatBathLaw(FiniteLaw):
    """p_S(u | y) = exp(-f(T_u y)) / sum_v exp(-f(T_v y)).

    With it the weight exp(-f(x)) / (q~(y) p_S(u|y)) = exp(-F(y)) / q~(y) no longer
    depends on u: the flow trains on the folded action F(y) = -log sum_u exp(-f(T_u y)),
    and modes of unequal mass or shape cost nothing. |G| evaluations of f per sample.

    Attributes:
        action: f of the target.
    """

    action: Callable[[Array], Array]

    def _image_actions(self, y: Array) -> Array:
        elements = jnp.arange(self.symmetry.order)
        return jax.vmap(lambda u: self.action(self.symmetry.act(u, y)[0]))(elements)

    def log_probs(self, y: Array) -> Array:
        """Return the log softmax of -f over the orbit of y."""
        return jax.nn.log_softmax(-self._image_actions(y))

    def log_probs_into(self, x: Array) -> Array:
        """Return log p_S(u | T_u^-1 x), the same for every u.

        All T_u^-1 x share the orbit of x, so the probability of arriving at x is
        exp(-f(x)) over one and the same sum: |G| evaluations of f, not |G|^2.
        """
        actions = self._image_actions(x)
        arrival = -actions[0] - jax.nn.logsumexp(-actions)
        return jnp.full((self.symmetry.order,), arrival)

"""The target's own conditional along an orbit, which needs no parameters."""

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp

from sesamo_jax.core import Array, FiniteSymmetry, Target, as_finite
from sesamo_jax.modulation.discrete.law import FiniteLaw

Action = Callable[[Array], Array]


def image_actions(action: Action, symmetry: FiniteSymmetry, y: Array) -> Array:
    """Return f(T_u y) - log |det T_u| of one event for every u, (|G|,)."""

    def image_action(u: Array) -> Array:
        x, log_vol = symmetry.act(u, y)
        return action(x) - log_vol

    return jax.vmap(image_action)(jnp.arange(symmetry.order))


def log_shares(actions: Array) -> Array:
    """Return the log softmax of -f over an orbit, (|G|,).

    Numerics: equal shares where f is infinite on all of it, as behind a hard wall; p
    has no mass there, whatever they are.
    """
    walled = jnp.all(jnp.isposinf(actions))
    return jax.nn.log_softmax(jnp.where(walled, 0.0, -actions))


def fold(target: Target) -> Target:
    """Return the target with its folded action, F(y) = -log sum_u exp(-f(T_u y)).

    In cell accounting a flow q~ under heat bath has the weights exp(-F(y)) / q~(y),
    those of q~ itself for this action.

    Raises:
        TypeError: for a continuous symmetry.
    """
    assert target.symmetry is not None
    symmetry = as_finite(target.symmetry)

    def action(y: Array) -> Array:
        return -jax.nn.logsumexp(-image_actions(target.action, symmetry, y))

    return replace(target, action=action)


class HeatBathLaw(FiniteLaw):
    """p_S(u | y) = exp(-f(T_u y)) / sum_v exp(-f(T_v y)).

    With it the weight exp(-f(x)) / (q~(y) p_S(u|y)) = exp(-F(y)) / q~(y) no longer
    depends on u: the flow trains on the folded action F(y), see `fold`, and modes of
    unequal mass or shape cost nothing. |G| evaluations of f per sample.

    Attributes:
        action: f of the target.
    """

    action: Action

    def log_probs(self, y: Array) -> Array:
        """Return the log softmax of -f over the orbit of y."""
        return log_shares(image_actions(self.action, self.symmetry, y))

    def log_probs_into(self, x: Array) -> Array:
        """Return log p_S(u | T_u^-1 x), the same for every u.

        All T_u^-1 x share the orbit of x, so the probability of arriving at x is
        exp(-f(x)) over one and the same sum: |G| evaluations of f, not |G|^2.
        """
        actions = image_actions(self.action, self.symmetry, x)
        return jnp.full((self.symmetry.order,), log_shares(actions)[0])

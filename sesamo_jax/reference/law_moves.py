"""Moves of Markov chains between wells, and along groups that cannot be listed.

Between wells that are no images of each other: the maps T_u are no group, so the points
T_v T_u^-1 x are not those that lead back, and a draw among them would be no Gibbs
update. With the well as a variable of its own it is one: p(u, x) = p(x) r(u | x) has
the marginal p(x) for any shares r. Given x, u is drawn from r(u | x); then, given
y = T_u^-1 x, v from

    p(v | y) proportional to exp(-f(T_v y)) |det T_v| r(v | T_v y),

and x goes to T_v y. Never rejected; r are shares in harmonic approximation, which
nearly always name the well that x is in.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Key, Symmetry
from sesamo_jax.modulation.discrete.cosets import CosetLaw
from sesamo_jax.modulation.discrete.heat_bath import log_shares
from sesamo_jax.reference.move import Action, Move, Observe, Step, accept
from sesamo_jax.symmetries import Chain, Wells


def between_wells(wells: Wells) -> Move:
    """Return the draw of another well."""
    # of NumPy: chains may run in another of JAX's precisions than what builds them
    every = np.arange(wells.order, dtype=np.int32)

    def step(
        key: Key, x: Array, action: Action, observe: Observe
    ) -> tuple[Array, Array, Any]:
        own_key, other_key = jax.random.split(key)
        u = jax.random.categorical(own_key, wells.log_memberships(x))
        y = wells.undo(u, x)

        def arrive(v: Array) -> tuple[Array, Array]:
            there, log_vol = wells.act(v, y)
            share = wells.log_memberships(there)[v]
            return there, action(there) - log_vol - share

        images, actions = jax.vmap(arrive)(jnp.asarray(every))
        x = images[jax.random.categorical(other_key, log_shares(actions))]
        return x, jnp.ones((), x.dtype), observe(x)

    return Move("orbit", step, wells.order)


def along_chain(symmetry: Chain) -> Move:
    """Return a Metropolis step of the element, proposed level by level."""

    def law_of(action: Action) -> CosetLaw:
        return CosetLaw(symmetry, action)

    # The law once to draw and once for the probability of coming back, and both ends.
    calls = 2 * sum(symmetry.indices) + 2
    return Move("orbit", proposed_by(law_of, symmetry), calls)


def proposed_by(law_of: Callable[[Action], Any], symmetry: Symmetry) -> Step:
    """Return a step to T_v y, v proposed by a law without parameters.

    With x = T_u y it is accepted with min(1, e^(f(x) - f(T_v y)) p(u | y) / p(v | y)),
    as Metropolis and Hastings do: always, where the law is that of the target.

    Args:
        law_of: from an action to the law p(v | y).
        symmetry: of isometries.
    """

    def step(
        key: Key, x: Array, action: Action, observe: Observe
    ) -> tuple[Array, Array, Any]:
        law = law_of(action)

        def apply(*args: Array, method: str = "__call__") -> Any:
            return law.apply({}, *args, method=method)

        draw_key, accept_key = jax.random.split(key)
        u = symmetry.sector(x)
        y = symmetry.undo(u, x)
        v, log_p = apply(draw_key, y)
        there = symmetry.act(v, y)[0]
        log_ratio = action(x) - action(there)
        log_ratio += apply(u, y, method="log_prob") - log_p
        x, rate = accept(accept_key, x, there, log_ratio)
        return x, rate, observe(x)

    return step

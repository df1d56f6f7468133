"""Moves of Markov chains that leave p as it is and need no gradient.

Along the orbit of a symmetry: given x, an element u is drawn from p(u | x),
proportional to exp(-f(T_u x)), and x goes to T_u x. That is a Gibbs update, the heat
bath of modulation without a flow: it is never rejected, and it joins modes that
trajectories never connect, whether the symmetry is exact or broken. All T_u are
isometries. Wells that no symmetry connects have a move of their own, see `law_moves`.

Large products of groups move factor after factor, since the conditional of one factor
is a Gibbs update too: the sum of their orders in evaluations of f, not the product. On
the circle and on spheres the angle, or direction, is proposed from the heat bath's
density there and accepted as Metropolis and Hastings do; always, where that density is
the target's own.

Two moves for the Hubbard model, whose walls trajectories do not cross: the radial one,
x -> e^gamma x, and flips of the sign of a field at one time, or of two neighbours', by
which the world lines of moments change and exchange.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import log, prod
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, FiniteSymmetry, Key, Symmetry, Target, as_finite
from sesamo_jax.geometry.moments import LocalMoments
from sesamo_jax.modulation import MAX_ENUMERATED_ORDER, build_law
from sesamo_jax.modulation.continuous import ContinuousLaw
from sesamo_jax.modulation.discrete.heat_bath import image_actions, log_shares
from sesamo_jax.reference.law_moves import along_chain, between_wells, proposed_by
from sesamo_jax.reference.move import Action, Move, Observe, accept
from sesamo_jax.symmetries import Chain, Product, Wells

MOST_JOINT = 16  # elements of a product that is drawn from at once
MOST_FLIPS = 64  # of signs at single times, in one move
SMALLEST_RADIAL, LARGEST_RADIAL = 1e-3, 1.0  # standard deviations of gamma


def build_moves(target: Target, modulation: bool | None) -> tuple[Move, ...]:
    """Return the moves that suit a target, the one along orbits last.

    Args:
        target: what to sample.
        modulation: whether to move; None takes what there is.

    Raises:
        ValueError: where the target has no symmetry, or one to which no move is known;
            one sentence.
    """
    if modulation is False or (modulation is None and target.symmetry is None):
        return ()
    orbit = orbit_move(target)
    moments = target.geometry
    if not isinstance(moments, LocalMoments):
        return (orbit,)
    if target.event_shape[0] == 1:  # flips are those of the orbit
        return radial_move(target), orbit
    return radial_move(target), flip_move(target, moments), orbit


def orbit_move(target: Target) -> Move:
    """Return the heat bath along the orbits of a target's symmetry.

    Raises:
        ValueError: for a target without a symmetry, a group of more than
            `MAX_ENUMERATED_ORDER` elements that is no product, or a continuous one
            other than U(1) and O(N); one sentence.
    """
    symmetry = target.symmetry
    if symmetry is None:
        raise ValueError(
            f"modulation=True: target {target.name!r} declares no symmetry to move "
            "along: leave it out"
        )
    if symmetry.order is None:
        return _on_circle_or_sphere(target, symmetry)
    if isinstance(symmetry, Wells):
        return between_wells(symmetry)
    if isinstance(symmetry, Chain) and symmetry.order > MAX_ENUMERATED_ORDER:
        return along_chain(symmetry)
    parts = symmetry.parts if isinstance(symmetry, Product) else ()
    largest = max((part.order for part in parts), default=symmetry.order)
    if largest > MAX_ENUMERATED_ORDER:
        raise ValueError(
            f"modulation=True: {target.name!r} has a group of {symmetry.order} "
            f"elements, at most {MAX_ENUMERATED_ORDER} can be listed, and it is no "
            "product of smaller ones: set modulation to false"
        )
    if parts and symmetry.order > MOST_JOINT:
        return _by_parts(parts)
    return _listed(as_finite(symmetry))


def _listed(symmetry: FiniteSymmetry) -> Move:
    """Return the draw of one element of the whole group."""
    elements = np.arange(symmetry.order)

    def step(
        key: Key, x: Array, action: Action, observe: Observe
    ) -> tuple[Array, Array, Any]:
        shares = log_shares(image_actions(action, symmetry, x))
        u = jax.random.categorical(key, shares)
        every = jax.vmap(lambda u: observe(symmetry.act(u, x)[0]))(
            jnp.asarray(elements)
        )
        mean = jax.tree.map(
            lambda values: jnp.tensordot(jnp.exp(shares), values, 1), every
        )
        return symmetry.act(u, x)[0], jnp.ones((), x.dtype), mean

    return Move("orbit", step, symmetry.order)


def _by_parts(parts: Sequence[FiniteSymmetry]) -> Move:
    """Return a sweep over the factors, each drawn given all others.

    Parts of lower order are filled up with the identity, which is not counted.
    """
    most = max(part.order for part in parts)
    known = np.arange(most) < np.array([part.order for part in parts])[:, None]

    def images_of(part: FiniteSymmetry) -> Callable[[Array], Array]:
        elements = np.where(np.arange(most) < part.order, np.arange(most), 0)
        return lambda x: jax.vmap(lambda u: part.act(u, x)[0])(jnp.asarray(elements))

    branches = [images_of(part) for part in parts]

    def step(
        key: Key, x: Array, action: Action, observe: Observe
    ) -> tuple[Array, Array, Any]:
        def along(x: Array, at: tuple[Array, Array, Key]) -> tuple[Array, None]:
            index, counted, key = at
            images = jax.lax.switch(index, branches, x)
            actions = jax.vmap(action)(images)
            shares = log_shares(jnp.where(counted, actions, jnp.inf))
            return images[jax.random.categorical(key, shares)], None

        keys = jax.random.split(key, len(parts))
        scanned = jnp.arange(len(parts)), jnp.asarray(known), keys
        x = jax.lax.scan(along, x, scanned)[0]
        return x, jnp.ones((), x.dtype), observe(x)

    return Move("orbit", step, most * len(parts))


def _on_circle_or_sphere(target: Target, symmetry: Symmetry) -> Move:
    """Return a Metropolis step of the element, proposed from the heat bath."""

    def law_of(action: Action) -> ContinuousLaw:
        aimed = replace(target, action=action, observables={}, measure=None)
        return cast(ContinuousLaw, build_law("heat_bath", aimed))

    # The law once to draw and twice for its density, and the action at both ends.
    calls = 3 * law_of(target.action).evaluations + 2
    return Move("orbit", proposed_by(law_of, symmetry), calls)


def radial_move(target: Target) -> Move:
    """Return x -> e^gamma x, gamma normal, accepted by Metropolis' rule.

    The ratio has the volume e^(gamma dim) of the map. The standard deviation of gamma
    is drawn anew each time, evenly in its logarithm, so that some moves are of the size
    that the target allows, whatever that is.
    """
    size = prod(target.event_shape)
    span = log(SMALLEST_RADIAL), log(LARGEST_RADIAL)

    def step(
        key: Key, x: Array, action: Action, observe: Observe
    ) -> tuple[Array, Array, Any]:
        width_key, normal_key, accept_key = jax.random.split(key, 3)
        width = jnp.exp(jax.random.uniform(width_key, (), x.dtype, *span))
        gamma = width * jax.random.normal(normal_key, (), x.dtype)
        there = jnp.exp(gamma) * x
        log_ratio = action(x) - action(there) + gamma * size
        x, rate = accept(accept_key, x, there, log_ratio)
        return x, rate, observe(x)

    return Move("radial", step, 2)


def flip_move(target: Target, moments: LocalMoments) -> Move:
    """Return flips of x at single times, of one site or of two neighbours.

    Each is a heat bath over the two signs. Of many, `MOST_FLIPS` are taken at random.
    """
    slices, sites = target.event_shape
    pairs = [(i, j) for i, j in moments.edges if i != j]
    signs = np.ones((sites + len(pairs), sites))
    signs[np.arange(sites), np.arange(sites)] = -1
    for row, pair in enumerate(pairs, sites):
        signs[row, list(pair)] = -1
    count = slices * len(signs)
    taken = min(count, MOST_FLIPS)

    def step(
        key: Key, x: Array, action: Action, observe: Observe
    ) -> tuple[Array, Array, Any]:
        flips = jnp.asarray(signs, x.dtype)

        def flip(
            state: tuple[Array, Array], at: tuple[Array, Key]
        ) -> tuple[tuple[Array, Array], Array]:
            (x, f), (index, key) = state, at
            time, row = index // len(signs), index % len(signs)
            there = x.at[time].multiply(flips[row])
            f_there = action(there)
            share = jax.nn.sigmoid(jnp.nan_to_num(f - f_there, nan=-jnp.inf))
            moves = jax.random.uniform(key, (), x.dtype) < share
            state = jnp.where(moves, there, x), jnp.where(moves, f_there, f)
            return state, share

        order_key, key = jax.random.split(key)
        order = jax.random.permutation(order_key, count)[:taken]
        keys = jax.random.split(key, taken)
        (x, _), shares = jax.lax.scan(flip, (x, action(x)), (order, keys))
        return x, jnp.mean(shares), observe(x)

    return Move("flips", step, taken + 1)

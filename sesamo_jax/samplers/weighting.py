"""Density accounting: which log q a modulated flow sample is given.

A flow density q~(y) on all of space and a law p_S(u | y) give x = T_u y.

`cell`: log q~(y) + log p_S(u | y), with y counted wherever it falls (eq. 15). Right
    only if y never leaves the cell Omega; otherwise the leaked part is counted several
    times and log Z comes out too large.
`strict`: the same inside Omega, and weight 0 (log q = +inf) outside. Unbiased, but
    the leaked share of the samples is lost.
`orbit`: log sum_u q~(T_u^-1 x) p_S(u | T_u^-1 x) / |det T_u|, the density of x itself,
    whatever y does. |G| inverse passes of the flow. The only one of wells, which have
    no cell.
`marginal`: of a mixture of flows, log sum_c q(x, c), the density of x itself.
`augmented`: of x together with what it came from: of worldlines, where no density of x
    alone is known (see `worldlines`), or of a mixture's component (see `mixture`).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.nn import logsumexp

from sesamo_jax.core import Array, FiniteSymmetry, Model, Params, Samples, Symmetry
from sesamo_jax.parallel.devices import over_batch

DENSITIES = ("orbit", "strict", "cell", "marginal", "augmented")
# What a model's samples come with.
AS_DRAWN = ("cell", "augmented")


def orbit(
    x: Array,
    symmetry: FiniteSymmetry,
    flow_log_prob: Callable[[Array, Array], Array],
    log_probs_into: Callable[[Array], Array],
    drawn: Samples | None = None,
) -> tuple[Array, Array]:
    """Return the log densities of the ways to reach one event x, and which was taken.

    Args:
        x: one configuration.
        symmetry: a finite group, or wells.
        flow_log_prob: log q~ at y, and whether y is known as drawn.
        log_probs_into: x -> log p_S(u | T_u^-1 x) for all u, (|G|,).
        drawn: the sample that x is of, if it is one.

    Returns:
        log q~(T_u^-1 x) + log p_S(u | T_u^-1 x) - log |det T_u| for all u, and whether
        u is that of the sample, both (|G|,).
    """
    elements = jnp.arange(symmetry.order)
    preimages = jax.vmap(lambda u: symmetry.undo(u, x))(elements)
    log_vol = jax.vmap(symmetry.act)(elements, preimages)[1]
    taken = jnp.zeros(elements.shape, bool)
    if drawn is not None:
        taken = elements == drawn.u
        own = taken.reshape(-1, *(1,) * x.ndim)
        preimages = jnp.where(own, drawn.y, preimages)
    log_p = overflow_to_zero(x, log_probs_into(x))
    return jax.vmap(flow_log_prob)(preimages, taken) + log_p - log_vol, taken


def sum_over_ways(
    ways: Callable[[Params, Array, Samples | None], tuple[Array, Array]],
    adaptive: bool,
) -> Callable[..., Array]:
    """Return `log_prob` of `core.Model` from the ways to reach one event.

    A sample's own way counts as it was drawn: found anew from a rounded x, through an
    inverse, it can lose digits, or end up on the other side of a border.

    Args:
        ways: of params, x and, where x is of a sample, that sample, to the log
            densities of all ways and which of them was taken, (ways,) each.
        adaptive: whether an adaptive integration says by NaN that it has failed.
    """

    def event(params: Params, x: Array, drawn: Samples | None = None) -> Array:
        every, taken = ways(params, x, drawn)
        if drawn is not None:
            every = jnp.where(taken, as_drawn(every, drawn.log_q), every)
        total = logsumexp(every)
        return total if adaptive else overflow_to_zero(x, total)

    def log_prob(params: Params, x: Array, drawn: Samples | None = None) -> Array:
        if drawn is None:
            return over_batch(event, (None, 0))(params, x)
        return over_batch(event, (None, 0, 0))(params, x, drawn)

    return log_prob


def as_drawn(found: Array, log_q: Array) -> Array:
    """Return log q as drawn, with the derivatives of what was found from x or y."""
    found = jnp.where(jnp.isfinite(found), found, 0)
    return jax.lax.stop_gradient(log_q) + (found - jax.lax.stop_gradient(found))


def log_q(model: Model, params: Params, samples: Samples, density: str) -> Array:
    """Return log q of drawn samples under the given parameters, shape of log_p_u.

    Args:
        model: which drew the samples.
        params: those they were drawn with; derivatives are by them, and by x and y.
        samples: n samples, or all their images.
        density: `orbit`, `strict`, `cell` or `marginal`.
    """
    image_axes = samples.log_p_u.ndim - 1
    if density in ("orbit", "marginal"):
        assert model.log_prob is not None
        if not image_axes:
            return model.log_prob(params, samples.x, samples)
        of_one = samples.y[:, None]
        y = jnp.broadcast_to(of_one, (*samples.u.shape, *samples.y.shape[1:]))
        every = samples._replace(y=y)
        return over_batch(model.log_prob, (None, 0, 0))(params, every.x, every)
    assert model.flow_log_prob is not None
    flow = model.flow_log_prob(params, samples.y, drawn=True)
    found = jnp.expand_dims(flow, range(1, 1 + image_axes)) + samples.log_p_u
    cell = as_drawn(found, samples.log_q)
    if density == "cell" or model.leaked is None:
        return cell
    outside = model.leaked(samples.y)
    return jnp.where(jnp.expand_dims(outside, range(1, cell.ndim)), jnp.inf, cell)


def overflow_to_zero(x: Array, log_q: Array) -> Array:
    """Return log q(x), -inf where it has no finite value at a finite x.

    Far from a flow's own samples the scales of its inverse, or the steps of a fixed
    integrator, can exceed what floating point holds, or leave a difference of two such
    numbers. No base has mass where that happens.
    """
    overflowed = jnp.all(jnp.isfinite(x)) & ~jnp.isfinite(log_q)
    return jnp.where(overflowed, -jnp.inf, log_q)


def leaked(symmetry: Symmetry, y: Array) -> Array:
    """Return whether one event y lies outside Omega, a truth value.

    By its sector, as margins may be those of other borders (see `Cyclic`); off the
    slice of a continuous group, whose elements are angles, by its margin.
    """
    if symmetry.order is None:
        return jnp.any(symmetry.margins(y) > 0)
    return symmetry.sector(y) != 0

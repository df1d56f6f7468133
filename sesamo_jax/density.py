"""Density accounting: which log q a modulated flow sample is given.

A flow density q~(y) on all of space and a law p_S(u | y) give x = T_u y.

`cell`: log q~(y) + log p_S(u | y), with y counted wherever it falls (eq. 15). Right
    only if y never leaves the cell Omega; otherwise the leaked part is counted several
    times and log Z comes out too large.
`strict`: the same inside Omega, and weight 0 (log q = +inf) outside. Unbiased, but
    the leaked share of the samples is lost.
`orbit`: log sum_u q~(T_u^-1 x) p_S(u | T_u^-1 x), the density of x itself, whatever y
    does. |G| inverse passes of the flow.
`marginal`: of a mixture of flows, log sum_c q(x, c), the density of x itself.
`augmented`: of x together with what it came from: of worldlines, where no density of x
    alone is known (see `worldlines`), or of a mixture's component (see `mixture`).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.nn import logsumexp

from sesamo_jax.core import Array, FiniteSymmetry, Model, Params, Samples
from sesamo_jax.devices import over_batch

DENSITIES = ("orbit", "strict", "cell", "marginal", "augmented")
# What a model's samples come with.
AS_DRAWN = ("cell", "augmented")


def orbit(
    x: Array,
    symmetry: FiniteSymmetry,
    flow_log_prob: Callable[[Array], Array],
    log_probs_into: Callable[[Array], Array],
) -> Array:
    """Return the exact log density of one event x under flow and modulation.

    Args:
        x: one configuration.
        symmetry: a finite group of isometries.
        flow_log_prob: log q~.
        log_probs_into: x -> log p_S(u | T_u^-1 x) for all u, (|G|,).
    """
    preimages = jax.vmap(lambda u: symmetry.undo(u, x))(jnp.arange(symmetry.order))
    return logsumexp(jax.vmap(flow_log_prob)(preimages) + log_probs_into(x))


def log_q(model: Model, params: Params, samples: Samples, density: str) -> Array:
    """Return log q of drawn samples under the given parameters, shape of log_p_u.

    Args:
        model: which drew the samples.
        params: at which the flow's density is evaluated anew.
        samples: n samples, or all their images.
        density: `orbit`, `strict`, `cell` or `marginal`.
    """
    if density in ("orbit", "marginal"):
        assert model.log_prob is not None
        over_images = samples.log_p_u.ndim == 2
        log_prob = (
            over_batch(model.log_prob, (None, 0)) if over_images else model.log_prob
        )
        return log_prob(params, samples.x)
    assert model.flow_log_prob is not None
    flow = model.flow_log_prob(params, samples.y)
    cell = jnp.expand_dims(flow, range(1, samples.log_p_u.ndim)) + samples.log_p_u
    if density == "cell":
        return cell
    inside = ~leaked(model.margins(samples.y))
    return jnp.where(jnp.expand_dims(inside, range(1, cell.ndim)), cell, jnp.inf)


def pulled_back(y: Array, log_base: Array, log_det: Array) -> Array:
    """Return log q~(y) = log q_0(z) + log|det dz/dy|, a scalar.

    Far from a flow's own samples the scales of its inverse can exceed what floating
    point holds. No base has mass at such a z: where log q_0 has overflowed at a finite
    y, log q~ is -inf, whatever the layers behind have made of it.
    """
    overflowed = jnp.all(jnp.isfinite(y)) & ~jnp.isfinite(log_base)
    return jnp.where(overflowed, -jnp.inf, log_base + log_det)


def leaked(margins: Array) -> Array:
    """Return whether y lies outside Omega, from its margins (..., borders)."""
    return jnp.any(margins > 0, axis=-1)

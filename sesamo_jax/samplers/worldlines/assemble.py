"""The worldline law as the pure functions of `core.Model`."""

from collections.abc import Callable
from math import log
from typing import Any

import jax
import jax.numpy as jnp

from sesamo_jax.core import Array, Key, Model, Params, Samples, Target
from sesamo_jax.core.method import Config
from sesamo_jax.geometry.moments import LocalMoments
from sesamo_jax.parallel.devices import over_batch
from sesamo_jax.samplers.worldlines.law import WorldlineLaw


def log_mean(key: Key, terms: Array, one: Callable[[Array], Array]) -> Array:
    """Return log mean exp(terms), with an unbiased estimate of its gradient.

    The gradient is the mean of those of the terms, weighted by their shares; here that
    of one term, drawn with these shares, stands for it at the price of one.

    Args:
        key: for the draw.
        terms: values without gradients, (n,).
        one: from an index to its term, up to a constant, with the gradient.
    """
    picked = one(jax.random.categorical(key, terms))
    value = jax.nn.logsumexp(terms) - log(len(terms))
    return value + picked - jax.lax.stop_gradient(picked)


def build_worldlines(target: Target, config: Config) -> Model:
    """Return the worldline sampler of a completed configuration.

    Its log_q estimates log q(x) without bias of 1 / q(x): from the mean of
    q(x, u) / r(u | x) over the u that x was drawn around and further guesses (Sobolev
    and Vetrov 2019), the same number of them in training and in reports. Its gradient,
    for the objective `forward_kl`, estimates that of log q at fixed x and guesses.

    Args:
        target: of the geometry `LocalMoments`.
        config: section `worldlines`.
    """
    moments = target.geometry
    assert isinstance(moments, LocalMoments)  # `complete` has refused others
    settings, guesses = config.worldlines, config.worldlines.guesses
    assert guesses is not None  # `complete` has chosen
    slices, sites = target.event_shape
    law = WorldlineLaw(moments, slices, sites, settings.sweeps, settings.blocks)

    # Linen types what `apply` returns as if it always held variables too.
    def apply(params: Params, *args: Any, method: str) -> Any:
        return law.apply(params["worldlines"], *args, method=method)

    def init(key: Key) -> Params:
        return {"worldlines": law.init(key, key, method="draw")}

    def draw(params: Params, key: Key) -> Samples:
        fixed = jax.lax.stop_gradient(params)
        draw_key, guess_key, pick_key = jax.random.split(key, 3)
        x, own = apply(fixed, draw_key, method="draw")

        def guess(key: Key) -> tuple[Any, Array, Array]:
            return apply(fixed, key, x, method="guess")

        guessed = jax.vmap(guess)(jax.random.split(guess_key, guesses - 1))
        first = own, *apply(fixed, x, own, method="log_joint")
        every, log_joint, log_guess = jax.tree.map(
            lambda a, b: jnp.concatenate([a[None], b]), first, guessed
        )

        def differentiable(index: Array) -> Array:
            one = jax.tree.map(lambda leaf: leaf[index], every)
            return apply(params, x, one, method="log_joint")[0]

        log_q = log_mean(pick_key, log_joint - log_guess, differentiable)
        return Samples(x, log_q, x, own.signs, jnp.zeros((), x.dtype))

    def sample(params: Params, key: Key, n: int) -> Samples:
        return over_batch(draw, (None, 0))(params, jax.random.split(key, n))

    return Model(
        init=init,
        sample=sample,
        images=None,
        flow_log_prob=None,
        log_prob=None,
        margins=lambda y: jnp.zeros((len(y), 0), y.dtype),
    )

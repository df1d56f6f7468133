"""The worldline law as the pure functions of `core.Model`."""

from math import log
from typing import Any

import jax
import jax.numpy as jnp

from sesamo_jax.config import Config
from sesamo_jax.core import Array, Key, Model, Params, Samples, Target
from sesamo_jax.devices import over_batch
from sesamo_jax.worldlines.law import WorldlineLaw

REPORT_FACTOR = 4  # more guesses in reports than in training


def build_worldlines(target: Target, config: Config) -> Model:
    """Return the worldline sampler of a completed configuration.

    Its log_q estimates log q(x) without bias of 1 / q(x): from the mean of
    q(x, u) / r(u | x) over the u that x was drawn around and further guesses (Sobolev
    and Vetrov 2019). Its gradient is that of log q at fixed x and guesses, for the
    objective `forward_kl`.

    Args:
        target: with `moments`.
        config: section `worldlines`.
    """
    assert target.moments is not None  # `complete` has refused others
    settings = config.worldlines
    slices, sites = target.event_shape
    law = WorldlineLaw(target.moments, slices, sites, settings.sweeps, settings.blocks)

    # Linen types what `apply` returns as if it always held variables too.
    def apply(params: Params, *args: Any, method: str) -> Any:
        return law.apply(params["worldlines"], *args, method=method)

    def init(key: Key) -> Params:
        return {"worldlines": law.init(key, key, method="draw")}

    def assemble(guesses: int) -> Model:
        def draw(params: Params, key: Key) -> Samples:
            fixed = jax.lax.stop_gradient(params)
            draw_key, guess_key = jax.random.split(key)
            x, own = apply(fixed, draw_key, method="draw")

            def guess(key: Key) -> tuple[Array, Array]:
                return apply(params, key, x, method="guess")

            others = jax.vmap(guess)(jax.random.split(guess_key, guesses - 1))
            joint = apply(params, x, own, method="log_joint")
            every = jax.tree.map(lambda a, b: jnp.append(b, a), joint, others)
            ratios = every[0] - jax.lax.stop_gradient(every[1])
            log_q = jax.nn.logsumexp(ratios) - log(guesses)
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

    return assemble(settings.guesses)._replace(
        accurate=assemble(REPORT_FACTOR * settings.guesses)
    )

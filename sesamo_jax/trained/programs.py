"""The compiled functions of a target and a configuration, shared by all parameters."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp

from sesamo_jax.config import Config, build_model
from sesamo_jax.config.complete import complete_model
from sesamo_jax.core import Array, Key, Model, Params, Target
from sesamo_jax.evaluation.report import build_evaluate
from sesamo_jax.objectives.likelihood import likelihood_share
from sesamo_jax.samplers.weighting import AS_DRAWN, log_q
from sesamo_jax.trained.samples import WeightedSamples, observe
from sesamo_jax.training.loss import batch_loss, penalty_amplitude


@dataclass(frozen=True, eq=False)
class Programs:
    """Functions that are compiled when they are first called with new shapes.

    Flows that are integrated take the finer steps of reports, but in the loss.

    Attributes:
        target: what is sampled.
        config: how, completed.
        model: of both, for training.
        sample: `(params, key, n) -> (n, *event_shape)`.
        sample_and_log_prob: the same with the exact log q(x), (n,).
        log_prob: `(params, x) -> (...)` at events (..., *event_shape).
        weighted: `(params, key, n) -> WeightedSamples`.
        observables: from events (..., *event_shape) to values by name.
        loss: `(params, key, step, data)` to the loss of one batch, and its metrics.
        report: `(params, key)` to what `evaluate` returns.
    """

    target: Target
    config: Config
    model: Model
    sample: Callable[[Params, Key, int], Array]
    sample_and_log_prob: Callable[[Params, Key, int], tuple[Array, Array]] | None
    log_prob: Callable[[Params, Array], Array] | None
    weighted: Callable[[Params, Key, int], WeightedSamples]
    observables: Callable[[Array], dict[str, Array]]
    loss: Callable[..., tuple[Array, dict[str, Array]]]
    report: Callable[[Params, Key], dict[str, Any]]


def build_programs(target: Target, config: Config) -> Programs:
    """Return the compiled functions of a target and a configuration.

    Raises:
        ValueError: where the configuration does not fit the target.
    """
    config = complete_model(config, target)
    model = build_model(target, config)
    accurate = model if model.integrated is None else model.integrated.accurate
    exact, shape = accurate.log_prob, target.event_shape

    @partial(jax.jit, static_argnums=2)
    def sample(params: Params, key: Key, n: int) -> Array:
        return accurate.sample(params, key, n).x

    @partial(jax.jit, static_argnums=2)
    def sample_and_log_prob(params: Params, key: Key, n: int) -> tuple[Array, Array]:
        assert exact is not None
        samples = accurate.sample(params, key, n)
        return samples.x, exact(params, samples.x, samples)

    @jax.jit
    def log_prob(params: Params, x: Array) -> Array:
        assert exact is not None
        batch = x.shape[: x.ndim - len(shape)]
        return exact(params, x.reshape(-1, *shape)).reshape(batch)

    @partial(jax.jit, static_argnums=2)
    def weighted(params: Params, key: Key, n: int) -> WeightedSamples:
        samples = accurate.sample(params, key, n)
        log_density = samples.log_q
        if config.density not in AS_DRAWN:
            log_density = log_q(accurate, params, samples, config.density)
        log_w = -jax.vmap(target.action)(samples.x) - log_density
        return WeightedSamples(samples.x, log_w, samples.u, observe(target, samples.x))

    @jax.jit
    def loss(
        params: Params, key: Key, step: Array, data: Array | None
    ) -> tuple[Array, dict[str, Array]]:
        amplitude = penalty_amplitude(config, step)
        share = likelihood_share(config.training, step)
        return batch_loss(model, target, config, params, key, amplitude, data, share)

    # Built when it is first asked for: it may read data.
    evaluate = cache(lambda: build_evaluate(model, target, config))
    return Programs(
        target=target,
        config=config,
        model=model,
        sample=sample,
        sample_and_log_prob=None if exact is None else sample_and_log_prob,
        log_prob=None if exact is None else log_prob,
        weighted=weighted,
        observables=jax.jit(partial(observe, target)),
        loss=loss,
        report=lambda params, key: evaluate()(params, key),
    )


def as_events(target: Target, x: Any) -> Array:
    """Return x as an array of the target's floating type.

    Raises:
        ValueError: unless it is real, of shape (..., *event_shape).
    """
    shape, found = target.event_shape, jnp.asarray(x)
    if found.shape[max(0, found.ndim - len(shape)) :] != shape:
        batch = ", ".join(map(str, ("...", *shape)))
        raise ValueError(
            f"x of shape {found.shape} must be one event of target {target.name!r}, of "
            f"shape {shape}, or a batch of them, ({batch})"
        )
    if jnp.issubdtype(found.dtype, jnp.complexfloating):
        raise ValueError(
            f"x of type {found.dtype} must be real: target {target.name!r} takes "
            f"events of shape {shape}"
        )
    return found.astype(target.dtype)

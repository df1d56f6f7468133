"""The functions of `core.Model`, of n events: from those of one, and their checks."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from sesamo_jax.core import Array, Integrated, Key, Model, Params, Samples, Target
from sesamo_jax.core.event_checks import check_count, check_events
from sesamo_jax.geometry.slices import shape_before_symmetry
from sesamo_jax.parallel.devices import over_batch

Sample = Callable[[Params, Key, int], Samples]


def sample_and_images(
    draw: Callable[[Params, Array, Key], Samples],
    draw_images: Callable[[Params, Array], Samples],
    shape: tuple[int, ...],
    dtype: jnp.dtype,
) -> tuple[Sample, Sample]:
    """Return `sample` and `images` of a model.

    Args:
        draw: one event from standard normal noise and a key for the group element.
        draw_images: all images of one event, from the same noise.
        shape: of an event's noise.
        dtype: of the noise.
    """

    def sample(params: Params, key: Key, n: int) -> Samples:
        noise_key, element_key = jax.random.split(key)
        noise = jax.random.normal(noise_key, (n, *shape), dtype)
        keys = jax.random.split(element_key, n)
        return over_batch(draw, (None, 0, 0))(params, noise, keys)

    def images(params: Params, key: Key, n: int) -> Samples:
        noise = jax.random.normal(key, (n, *shape), dtype)
        return over_batch(draw_images, (None, 0))(params, noise)

    return sample, images


def with_checks(model: Model, target: Target) -> Model:
    """Return the model, whose functions refuse other events, and n, than they take."""
    x_shape = target.event_shape
    marginal = model.marginal
    y_shape = shape_before_symmetry(marginal.target if marginal else target)
    if marginal is not None:
        own = with_checks(marginal.model, marginal.target)
        marginal = marginal._replace(model=own)

    def counting(function: Any, name: str) -> Any:
        """Check n of `(params, key, n)`."""

        def draw(params: Params, key: Key, n: int) -> Any:
            check_count(name, n)
            return function(params, key, n)

        return None if function is None else draw

    def of_events(function: Any, name: str, shape: tuple[int, ...]) -> Any:
        """Check the events of `(params, events, ...)`."""

        def evaluate(params: Params, events: Array, *args: Any, **named: Any) -> Any:
            check_events(name, events, shape)
            return function(params, events, *args, **named)

        return None if function is None else evaluate

    def of_y(function: Any, name: str) -> Any:
        """Check the events of `y -> ...`."""

        def evaluate(y: Array) -> Any:
            check_events(name, y, y_shape)
            return function(y)

        return None if function is None else evaluate

    def checked(model: Model) -> Model:
        integrated, transport = model.integrated, model.transport
        if integrated is not None:
            accurate, adaptive = integrated
            integrated = Integrated(
                checked(accurate), of_events(adaptive, "adaptive_log_prob", y_shape)
            )
        if transport is not None:
            prior = counting(transport.prior, "prior")
            transport = transport._replace(prior=prior)
        alone, path = model.unmodulated, model.path_gradient
        return Model(
            init=model.init,
            sample=counting(model.sample, "sample"),
            images=counting(model.images, "images"),
            flow_log_prob=of_events(model.flow_log_prob, "flow_log_prob", y_shape),
            log_prob=of_events(model.log_prob, "log_prob", x_shape),
            margins=of_y(model.margins, "margins"),
            leaked=of_y(model.leaked, "leaked"),
            integrated=integrated,
            unmodulated=None if alone is None else checked(alone),
            path_gradient=None if path is None else checked(path),
            transport=transport,
        )

    return checked(model)._replace(marginal=marginal)

"""The functions of `core.Model`, of n events: from those of one, and their checks."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from sesamo_jax.core import Array, Key, Model, Params, Samples, Target
from sesamo_jax.core.event_checks import check_count, check_events
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
    y_shape = target.slice_shape or x_shape

    def counting(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def draw(params: Params, key: Key, n: int) -> Any:
            check_count(name, n)
            return function(params, key, n)

        return draw

    def of_events(
        function: Callable[..., Any], name: str, shape: tuple[int, ...]
    ) -> Callable[..., Any]:
        def evaluate(params: Params, events: Array, *args: Any, **named: Any) -> Any:
            check_events(name, events, shape)
            return function(params, events, *args, **named)

        return evaluate

    def of_y(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def evaluate(y: Array) -> Any:
            check_events(name, y, y_shape)
            return function(y)

        return evaluate

    checked: dict[str, Any] = {}
    for name, function in model._asdict().items():
        if function is None:
            continue
        if isinstance(function, Model):
            checked[name] = with_checks(function, target)
        elif name in ("sample", "images", "prior"):
            checked[name] = counting(function, name)
        elif name == "log_prob":
            checked[name] = of_events(function, name, x_shape)
        elif name in ("flow_log_prob", "adaptive_log_prob"):
            checked[name] = of_events(function, name, y_shape)
        elif name in ("margins", "leaked"):
            checked[name] = of_y(function, name)
    return model._replace(**checked)

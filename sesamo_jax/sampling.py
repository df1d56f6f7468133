"""From functions of one event and its noise to those of `core.Model`, of n events."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from sesamo_jax.core import Array, Key, Params, Samples
from sesamo_jax.devices import over_batch

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

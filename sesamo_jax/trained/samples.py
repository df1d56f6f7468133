"""Samples with what reweights them to the target."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from sesamo_jax.core import Array, Target


class WeightedSamples(NamedTuple):
    """n samples; means of the target are weighted by exp(log_w).

    Attributes:
        x: configurations, (n, *event_shape).
        log_w: log weights -f(x) - log q in the configured accounting, (n,); 0 for
            chains, whose samples count alike.
        u: group elements that were drawn, see `core.Samples`; None of chains, and of
            runs by versions that did not keep them.
        observables: values by name, (n, ...) each.
    """

    x: Any
    log_w: Any
    u: Any
    observables: dict[str, Any]


def observe(target: Target, x: Array) -> dict[str, Array]:
    """Return all observables of events (..., *event_shape), by name."""
    batch = x.shape[: x.ndim - len(target.event_shape)]
    flat = jnp.reshape(x, (-1, *target.event_shape))
    values = jax.vmap(target.observe)(flat)
    return {name: v.reshape(*batch, *v.shape[1:]) for name, v in values.items()}

"""Checks that what a sampler needs fits into memory, before it is built.

Lower bounds from sizes alone: what compiled programs need is checked again when they
are there, see `parallel.memory`.
"""

from math import prod

import jax
import jax.numpy as jnp

from sesamo_jax.bases import BASES
from sesamo_jax.core import Target
from sesamo_jax.core.method import Config
from sesamo_jax.parallel.memory import (
    device_memory_bytes,
    host_memory_bytes,
    require_memory,
)


def event_bytes(target: Target) -> int:
    """Return the size of one configuration."""
    return prod(target.event_shape) * jnp.dtype(target.dtype).itemsize


def check_event(target: Target) -> None:
    """Raise ValueError if one configuration needs more memory than there is."""
    require_memory(
        2 * event_bytes(target),
        device_memory_bytes(),
        f"one configuration of {target.name!r} with its gradient",
        f"choose a smaller target than one of shape {target.event_shape}",
    )


def check_base(config: Config, target: Target) -> None:
    """Raise ValueError if building the base needs more memory than there is."""
    require_memory(
        BASES[config.base.kind].held * event_bytes(target),
        device_memory_bytes(),
        f"base.kind={config.base.kind!r}",
        "choose a smaller target.shape, or another base",
    )


def check_batches(
    config: Config, target: Target, images: int, shares: int, also: str = ""
) -> None:
    """Raise ValueError if training or reports need more memory than there is.

    Args:
        config: completed.
        target: what to sample.
        images: configurations that one sample stands for, at the least.
        shares: probabilities that come with it.
        also: another setting to lower, as a part of the sentence.
    """
    training, evaluation = config.training, config.evaluation
    device, host = device_memory_bytes(), host_memory_bytes()
    devices = device * jax.device_count()  # over which a batch may be spread
    event = event_bytes(target)
    drawn = images * event + shares * jnp.dtype(target.dtype).itemsize
    at_once = min(evaluation.batch_size, evaluation.samples)
    for count, each, available, work, remedy in (
        (training.batch_size, drawn, devices, "training", "training.batch_size"),
        (at_once, event + drawn, device, "the report", "evaluation.batch_size"),
        (evaluation.samples, event, host, "the report", "evaluation.samples"),
    ):
        remedy = (
            f"lower {remedy}{also}, or choose a smaller target than "
            f"one of shape {target.event_shape}"
        )
        require_memory(int(count) * each, available, work, remedy)

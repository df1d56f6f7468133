"""Checks that what a configuration asks for fits into memory, before it is built.

Lower bounds from sizes alone: what compiled programs need is checked again when they
are there, see `memory`.
"""

from math import prod

import jax
import jax.numpy as jnp

from sesamo_jax.bases.variational import PAIRS
from sesamo_jax.config.schema import ON_DATA, REFERENCES, Config
from sesamo_jax.core import Target
from sesamo_jax.modulation import MAX_ENUMERATED_ORDER
from sesamo_jax.parallel.memory import (
    device_memory_bytes,
    host_memory_bytes,
    require_memory,
)


def check_sizes(config: Config, target: Target) -> None:
    """Raise ValueError if a completed configuration needs more memory than there is."""
    event = prod(target.event_shape) * jnp.dtype(target.dtype).itemsize
    device, host = device_memory_bytes(), host_memory_bytes()
    require_memory(
        2 * event,
        device,
        f"one configuration of {target.name!r} with its gradient",
        f"choose a smaller target than one of shape {target.event_shape}",
    )
    if config.method in REFERENCES:
        _check_references(config, event, device, host)
    else:
        _check_model(config, target, event, device, host)


def _check_model(
    config: Config, target: Target, event: int, device: int, host: int
) -> None:
    """Raise ValueError if training or reports need more memory than there is."""
    if config.method != "worldlines" and config.base.kind != "gaussian":
        require_memory(
            2 * PAIRS * event,
            device,
            f"base.kind={config.base.kind!r}",
            "choose a smaller target.shape, or another base",
        )
    training, evaluation = config.training, config.evaluation
    by_guesses = " or worldlines.guesses" if config.method == "worldlines" else ""
    by_parts = " or vmonf.components" if config.method == "vmonf" else ""
    number = jnp.dtype(target.dtype).itemsize
    devices = device * jax.device_count()  # over which a batch may be spread
    images, shares = _images(config, target)
    drawn = images * event + shares * number
    at_once = min(evaluation.batch_size, evaluation.samples)
    for count, each, available, work, remedy in (
        (training.batch_size, drawn, devices, "training", "training.batch_size"),
        (at_once, event + drawn, device, "the report", "evaluation.batch_size"),
        (evaluation.samples, event, host, "the report", "evaluation.samples"),
    ):
        remedy = (
            f"lower {remedy}{by_guesses}{by_parts}, or choose a smaller target than "
            f"one of shape {target.event_shape}"
        )
        require_memory(int(count) * each, available, work, remedy)


def _check_references(config: Config, event: int, device: int, host: int) -> None:
    """Raise ValueError if samplers without a model need more memory than there is."""
    hmc, smc = config.hmc, config.smc
    if config.method == "hmc":
        stored = int(hmc.chains) * int(hmc.samples) * event
        require_memory(stored, device, "hmc", "lower hmc.chains or hmc.samples")
        return
    population = int(smc.particles) * event
    require_memory(2 * population, device, "smc", "lower smc.particles")
    stored = int(smc.populations) * population
    require_memory(stored, host, "smc", "lower smc.populations or smc.particles")


def _images(config: Config, target: Target) -> tuple[int, int]:
    """Return how many configurations a sample stands for, and how many probabilities.

    At the least, in training and in reports alike.
    """
    if config.method == "worldlines":
        return 1, config.worldlines.guesses or 1  # `complete` has chosen
    if config.method == "vmonf":
        return int(config.vmonf.components), int(config.vmonf.components)
    order = None if target.symmetry is None else target.symmetry.order
    if config.method != "sesamo" or order is None or order > MAX_ENUMERATED_ORDER:
        return 1, 0
    if config.training.objective in ON_DATA:
        return 1, 0
    return 1, order if config.modulation == "heat_bath" else 0

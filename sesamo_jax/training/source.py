"""Where the configurations of an objective on data come from: a file, or chains.

Chains advance inside the training step: a batch is where each of its chains is after
one more trajectory and the moves that suit the target, among them the heat bath along
orbits. They need the action alone, and reach what no sample of the model shows.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.config.schema import CHAINS, Config, TrainingConfig
from sesamo_jax.core import Array, Key, Target
from sesamo_jax.geometry.particles import Particles, random_motion
from sesamo_jax.objectives import OBJECTIVES
from sesamo_jax.parallel.devices import over_batch
from sesamo_jax.reference.hmc import require_movement
from sesamo_jax.reference.move import nothing
from sesamo_jax.reference.trajectory import (
    Trajectory,
    build_trajectory,
    warm_up_shares,
)

# Data are drawn by a key of their own: the model's samples are those that the same step
# would draw without them.
DATA_STREAM = 0xDA7A


class Chains(NamedTuple):
    """Chains of one seed between two steps of training.

    Attributes:
        states: of the `Trajectory`, a leading axis over the chains, one for each
            configuration of a batch.
        tuned: step size and masses.
        tuning_steps: leapfrog steps of the chain that found them, int32.
        steps: leapfrog steps of every chain since then, int32.
    """

    states: Any
    tuned: Any
    tuning_steps: Array
    steps: Array


class Calls(NamedTuple):
    """Evaluations of the action's gradient, and of the action with or without it."""

    gradients: int
    energies: int


class Source(NamedTuple):
    """What gives a batch of configurations of the target in every step of training.

    Attributes:
        begin: `keys -> (states, rates)`, what is carried from step to step, with a
            leading axis over seeds like their keys, and the acceptance of chains while
            they equilibrated, (seeds, trajectories, chains); None without chains.
        draw: `(key, state, data) -> (state, x, metrics)`, of one seed: a batch,
            (batch_size, *event_shape); of data, (n, *event_shape), that all seeds
            share, or None.
        calls: `(states, steps) ->` the calls of each seed after so many steps; none
            where data come from a file.
    """

    begin: Callable[[Array], tuple[Any, Array | None]]
    draw: Callable[[Key, Any, Array | None], tuple[Any, Array, dict[str, Array]]]
    calls: Callable[[Any, int], list[Calls]]


def build_source(target: Target, config: Config) -> Source | None:
    """Return where the data of a training come from; None without any."""
    objective = config.training.objective
    if objective is None or not OBJECTIVES[objective].is_on_data:
        return None
    if config.training.data == CHAINS:
        return _from_chains(target, config)
    return _from_file(target, config.training)


def start_source(source: Source, keys: Array) -> Any:
    """Return what is carried from step to step, before the first.

    Raises:
        ValueError: if chains hardly move.
    """
    states, rates = source.begin(keys)
    if rates is not None:
        for of_seed in np.asarray(rates):
            require_movement(of_seed.T)
    return states


def data_batch(
    target: Target, training: TrainingConfig, key: Key, data: Array
) -> Array:
    """Return configurations drawn from data with replacement, uniformly.

    Args:
        target: whose configurations they are.
        training: `batch_size`, and whether to `augment` by symmetries.
        key: of the step.
        data: (n, *event_shape).

    Returns:
        (batch_size, *event_shape).
    """
    index_key, motion_key = jax.random.split(jax.random.fold_in(key, DATA_STREAM))
    x = data[jax.random.randint(index_key, (training.batch_size,), 0, len(data))]
    return _augmented(target, training, motion_key, x)


def _augmented(target: Target, training: TrainingConfig, key: Key, x: Array) -> Array:
    """Return a batch of particles moved at random, or the batch, as `augment` says."""
    if not training.augment:
        return x
    assert isinstance(target.geometry, Particles)  # `complete` has refused others
    return over_batch(random_motion)(jax.random.split(key, len(x)), x)


def _from_file(target: Target, training: TrainingConfig) -> Source:
    def draw(key: Key, state: Any, data: Array | None) -> tuple[Any, Array, dict]:
        assert data is not None
        return state, data_batch(target, training, key, data), {}

    return Source(lambda keys: ((), None), draw, lambda states, steps: [])


def _from_chains(target: Target, config: Config) -> Source:
    training = config.training
    trajectory = build_trajectory(target, config.hmc)

    def draw(
        key: Key, state: Chains, data: Array | None
    ) -> tuple[Chains, Array, dict[str, Array]]:
        move_key, motion_key = jax.random.split(jax.random.fold_in(key, DATA_STREAM))
        share = jnp.ones((), target.dtype)
        state, rates = _advance(trajectory, state, (share, move_key))
        x = over_batch(trajectory.white.colour)(state.states.position)
        x = _augmented(target, training, motion_key, x)
        return state, x, {"chain_acceptance": jnp.mean(rates)}

    def of_seed(key: Key) -> tuple[Chains, Array]:
        start_key, tune_key, warm_key = jax.random.split(key, 3)
        shape = (training.batch_size, *target.event_shape)
        z = jax.random.normal(start_key, shape, target.dtype)
        _, tuned, steps = trajectory.tune(tune_key, z[0])
        states = jax.vmap(trajectory.begin)(z)
        chains = Chains(states, tuned, jnp.int32(steps), jnp.int32(0))
        warmup = config.hmc.warmup
        shares = warm_up_shares(warmup, target.dtype)
        return jax.lax.scan(
            partial(_advance, trajectory),
            chains,
            (shares, jax.random.split(warm_key, warmup)),
        )

    def begin(keys: Array) -> tuple[Chains, Array]:
        # blackjax tunes in the widest type that is switched on, whatever chains are.
        with jax.enable_x64(target.dtype == jnp.float64):
            streams = jax.vmap(lambda key: jax.random.fold_in(key, DATA_STREAM))(keys)
            return jax.jit(jax.vmap(of_seed))(streams)

    def calls(states: Chains, steps: int) -> list[Calls]:
        found = []
        for tuning, each in zip(states.tuning_steps, states.steps, strict=True):
            counted = trajectory.calls(
                training.batch_size, config.hmc.warmup + steps, int(each)
            )
            found.append(Calls(*(number + int(tuning) + 1 for number in counted)))
        return found

    return Source(begin, draw, calls)


def _advance(
    trajectory: Trajectory, chains: Chains, step: tuple[Array, Key]
) -> tuple[Chains, Array]:
    """Return all chains one trajectory on, and their acceptance rates."""
    share, key = step
    steps_key, key = jax.random.split(key)
    number = trajectory.number(steps_key)

    def move(key: Key, state: Any) -> tuple[Any, Array]:
        tuned = chains.tuned
        return trajectory.advance(key, state, tuned, share, number, nothing)[:2]

    keys = jax.random.split(key, len(chains.states.position))
    states, rates = over_batch(move)(keys, chains.states)
    states = jax.tree.map(lambda new, old: new.astype(old.dtype), states, chains.states)
    steps = chains.steps + number.astype(jnp.int32)
    return chains._replace(states=states, steps=steps), rates

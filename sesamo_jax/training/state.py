"""What training carries from step to step, and how it begins."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from sesamo_jax.config.schema import Config
from sesamo_jax.config.seeds import check_seeds
from sesamo_jax.core import Array, Key, Model, Params, Target
from sesamo_jax.training.optimizer import build_optimizer
from sesamo_jax.training.source import build_source


class TrainState(NamedTuple):
    """What one seed carries from step to step.

    Attributes:
        params: of the model.
        opt_state: of the optimiser.
        step: steps taken, int32.
        key: root key; step i uses fold_in(key, i), so that a resumed run draws what an
            uninterrupted one would have drawn.
        source: where data come from, see `source`: chains; () of a file, without data,
            and before `fit` starts the chains.
    """

    params: Params
    opt_state: optax.OptState
    step: Array
    key: Key
    source: Any = ()


def init_states(
    model: Model,
    config: Config,
    seeds: Sequence[int],
    optimizer: optax.GradientTransformation | None = None,
) -> TrainState:
    """Return the initial states of several seeds, stacked along a leading axis.

    For the optimiser see `fit`.

    Raises:
        ValueError: for seeds that cannot be used, see `seeds.check_seeds`.
    """
    seeds = check_seeds(seeds)
    guarded = build_optimizer(config.training, optimizer)

    def init(seed: Array) -> TrainState:
        params_key, key = jax.random.split(jax.random.key(seed))
        params = model.init(params_key)
        return TrainState(params, guarded.init(params), jnp.int32(0), key)

    return jax.jit(jax.vmap(init))(jnp.asarray(seeds, jnp.uint32))


def restorable(states: TrainState, target: Target, config: Config) -> TrainState:
    """Return initial states in the form in which `fit` leaves them, to be restored.

    Chains are there with their shapes, without having moved.
    """
    source = build_source(target, config)
    if source is None:
        return states
    carried, _ = jax.eval_shape(source.begin, states.key)
    empty = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), carried)
    return states._replace(source=empty)

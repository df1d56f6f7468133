"""Training: one step, chunks of steps in one compiled call, ensembles of seeds."""

import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from sesamo_jax.config.complete import complete_model
from sesamo_jax.config.completed import CompletedConfig
from sesamo_jax.config.schema import Config
from sesamo_jax.config.seeds import check_seeds
from sesamo_jax.core import Array, Model, Params, Target
from sesamo_jax.estimators import doubts
from sesamo_jax.objectives.likelihood import likelihood_share
from sesamo_jax.parallel.devices import ONE_DEVICE, Placement
from sesamo_jax.parallel.memory import check_memory
from sesamo_jax.storage.data import read_data
from sesamo_jax.training.loss import batch_loss, penalty_amplitude
from sesamo_jax.training.optimizer import build_optimizer, nonfinite_steps
from sesamo_jax.training.source import build_source, start_source
from sesamo_jax.training.state import TrainState, init_states
from sesamo_jax.training.stopping import why_stopped


class FitResult(NamedTuple):
    """A trained ensemble; every leaf of `states` has a leading axis over seeds.

    Attributes:
        states: final states.
        history: one array of shape (rows, seeds) per quantity, a row per chunk.
        wall_seconds: training, all seeds together, without compilation.
        compile_seconds: compilation of the chunk, and the start of chains.
        stopped: why training ended before its last step; None where it did not.
    """

    states: TrainState
    history: dict[str, np.ndarray]
    wall_seconds: float
    compile_seconds: float
    stopped: str | None = None

    @property
    def params(self) -> Params:
        """Parameters with a leading axis over seeds."""
        return self.states.params


def build_chunk(
    model: Model,
    target: Target,
    config: CompletedConfig,
    seeds_axis: str | None = None,
    optimizer: optax.GradientTransformation | None = None,
) -> Callable[..., tuple[TrainState, dict[str, Array]]]:
    """Return `(states, steps, data) -> (states, mean metrics)`, to be jitted.

    Metrics are means over a chunk's finite ones, NaN where there are none. The number
    of steps is a traced integer, so that a shorter last chunk compiles nothing. All
    seeds advance together, each by its own keys. Data, where there are any, are shared
    by all seeds and no part of the program. `seeds_axis` is the axis of the mesh over
    which seeds are spread, see `devices.Placement`; for the optimiser see `fit`.
    """
    guarded = build_optimizer(config.training, optimizer)
    data_source = build_source(target, config)
    value_and_grad = jax.value_and_grad(
        partial(batch_loss, model, target, config), has_aux=True
    )

    def step(
        state: TrainState, data: Array | None
    ) -> tuple[TrainState, dict[str, Array]]:
        key = jax.random.fold_in(state.key, state.step)
        amplitude = penalty_amplitude(config, state.step)
        share = likelihood_share(config.training, state.step)
        source, x = state.source, None
        drawn: dict[str, Array] = {}
        if data_source is not None:
            source, x, drawn = data_source.draw(key, source, data)
        (_, metrics), grads = value_and_grad(state.params, key, amplitude, x, share)
        updates, opt_state = guarded.update(
            grads, state.opt_state, state.params, value=metrics["loss_std"]
        )
        params = optax.apply_updates(state.params, updates)
        state = TrainState(params, opt_state, state.step + 1, state.key, source)
        return state, metrics | drawn

    def chunk(
        states: TrainState, steps: Array, data: Array | None = None
    ) -> tuple[TrainState, dict[str, Array]]:
        def step_all(states: TrainState) -> tuple[TrainState, dict[str, Array]]:
            if len(states.step) == 1 and seeds_axis is None:
                # With an axis of one seed, XLA's products take its slower batched form.
                one = step(jax.tree.map(lambda leaf: leaf[0], states), data)
                return jax.tree.map(lambda leaf: leaf[None], one)
            return jax.vmap(step, (0, None), spmd_axis_name=seeds_axis)(states, data)

        zeros = jax.tree.map(
            lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
            jax.eval_shape(step_all, states)[1],
        )

        def body(_: Array, carry: tuple) -> tuple:
            states, totals, counts = carry
            states, metrics = step_all(states)
            finite = jax.tree.map(jnp.isfinite, metrics)
            known = jax.tree.map(lambda f, m: jnp.where(f, m, 0), finite, metrics)
            totals = jax.tree.map(jnp.add, totals, known)
            return states, totals, jax.tree.map(jnp.add, counts, finite)

        carry = (states, zeros, zeros)
        states, totals, counts = jax.lax.fori_loop(0, steps, body, carry)
        means = jax.tree.map(jnp.divide, totals, counts)
        means["nonfinite_steps"] = jax.vmap(nonfinite_steps)(states.opt_state)
        return states, means

    return chunk


OnChunk = Callable[[TrainState, dict[str, np.ndarray]], None]


def fit(
    model: Model,
    target: Target,
    config: Config,
    seeds: int | Sequence[int] = 1,
    *,
    states: TrainState | None = None,
    earlier_ess: Sequence[np.ndarray] = (),
    on_chunk: OnChunk | None = None,
    data: np.ndarray | None = None,
    placement: Placement = ONE_DEVICE,
    optimizer: optax.GradientTransformation | None = None,
) -> FitResult:
    """Train one model per seed, all in one compiled program.

    Args:
        model: from `build_model` with the same target and configuration.
        target: what to sample.
        config: `config.training` is what matters here.
        seeds: the seeds, or how many, counted from 0.
        states: where to continue; None starts afresh.
        earlier_ess: of every chunk before those states, (seeds,) each, for
            `training.stop_at_plateau` and `stop_at_ess`.
        on_chunk: called after every chunk with the states and one history row per
            seed, arrays of shape (seeds,); an exception it raises ends the training.
        data: what `training.data` holds, where it has been read before; None reads it.
        placement: over which devices to train, from `devices.place`.
        optimizer: of optax, in place of Adam with the configured rate and clipping.
            Steps that are not finite are left out all the same.

    Returns:
        Final states, history and times.

    Warns:
        RuntimeWarning: if half of the steps were skipped as not finite, or the action
            has no lower bound.

    Raises:
        ValueError: for seeds that cannot be used, see `seeds.check_seeds`; if the
            states are of another number of them, a step needs more
            memory than there is, or `training.data` does not hold what it should.
    """
    config = complete_model(config, target)
    seeds = check_seeds(seeds)
    if states is None:
        states = init_states(model, config, seeds, optimizer)
    if len(states.step) != len(seeds):
        raise ValueError(
            f"states hold {len(states.step)} seeds, but {len(seeds)} are asked for"
        )
    if data is None:
        data = read_data("training", config, target)
    examples = None if data is None else jnp.asarray(data, target.dtype)
    examples = placement.replicate(examples)
    done = int(states.step[0])
    start = time.perf_counter()
    source = build_source(target, config)
    if source is not None and states.source == ():
        states = states._replace(source=start_source(source, states.key))
    # Donation would spoil a caller's own states, so the loop owns a copy.
    states = placement.spread(jax.tree.map(jnp.copy, states))
    chunk = build_chunk(model, target, config, placement.seeds_axis, optimizer)
    compiled = placement.compile(chunk, states, np.int32(0), examples)
    check_memory(compiled, "training", "lower training.batch_size")
    compile_seconds = time.perf_counter() - start

    rows: list[dict[str, np.ndarray]] = []
    wall = 0.0
    ess = list(earlier_ess)
    stopped = None
    while done < config.training.steps:
        stopped = why_stopped(ess, config.training)
        if stopped is not None:
            break
        steps = min(config.training.chunk, config.training.steps - done)
        start = time.perf_counter()
        states, means = compiled(states, np.int32(steps), examples)
        row = jax.tree.map(np.asarray, means)
        wall += time.perf_counter() - start
        done += steps
        row["step"] = np.full(len(seeds), done)
        row["samples_drawn"] = row["step"] * config.training.batch_size
        row["seconds"] = np.full(len(seeds), wall)
        row["compile_seconds"] = np.full(len(seeds), compile_seconds)
        rows.append(row)
        if on_chunk is not None:
            on_chunk(states, row)
        ess.append(row["ess"])
    if rows:
        _warn(rows[-1], target)
    history = (
        {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        if rows
        else {}
    )
    return FitResult(placement.collect(states), history, wall, compile_seconds, stopped)


def _warn(last: dict[str, np.ndarray], target: Target) -> None:
    """Warn of a training that cannot have led anywhere, by its last row."""
    skipped = int(np.max(last["nonfinite_steps"]))
    found = [doubts.skipped_steps(skipped, int(last["step"][0]))]
    size = prod(target.event_shape)
    if not np.all(np.abs(last["log_z"]) < doubts.SUSPICIOUS * size):
        normal = np.random.default_rng(0).normal(size=(doubts.RAYS, size))
        x = normal.reshape(-1, *target.event_shape) * np.sqrt(target.prior_variance)
        found.append(doubts.lower_bound(target, x))
    for sentence in found:
        if sentence is not None:
            warnings.warn(f"{target.name}: {sentence}", RuntimeWarning, stacklevel=3)

"""Training: one step, chunks of steps in one compiled call, ensembles of seeds."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from sesamo_jax import objectives
from sesamo_jax.config import Config
from sesamo_jax.core import Array, Key, Model, Params, Samples, Target
from sesamo_jax.data import read_data
from sesamo_jax.density import AS_DRAWN, leaked, log_q
from sesamo_jax.likelihood import likelihood_share, mix, negative_log_likelihoods
from sesamo_jax.memory import check_memory
from sesamo_jax.numerics import batch_ess, log_mean_exp
from sesamo_jax.optim import build_optimizer, nonfinite_steps
from sesamo_jax.penalty import penalty
from sesamo_jax.validation import complete


class TrainState(NamedTuple):
    """What one seed carries from step to step.

    Attributes:
        params: of the model.
        opt_state: of the optimiser.
        step: steps taken, int32.
        key: root key; step i uses fold_in(key, i), so that a resumed run draws what an
            uninterrupted one would have drawn.
    """

    params: Params
    opt_state: optax.OptState
    step: Array
    key: Key


class FitResult(NamedTuple):
    """A trained ensemble; every leaf of `states` has a leading axis over seeds.

    Attributes:
        states: final states.
        history: one array of shape (rows, seeds) per quantity, a row per chunk.
        wall_seconds: training, all seeds together, without compilation.
        compile_seconds: compilation of the chunk.
    """

    states: TrainState
    history: dict[str, np.ndarray]
    wall_seconds: float
    compile_seconds: float

    @property
    def params(self) -> Params:
        """Parameters with a leading axis over seeds."""
        return self.states.params


def batch_loss(
    model: Model,
    target: Target,
    config: Config,
    params: Params,
    key: Key,
    amplitude: Array | float | None = None,
    data: Array | None = None,
    share: Array | float = 1.0,
) -> tuple[Array, dict[str, Array]]:
    """Return the loss of one batch and its metrics, all scalars.

    The configuration must be complete; `amplitude` is the penalty's A, None for the
    configured starting value. `maximum_likelihood` needs `data`, (n, *event_shape), and
    the `share` lambda of their likelihood. Where it is 1 throughout, no samples of the
    model are drawn: `loss` is the NLL, and `ess`, `log_z` and `leak` are NaN.
    """
    training = config.training
    if training.objective != "maximum_likelihood":
        return _model_loss(model, target, config, params, key, amplitude)
    assert data is not None  # `complete` has refused the objective without them
    terms = negative_log_likelihoods(model, target, training, params, key, data)
    reverse = None
    if training.likelihood_share < 1:
        reverse = _model_loss(model, target, config, params, key, amplitude)
    return mix(terms, reverse, share)


def _model_loss(
    model: Model,
    target: Target,
    config: Config,
    params: Params,
    key: Key,
    amplitude: Array | float | None,
) -> tuple[Array, dict[str, Array]]:
    """Return the loss of one batch of the model's samples, and its metrics.

    With the path gradient, log q~ is evaluated at fixed flow parameters, so that they
    act through y alone ("sticking the landing"): the part left out has zero mean, and
    without it the gradient noise vanishes as q approaches p. Parameters of a learned
    law keep their gradient.
    """
    training = config.training
    over_images = training.objective == "rao_blackwell"
    if over_images:
        assert model.images is not None  # `complete` has refused continuous groups
        samples = model.images(params, key, training.batch_size)
    else:
        samples = model.sample(params, key, training.batch_size)
    log_w = _log_weights(model, target, config, params, samples, over_images)
    margins = model.margins(samples.y)
    lam = jnp.zeros(margins.shape[:-1], margins.dtype)
    if training.density == "cell":
        start = config.penalty.amplitude
        lam = penalty(
            margins, start if amplitude is None else amplitude, config.penalty.sharpness
        )
    if training.objective == "self_reparam":
        loss = objectives.self_reparam(log_w, lam, training.gamma)
    elif training.objective == "reinforce":
        loss = objectives.reinforce(log_w, lam, samples.log_p_u)
    elif training.objective == "forward_kl":
        loss = objectives.forward_kl(log_w)
    elif over_images:
        loss = objectives.rao_blackwell(log_w, lam, samples.log_p_u)
    else:
        loss = objectives.reverse_kl(log_w, lam)
    log_share, log_z, terms = None, log_mean_exp(log_w), -log_w
    if over_images:
        log_share = samples.log_p_u - jnp.log(training.batch_size)
        log_z = jax.nn.logsumexp(log_share + log_w)
        terms = -jnp.sum(jnp.exp(samples.log_p_u) * log_w, axis=1)
    metrics = {
        "loss": loss,
        "loss_std": jnp.std(lam + terms),
        "ess": batch_ess(log_w, log_share),
        "log_z": log_z,
        "leak": jnp.mean(leaked(margins), dtype=log_w.dtype),
    }
    return loss, metrics


def _log_weights(
    model: Model,
    target: Target,
    config: Config,
    params: Params,
    samples: Samples,
    over_images: bool,
) -> Array:
    action = jax.vmap(target.action)
    actions = (jax.vmap(action) if over_images else action)(samples.x)
    density = config.training.density
    assert density is not None  # `complete` has filled it
    if config.training.gradient == "path":
        fixed = {**params, "flow": jax.lax.stop_gradient(params["flow"])}
        return -actions - log_q(model, fixed, samples, density)
    if density in AS_DRAWN:
        return -actions - samples.log_q
    return -actions - log_q(model, params, samples, density)


def penalty_amplitude(config: Config, step: Array) -> Array:
    """Return A at a step: from `amplitude` linearly to `final` half way, then constant.

    A large A chooses the cell. Kept on, it presses the density down along the cell's
    border, where the orbit density then misses mass of the target; with none at all,
    cell accounting rewards leaking, by log(1 + leak), which A > 2 outweighs.
    """
    start, end = config.penalty.amplitude, config.penalty.final
    progress = jnp.minimum(2 * step / config.training.steps, 1.0)
    return start + (end - start) * progress


def init_states(model: Model, config: Config, seeds: Sequence[int]) -> TrainState:
    """Return the initial states of several seeds, stacked along a leading axis."""
    optimizer = build_optimizer(config.training)

    def init(seed: Array) -> TrainState:
        params_key, key = jax.random.split(jax.random.key(seed))
        params = model.init(params_key)
        return TrainState(params, optimizer.init(params), jnp.int32(0), key)

    return jax.jit(jax.vmap(init))(jnp.asarray(seeds, jnp.uint32))


def build_chunk(
    model: Model, target: Target, config: Config
) -> Callable[..., tuple[TrainState, dict[str, Array]]]:
    """Return `(states, steps, data) -> (states, mean metrics)`, to be jitted.

    The number of steps is a traced integer, so that a shorter last chunk compiles
    nothing. All seeds advance together, each by its own keys. Data, where there are
    any, are shared by all seeds and no part of the program.
    """
    optimizer = build_optimizer(config.training)
    value_and_grad = jax.value_and_grad(
        partial(batch_loss, model, target, config), has_aux=True
    )

    def step(
        state: TrainState, data: Array | None
    ) -> tuple[TrainState, dict[str, Array]]:
        key = jax.random.fold_in(state.key, state.step)
        amplitude = penalty_amplitude(config, state.step)
        share = likelihood_share(config.training, state.step)
        (_, metrics), grads = value_and_grad(state.params, key, amplitude, data, share)
        updates, opt_state = optimizer.update(
            grads, state.opt_state, state.params, value=metrics["loss_std"]
        )
        params = optax.apply_updates(state.params, updates)
        return TrainState(params, opt_state, state.step + 1, state.key), metrics

    def chunk(
        states: TrainState, steps: Array, data: Array | None = None
    ) -> tuple[TrainState, dict[str, Array]]:
        def step_all(states: TrainState) -> tuple[TrainState, dict[str, Array]]:
            return jax.vmap(step, (0, None))(states, data)

        totals = jax.tree.map(
            lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
            jax.eval_shape(step_all, states)[1],
        )

        def body(_: Array, carry: tuple) -> tuple:
            states, totals = carry
            states, metrics = step_all(states)
            return states, jax.tree.map(jnp.add, totals, metrics)

        states, totals = jax.lax.fori_loop(0, steps, body, (states, totals))
        means = jax.tree.map(lambda total: total / steps, totals)
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
    on_chunk: OnChunk | None = None,
    data: np.ndarray | None = None,
) -> FitResult:
    """Train one model per seed, all in one compiled program.

    Args:
        model: from `build_model` with the same target and configuration.
        target: what to sample.
        config: `config.training` is what matters here.
        seeds: the seeds, or how many, counted from 0.
        states: where to continue; None starts afresh.
        on_chunk: called after every chunk with the states and one history row per
            seed, arrays of shape (seeds,); an exception it raises ends the training.
        data: what `training.data` holds, where it has been read before; None reads it.

    Returns:
        Final states, history and times.

    Raises:
        ValueError: if the states are of another number of seeds, a step needs more
            memory than there is, or `training.data` does not hold what it should.
    """
    config = complete(config, target)
    if isinstance(seeds, int):
        seeds = range(seeds)
    if states is None:
        states = init_states(model, config, seeds)
    if len(states.step) != len(seeds):
        raise ValueError(
            f"states hold {len(states.step)} seeds, but {len(seeds)} are asked for"
        )
    if data is None:
        data = read_data("training", config, target)
    examples = None if data is None else jnp.asarray(data, target.dtype)
    # Donation would spoil a caller's own states, so the loop owns a copy.
    states = jax.tree.map(jnp.copy, states)
    start = time.perf_counter()
    chunk = jax.jit(build_chunk(model, target, config), donate_argnums=0)
    compiled = chunk.lower(states, jnp.int32(0), examples).compile()
    check_memory(compiled, "training", "lower training.batch_size")
    compile_seconds = time.perf_counter() - start

    rows: list[dict[str, np.ndarray]] = []
    wall, done = 0.0, int(states.step[0])
    while done < config.training.steps:
        steps = min(config.training.chunk, config.training.steps - done)
        start = time.perf_counter()
        states, means = compiled(states, jnp.int32(steps), examples)
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
    history = (
        {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        if rows
        else {}
    )
    return FitResult(states, history, wall, compile_seconds)

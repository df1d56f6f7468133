"""Tempered sequential Monte Carlo, by blackjax.

Particles start from a Gaussian whose normaliser is known, on a lattice the field
nearest to the target, and pass through the densities between it and the target,
start^(1 - t) target^t for t = 0 .. 1. The product over the
steps in t of their mean weights estimates Z (Del Moral, Doucet, Jasra, 2006). Without
resampling between the steps it is annealed importance sampling (Neal, 2001;
arXiv:physics/9803008).
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from math import exp, log, pi, prod
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Key, Target
from sesamo_jax.reference.move import Move, nothing
from sesamo_jax.reference.moves import build_moves
from sesamo_jax.reference.settings import SMCConfig
from sesamo_jax.reference.whitening import Whitening, whitening

# Spread of a trajectory's step size around the tuned one. Trajectories of one length
# could return to where they began, a whole period later. Numbers of steps as random as
# those of `hmc` could be too small for all particles of a temperature's one trajectory.
JITTER = 0.2


class Populations(NamedTuple):
    """What sequential Monte Carlo measured, from particles of equal weight.

    Arrays have leading axes (populations, particles).

    Attributes:
        x: configurations.
        observables: by name.
        sectors: symmetry sector, None without a symmetry.
        log_z: log of each population's estimate of Z, (populations,) float64.
        temperatures: number of steps in t.
        acceptance: mean acceptance rate over all temperatures.
        step_size: as tuned for t = 1, in white coordinates, see `whitening`.
        gradient_calls: evaluations of the action's gradient, all told.
        energy_calls: evaluations of the action, with or without its gradient.
        seconds: sampling and measuring.
        tuning_seconds: the pilot population, and compilation of everything.
        move_acceptance: that of all other moves, by name, see `moves`.
    """

    x: np.ndarray
    observables: dict[str, np.ndarray]
    sectors: np.ndarray | None
    log_z: np.ndarray
    temperatures: int
    acceptance: float
    step_size: float
    gradient_calls: int
    energy_calls: int
    seconds: float
    tuning_seconds: float
    move_acceptance: Mapping[str, float] = MappingProxyType({})


def run_smc(target: Target, config: SMCConfig, key: Key) -> Populations:
    """Run SMC once; see `build_smc`."""
    return build_smc(target, config)(key)


def build_smc(target: Target, config: SMCConfig) -> Callable[[Key], Populations]:
    """Return `key -> Populations`; its programs compile once for all keys.

    Independent populations of particles go from a Gaussian to the target.

    Every temperature resamples systematically, moves each particle along one HMC
    trajectory, and by the `moves` that suit the target with `config.modulation`, and
    weighs it for the next step in t. A pilot population finds the
    temperatures, each as far on as the target ESS allows, and lets its acceptance rate
    tune the step sizes. The others follow them: with a schedule that is not their own,
    each estimate of Z is unbiased. A last resampling and trajectory at t = 1 leave
    particles of equal weight.

    With `config.resampling` off, particles keep their weights until that last
    resampling: each goes its own way, and their weights are independent.

    Numerics: the start's log normaliser and the sum over temperatures are float64,
    whatever the target's type.

    Raises:
        ValueError: where no move suits the target and `config.modulation` asks for it;
            by the function returned, if the action is not finite where the particles
            start.
    """
    white = whitening(target, config.variance)
    moves = build_moves(target, config.modulation)
    programs = _programs(target, config, white, moves)
    return partial(_run, target, config, white, moves, programs)


def _run(
    target: Target,
    config: SMCConfig,
    white: Whitening,
    moves: tuple[Move, ...],
    programs: tuple[Callable, Callable, Callable, Callable],
    key: Key,
) -> Populations:
    begin = time.perf_counter()
    size, dtype = prod(target.event_shape), np.dtype(target.dtype).type
    start, next_temperature, advance, measure = programs
    pilot_key, run_key = jax.random.split(key)

    # The pilot compiles every program, so it measures, too.
    state, t = start(pilot_key), 0.0
    # The start has unit variance; the first move, at t = 0, need not move anything.
    schedule, step_size = [], 0.5
    while t < 1:
        pilot_key, step_key = jax.random.split(pilot_key)
        before, t = t, float(next_temperature(state))
        if not t > before:
            raise ValueError(
                f"smc stands still at temperature {before:.3g}: the action of "
                f"{target.name!r} is not finite on enough particles, set smc.variance "
                "to that of a Gaussian where it is"
            )
        schedule.append((dtype(t), dtype(step_size)))
        state, _, rate, _ = advance(step_key, state, *schedule[-1], True)
        step_size *= exp(float(rate) - config.acceptance)
    schedule.append((dtype(1), dtype(step_size)))
    jax.block_until_ready(measure(state.particles))
    ready = time.perf_counter()

    drawn, log_z, rates = [], [], []
    accepted: list[dict[str, Any]] = []
    for population_key in jax.random.split(run_key, config.populations):
        start_key, move_key = jax.random.split(population_key)
        state, weighed = start(start_key), []
        for index, step in enumerate(schedule):
            step_key = jax.random.fold_in(move_key, index)
            resample = config.resampling or index == len(schedule) - 1
            state, *results = advance(step_key, state, *step, resample)
            weighed.append(results)
        increments, acceptance, others = zip(*jax.device_get(weighed), strict=True)
        log_start = size / 2 * log(2 * pi) + white.log_det
        log_z.append(log_start + np.sum(increments, dtype=np.float64))
        rates.append(np.mean(acceptance, dtype=np.float64))
        accepted.extend(others)
        drawn.append(jax.device_get(measure(state.particles)))
    x, observables, sectors = jax.tree.map(lambda *parts: np.stack(parts), *drawn)
    done = time.perf_counter()

    temperatures = len(schedule) - 1
    # The pilot does without the last move.
    trajectories = config.populations * (temperatures + 1) + temperatures
    # The gradient again where other moves have led.
    each = config.leapfrog_steps + 1 + bool(moves)
    gradients = config.particles * trajectories * each
    along = sum(move.calls for move in moves)
    return Populations(
        x=x,
        observables=observables,
        sectors=sectors,
        log_z=np.array(log_z),
        temperatures=temperatures,
        acceptance=float(np.mean(rates)),
        move_acceptance={
            move.name: float(np.mean([rate[move.name] for rate in accepted]))
            for move in moves
        },
        step_size=step_size,
        gradient_calls=gradients,
        # Beside those of the gradients, one per particle and trajectory for the
        # weights, and one per particle and temperature of the pilot to find the next.
        energy_calls=gradients
        + config.particles * (trajectories * (1 + along) + temperatures),
        seconds=done - ready,
        tuning_seconds=ready - begin,
    )


def _programs(
    target: Target, config: SMCConfig, white: Whitening, moves: tuple[Move, ...]
) -> tuple[Callable, Callable, Callable, Callable]:
    """Return what a population does, in white coordinates, jitted.

    Returns:
        `key -> state`, particles of the start; `state -> t`, the next temperature for
        the target ESS; `(key, state, t, step_size, resample) -> (state, increment,
        rate, rates)`, which resamples or not, moves at the state's temperature and
        weighs for temperature t, with the log mean weight and the acceptance rates of
        trajectories and of other moves; `z -> (x, observables, sectors)`.
    """
    import blackjax  # here, since its import starts JAX's backend
    from blackjax.smc import ess, resampling, solver, tempered

    dtype = jnp.dtype(target.dtype)
    hamiltonian = blackjax.hmc.build_kernel()

    def log_start(z: Array) -> Array:
        return -jnp.sum(z**2) / 2

    def log_ratio(z: Array) -> Array:
        return -target.action(white.colour(z)) - log_start(z)

    def move(key: Key, state: Any, log_density: Callable, step_size: Array) -> tuple:
        def tempered_action(x: Array) -> Array:
            return -log_density(white.whiten(x))

        jitter_key, key, *others = jax.random.split(key, 2 + len(moves))
        step_size *= jax.random.uniform(jitter_key, (), dtype, 1 - JITTER, 1 + JITTER)
        masses = jnp.ones(prod(target.event_shape), dtype)
        state, info = hamiltonian(
            key, state, log_density, step_size, masses, config.leapfrog_steps
        )
        x, rates = white.colour(state.position), {}
        for other_key, row in zip(others, moves, strict=True):
            x, rates[row.name], _ = row.step(other_key, x, tempered_action, nothing)
        if moves:  # the gradient where they have led
            state = blackjax.hmc.init(white.whiten(x), log_density)
        return state, (info.acceptance_rate, rates)

    def start(key: Key) -> Any:
        shape = (config.particles, *target.event_shape)
        return _in(dtype, tempered.init(jax.random.normal(key, shape, dtype)))

    # Blackjax's solver works only in JAX's default type, which need not be dtype.
    def wide_ratios(x: Array) -> Array:
        return jax.vmap(log_ratio)(x).astype(float)

    def next_temperature(state: Any) -> Array:
        t = state.tempering_param.astype(float)
        return t + ess.ess_solver(
            wide_ratios, state.particles, config.target_ess, 1 - t, solver.dichotomy
        )

    def advance(
        key: Key, state: Any, t: Array, step_size: Array, resample: Array
    ) -> tuple:
        def origins(key: Key, weights: Array, n: int) -> Array:
            drawn = resampling.systematic(key, weights, n)
            return jnp.where(resample, drawn, jnp.arange(n))

        kernel = tempered.build_kernel(
            log_start, log_ratio, move, blackjax.hmc.init, origins
        )
        kept = jnp.where(resample, 1 / config.particles, state.weights)
        state, info = kernel(key, state, 1, t, {"step_size": step_size[None]})
        weights = kept * state.weights
        total = jnp.sum(weights)
        # The log mean weight of this step, over the weights that particles came with.
        increment = info.log_likelihood_increment + jnp.log(total * config.particles)
        rates = jax.tree.map(jnp.mean, info.update_info)
        return _in(dtype, (state._replace(weights=weights / total), increment, *rates))

    @jax.vmap
    def measure(z: Array) -> tuple:
        x, symmetry = white.colour(z), target.symmetry
        sector = None if symmetry is None else symmetry.sector(x)
        return x, target.observe(x), sector

    return jax.jit(start), jax.jit(next_temperature), jax.jit(advance), jax.jit(measure)


def _in(dtype: Any, tree: Any) -> Any:
    """Return a tree with all its leaves in one floating type."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), tree)

"""Hamiltonian Monte Carlo on the same targets, many chains at once, by blackjax."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Key, Target
from sesamo_jax.parallel.memory import check_memory
from sesamo_jax.reference.moves import Observe, build_moves, nothing
from sesamo_jax.reference.settings import HMCConfig
from sesamo_jax.reference.whitening import whitening

SMALLEST_SHARE = 1 / 32  # of the tuned step size, at the start of equilibration
LEAST_ACCEPTANCE = 0.02
FEWEST_TUNING = 150  # steps that tune, of one chain


class Chains(NamedTuple):
    """What HMC measured; arrays have leading axes (chains, samples).

    Attributes:
        x: configurations.
        observables: by name; where a move averages them, means over orbits.
        sectors: symmetry sector, None without a symmetry.
        acceptance: mean acceptance rate of trajectories.
        step_size: as tuned, in white coordinates, see `whitening`.
        gradient_calls: evaluations of the action's gradient, all told.
        energy_calls: evaluations of the action, with or without its gradient.
        seconds: equilibration and sampling.
        tuning_seconds: tuning, and compilation of everything.
        move_acceptance: that of all other moves, by name, see `moves`.
    """

    x: np.ndarray
    observables: dict[str, np.ndarray]
    sectors: np.ndarray | None
    acceptance: float
    step_size: float
    gradient_calls: int
    energy_calls: int
    seconds: float
    tuning_seconds: float
    move_acceptance: Mapping[str, float] = MappingProxyType({})


def run_hmc(
    target: Target, config: HMCConfig, key: Key, start: Array | None = None
) -> Chains:
    """Run HMC once; see `build_hmc`."""
    return build_hmc(target, config)(key, start)


def build_hmc(target: Target, config: HMCConfig) -> Callable[..., Chains]:
    """Return `(key, start=None) -> Chains`; its programs compile once for all keys.

    Chains start at `start`, (chains, *event_shape), or from independent draws of a
    Gaussian, that of `whitening`; with `config.one_start` all where the chain ended
    that tuned the step size. Trajectories move continuously, so where sectors are
    separated by high action every chain would stay in the one it fell into. With
    `config.modulation` each trajectory is followed by the `moves` that suit the target,
    which lead from sector to sector.

    Trajectories of one length bring a Gaussian mode of that period back to where it
    began, over and over. The number of leapfrog steps is therefore random, uniform in
    1 .. 2 n - 1 around `leapfrog_steps` n (Mackenzie 1989; Bou-Rabee and Sanz-Serna,
    arXiv:1511.09382), in tuning too. It does not depend on the chains, so that they may
    share it and none waits for another.

    Raises:
        ValueError: where no move suits the target and `config.modulation` asks for it;
            by the function returned, if chains need more memory than there is or hardly
            move.
    """
    import blackjax  # here, since its import starts JAX's backend

    moves = build_moves(target, config.modulation)
    white = whitening(target)
    hamiltonian = blackjax.hmc.build_kernel()

    def log_density(z: Array) -> Array:
        return -target.action(white.colour(z))

    def steps(key: Key) -> Array:
        return jax.random.randint(key, (), 1, 2 * config.leapfrog_steps)

    def tuning_kernel(
        key: Key, state: Any, log_density: Callable, step_size: Array, masses: Array
    ) -> tuple[Any, Any]:
        steps_key, key = jax.random.split(key)
        return hamiltonian(key, state, log_density, step_size, masses, steps(steps_key))

    tuning = blackjax.window_adaptation(
        SimpleNamespace(init=blackjax.hmc.init, build_kernel=lambda: tuning_kernel),
        log_density,
        target_acceptance_rate=config.acceptance,
        adaptation_info_fn=lambda state, info, _: info.num_integration_steps,
    )
    tune = jax.jit(tuning.run, static_argnums=2)

    def advance(
        tuned: Any, observe: Observe, states: Any, step: tuple[Array, Key]
    ) -> tuple[Any, tuple]:
        """Move all chains once, with part of the tuned step size, and observe."""
        share, key = step
        steps_key, key = jax.random.split(key)
        number = steps(steps_key)
        step_size = share * tuned["step_size"]

        def move(key: Key, state: Any) -> tuple[Any, Any, dict, Any]:
            masses = tuned["inverse_mass_matrix"]
            first, *others = jax.random.split(key, 1 + len(moves))
            state, info = hamiltonian(
                first, state, log_density, step_size, masses, number
            )
            x, rates = white.colour(state.position), {}
            observed = None if moves else observe(x)
            for later, (key, row) in enumerate(zip(others, moves, strict=True), 1):
                last = observe if later == len(moves) else nothing
                x, rate, observed = row.step(key, x, target.action, last)
                rates[row.name] = rate
            if moves:  # the gradient where they have led
                state = blackjax.hmc.init(white.whiten(x), log_density)
            return state, info.acceptance_rate, rates, observed

        keys = jax.random.split(key, config.chains)
        states, *results = jax.vmap(move)(keys, states)
        return states, (*results, number)

    def stored(tuned: Any, states: Any, key: Key) -> tuple[Any, tuple]:
        keys = jax.random.split(key, config.thinning)
        full, others = jnp.ones((), target.dtype), jnp.asarray(0)
        if config.thinning > 1:
            passed = jnp.ones(config.thinning - 1, target.dtype), keys[1:]
            states, (*_, numbers) = jax.lax.scan(
                partial(advance, tuned, nothing), states, passed
            )
            others = jnp.sum(numbers)
        states, (rate, rates, observed, number) = advance(
            tuned, target.observe, states, (full, keys[0])
        )
        x, symmetry = jax.vmap(white.colour)(states.position), target.symmetry
        sectors = None if symmetry is None else jax.vmap(symmetry.sector)(x)
        return states, ((x, observed, sectors, rate, rates), number + others)

    @jax.jit
    def sample(start: Array, tuned: Any, key: Key) -> tuple[tuple, Array]:
        """Return samples, with axes (samples, chains), and all leapfrog steps."""
        warm_key, run_key = jax.random.split(key)
        states = jax.vmap(lambda z: blackjax.hmc.init(z, log_density))(start)
        # Forces may be steep where chains start.
        shares = jnp.geomspace(SMALLEST_SHARE, 1, config.warmup, dtype=target.dtype)
        warm = shares, jax.random.split(warm_key, config.warmup)
        states, (*_, first) = jax.lax.scan(
            partial(advance, tuned, nothing), states, warm
        )
        keys = jax.random.split(run_key, config.samples)
        drawn, rest = jax.lax.scan(partial(stored, tuned), states, keys)[1]
        return drawn, jnp.sum(first) + jnp.sum(rest)

    compiled: jax.stages.Compiled | None = None

    def run(key: Key, start: Array | None) -> Chains:
        nonlocal compiled
        begin = time.perf_counter()
        start_key, tune_key, run_key = jax.random.split(key, 3)
        shape = (config.chains, *target.event_shape)
        if start is None:
            z = jax.random.normal(start_key, shape, target.dtype)
        else:
            z = jax.vmap(white.whiten)(jnp.asarray(start, target.dtype))
        steps_of_tuning = max(config.warmup, FEWEST_TUNING)
        (state, tuned), tuning_steps = tune(tune_key, z[0], steps_of_tuning)
        if config.one_start:
            z = jnp.broadcast_to(state.position, shape)
        if compiled is None:
            compiled = sample.lower(z, tuned, run_key).compile()
            check_memory(compiled, "hmc", "lower hmc.chains or hmc.samples")
        jax.block_until_ready(tuned)
        ready = time.perf_counter()
        drawn, chain_steps = jax.device_get(compiled(z, tuned, run_key))
        done = time.perf_counter()
        x, measured, sectors, rates, others = jax.tree.map(
            lambda a: np.swapaxes(a, 0, 1), drawn
        )
        _check_movement(rates)
        # Each step takes a gradient, and so does the beginning of every chain, and the
        # place where moves have led.
        trajectories = config.warmup + config.samples * config.thinning
        calls = int(np.sum(tuning_steps)) + 1
        calls += config.chains * (int(chain_steps) + 1)
        calls += config.chains * trajectories * bool(moves)
        along = config.chains * trajectories * sum(move.calls for move in moves)
        return Chains(
            x=x,
            observables=measured,
            sectors=sectors,
            acceptance=float(np.mean(rates)),
            move_acceptance={name: float(np.mean(r)) for name, r in others.items()},
            step_size=float(tuned["step_size"]),
            gradient_calls=calls,
            energy_calls=calls + along,  # a gradient comes with the action
            seconds=done - ready,
            tuning_seconds=ready - begin,
        )

    def in_own_type(key: Key, start: Array | None = None) -> Chains:
        # blackjax tunes in the widest type that is switched on, whatever chains are.
        with jax.enable_x64(target.dtype == jnp.float64):
            return run(key, start)

    return in_own_type


def _check_movement(acceptance: np.ndarray) -> None:
    """Raise ValueError if a chain, (chains, samples), hardly ever moved."""
    stuck = int(np.sum(acceptance.mean(axis=1) < LEAST_ACCEPTANCE))
    if stuck:
        raise ValueError(
            f"{stuck} of {len(acceptance)} hmc chains are stuck, with less than "
            f"{LEAST_ACCEPTANCE:.0%} of their trajectories accepted: raise hmc.warmup "
            "or hmc.acceptance"
        )

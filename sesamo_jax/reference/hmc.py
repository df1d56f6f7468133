"""Hamiltonian Monte Carlo on the same targets, many chains at once, by blackjax."""

import time
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Key, Target
from sesamo_jax.parallel.memory import check_memory
from sesamo_jax.reference.settings import HMCConfig

SMALLEST_SHARE = 1 / 32  # of the tuned step size, at the start of equilibration
LEAST_ACCEPTANCE = 0.02


class Chains(NamedTuple):
    """What HMC measured; arrays have leading axes (chains, samples).

    Attributes:
        x: configurations.
        observables: by name.
        sectors: symmetry sector, None without a symmetry.
        acceptance: mean acceptance rate.
        step_size: as tuned.
        gradient_calls: evaluations of the action's gradient, all told.
        energy_calls: evaluations of the action, with or without its gradient.
        seconds: equilibration and sampling.
        tuning_seconds: tuning, and compilation of everything.
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


def run_hmc(target: Target, config: HMCConfig, key: Key) -> Chains:
    """Run HMC once; see `build_hmc`."""
    return build_hmc(target, config)(key)


def build_hmc(target: Target, config: HMCConfig) -> Callable[[Key], Chains]:
    """Return `key -> Chains`; its programs compile once for all keys.

    Chains start from independent draws of the target's Gaussian prior, or, with
    `config.one_start`, all where the chain ended that tuned the step size. HMC moves
    continuously, so where sectors are separated by high action every chain stays in the
    one it fell into: sector shares then say where chains started.

    Trajectories of one length bring a Gaussian mode of that period back to where it
    began, over and over. The number of leapfrog steps is therefore random, uniform in
    1 .. 2 n - 1 around `leapfrog_steps` n (Mackenzie 1989; Bou-Rabee and Sanz-Serna,
    arXiv:1511.09382), in tuning too. It does not depend on the chains, so that they may
    share it and none waits for another.

    Raises:
        ValueError: by the function returned, if chains need more memory than there is
            or hardly move.
    """
    import blackjax  # here, since its import starts JAX's backend

    log_density = partial(_negative, target)
    hamiltonian = blackjax.hmc.build_kernel()

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

    def advance(tuned: Any, states: Any, step: tuple[Array, Key]) -> tuple[Any, tuple]:
        """Move all chains along one trajectory, with part of the tuned step size."""
        share, key = step
        steps_key, key = jax.random.split(key)
        number = steps(steps_key)
        step_size = share * tuned["step_size"]

        def move(key: Key, state: Any) -> tuple[Any, Any]:
            masses = tuned["inverse_mass_matrix"]
            return hamiltonian(key, state, log_density, step_size, masses, number)

        states, info = jax.vmap(move)(jax.random.split(key, config.chains), states)
        return states, (info.acceptance_rate, number)

    def stored(tuned: Any, states: Any, key: Key) -> tuple[Any, tuple]:
        keys = jax.random.split(key, config.thinning)
        full = jnp.ones(config.thinning, target.dtype)
        states, (rates, numbers) = jax.lax.scan(
            partial(advance, tuned), states, (full, keys)
        )
        x, symmetry = states.position, target.symmetry
        sectors = None if symmetry is None else jax.vmap(symmetry.sector)(x)
        measured = jax.vmap(target.observe)(x)
        return states, (x, measured, sectors, rates.mean(axis=0), jnp.sum(numbers))

    @jax.jit
    def sample(start: Array, tuned: Any, key: Key) -> tuple[tuple, Array]:
        """Return samples, with axes (samples, chains), and all leapfrog steps."""
        warm_key, run_key = jax.random.split(key)
        states = jax.vmap(lambda x: blackjax.hmc.init(x, log_density))(start)
        # Forces may be steep where chains start.
        shares = jnp.geomspace(SMALLEST_SHARE, 1, config.warmup, dtype=target.dtype)
        warm = shares, jax.random.split(warm_key, config.warmup)
        states, (_, first) = jax.lax.scan(partial(advance, tuned), states, warm)
        keys = jax.random.split(run_key, config.samples)
        *drawn, rest = jax.lax.scan(partial(stored, tuned), states, keys)[1]
        return tuple(drawn), jnp.sum(first) + jnp.sum(rest)

    compiled: jax.stages.Compiled | None = None

    def run(key: Key) -> Chains:
        nonlocal compiled
        begin = time.perf_counter()
        start_key, tune_key, run_key = jax.random.split(key, 3)
        shape = (config.chains, *target.event_shape)
        start = jax.random.normal(start_key, shape, target.dtype)
        start = start * jnp.sqrt(jnp.asarray(target.prior_variance, target.dtype))
        (state, tuned), tuning_steps = tune(tune_key, start[0], config.warmup)
        if config.one_start:
            start = jnp.broadcast_to(state.position, shape)
        if compiled is None:
            compiled = sample.lower(start, tuned, run_key).compile()
            check_memory(compiled, "hmc", "lower hmc.chains or hmc.samples")
        jax.block_until_ready(tuned)
        ready = time.perf_counter()
        drawn, chain_steps = jax.device_get(compiled(start, tuned, run_key))
        done = time.perf_counter()
        x, measured, sectors, rates = jax.tree.map(
            lambda a: np.swapaxes(a, 0, 1), drawn
        )
        _check_movement(rates)
        # Each step takes a gradient, and so does the beginning of every chain.
        calls = int(np.sum(tuning_steps)) + 1
        calls += config.chains * (int(chain_steps) + 1)
        return Chains(
            x=x,
            observables=measured,
            sectors=sectors,
            acceptance=float(np.mean(rates)),
            step_size=float(tuned["step_size"]),
            gradient_calls=calls,
            energy_calls=calls,  # the action is taken only where its gradient is
            seconds=done - ready,
            tuning_seconds=ready - begin,
        )

    def in_own_type(key: Key) -> Chains:
        # blackjax tunes in the widest type that is switched on, whatever chains are.
        with jax.enable_x64(target.dtype == jnp.float64):
            return run(key)

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


def _negative(target: Target, x: Array) -> Array:
    return -target.action(x)

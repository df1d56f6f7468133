"""Hamiltonian Monte Carlo on the same targets, many chains at once, by blackjax."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Key, Target
from sesamo_jax.parallel.memory import check_memory
from sesamo_jax.reference.move import Observe, nothing
from sesamo_jax.reference.settings import HMCConfig
from sesamo_jax.reference.trajectory import build_trajectory, warm_up_shares

LEAST_ACCEPTANCE = 0.02


class Chains(NamedTuple):
    """What HMC measured; arrays have leading axes (chains, samples).

    Attributes:
        x: configurations.
        observables: by name; where a move averages them, means over orbits.
        at_samples: scalar observables at x itself, which vary more.
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
    at_samples: dict[str, np.ndarray]
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

    The random number of leapfrog steps, see `build_trajectory`, does not depend on the
    chains, so that they may share it and none waits for another.

    Raises:
        ValueError: where no move suits the target and `config.modulation` asks for it;
            by the function returned, if chains need more memory than there is or hardly
            move.
    """
    trajectory = build_trajectory(target, config)
    white = trajectory.white
    tune = jax.jit(trajectory.tune)

    def advance(
        tuned: Any, observe: Observe, states: Any, step: tuple[Array, Key]
    ) -> tuple[Any, tuple]:
        """Move all chains once, with part of the tuned step size, and observe."""
        share, key = step
        steps_key, key = jax.random.split(key)
        number = trajectory.number(steps_key)

        def move(key: Key, state: Any) -> tuple[Any, Array, dict[str, Array], Any]:
            return trajectory.advance(key, state, tuned, share, number, observe)

        keys = jax.random.split(key, config.chains)
        states, rate, rates, observed = jax.vmap(move)(keys, states)
        return states, (rate, rates, observed, number)

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
        every = jax.vmap(target.observe)(x)
        scalars = {name: value for name, value in every.items() if value.ndim == 1}
        drawn = x, observed, scalars, sectors, rate, rates
        return states, (drawn, number + others)

    @jax.jit
    def sample(start: Array, tuned: Any, key: Key) -> tuple[tuple, Array]:
        """Return samples, with axes (samples, chains), and all leapfrog steps."""
        warm_key, run_key = jax.random.split(key)
        states = jax.vmap(trajectory.begin)(start)
        shares = warm_up_shares(config.warmup, target.dtype)
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
        end, tuned, tuning_steps = tune(tune_key, z[0])
        if config.one_start:
            z = jnp.broadcast_to(end, shape)
        if compiled is None:
            compiled = sample.lower(z, tuned, run_key).compile()
            check_memory(compiled, "hmc", "lower hmc.chains or hmc.samples")
        jax.block_until_ready(tuned)
        ready = time.perf_counter()
        drawn, chain_steps = jax.device_get(compiled(z, tuned, run_key))
        done = time.perf_counter()
        x, measured, scalars, sectors, rates, others = jax.tree.map(
            lambda a: np.swapaxes(a, 0, 1), drawn
        )
        require_movement(rates)
        trajectories = config.warmup + config.samples * config.thinning
        gradients, energies = trajectory.calls(
            config.chains, trajectories, int(chain_steps)
        )
        of_tuning = int(tuning_steps) + 1
        return Chains(
            x=x,
            observables=measured,
            at_samples=scalars,
            sectors=sectors,
            acceptance=float(np.mean(rates)),
            move_acceptance={name: float(np.mean(r)) for name, r in others.items()},
            step_size=float(tuned["step_size"]),
            gradient_calls=gradients + of_tuning,
            energy_calls=energies + of_tuning,
            seconds=done - ready,
            tuning_seconds=ready - begin,
        )

    def in_own_type(key: Key, start: Array | None = None) -> Chains:
        # blackjax tunes in the widest type that is switched on, whatever chains are.
        with jax.enable_x64(target.dtype == jnp.float64):
            return run(key, start)

    return in_own_type


def require_movement(acceptance: np.ndarray) -> None:
    """Raise ValueError if a chain, (chains, samples), hardly ever moved."""
    stuck = int(np.sum(acceptance.mean(axis=1) < LEAST_ACCEPTANCE))
    if stuck:
        raise ValueError(
            f"{stuck} of {len(acceptance)} hmc chains are stuck, with less than "
            f"{LEAST_ACCEPTANCE:.0%} of their trajectories accepted: raise hmc.warmup "
            "or hmc.acceptance"
        )

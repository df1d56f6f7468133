"""Hamiltonian Monte Carlo on the same targets, many chains at once, by blackjax."""

import time
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Key, Target
from sesamo_jax.memory import check_memory
from sesamo_jax.reference.config import HMCConfig

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
    """Run HMC chains that start from independent draws of the target's Gaussian prior.

    With `config.one_start` all start where the chain ended that tuned the step size.
    HMC moves continuously, so where sectors are separated by high action every chain
    stays in the one it fell into: sector shares then say where chains started.
    """
    # blackjax tunes in the widest type that is switched on, whatever the chains are.
    with jax.enable_x64(target.dtype == jnp.float64):
        return _run(target, config, key)


def _run(target: Target, config: HMCConfig, key: Key) -> Chains:
    import blackjax  # here, since its import starts JAX's backend

    begin = time.perf_counter()
    start_key, tune_key, warm_key, run_key = jax.random.split(key, 4)
    shape = (config.chains, *target.event_shape)
    start = jax.random.normal(start_key, shape, target.dtype)
    start = start * jnp.sqrt(jnp.asarray(target.prior_variance, target.dtype))
    log_density = partial(_negative, target)
    tuning = blackjax.window_adaptation(
        blackjax.hmc,
        log_density,
        num_integration_steps=config.leapfrog_steps,
        target_acceptance_rate=config.acceptance,
    )
    (tuned, parameters), _ = jax.jit(tuning.run, static_argnums=2)(
        tune_key, start[0], config.warmup
    )
    if config.one_start:
        start = jnp.broadcast_to(tuned.position, shape)
    kernel = blackjax.hmc(log_density, **parameters)

    def advance(state: Any, key: Key) -> tuple[Any, Any]:
        return kernel.step(key, state)

    def approach(state: Any, step: tuple[Array, Key]) -> tuple[Any, None]:
        """Move with part of the step size: forces may be steep where chains start."""
        share, key = step
        shorter = {**parameters, "step_size": share * parameters["step_size"]}
        return blackjax.hmc(log_density, **shorter).step(key, state)[0], None

    def stored(state: Any, key: Key) -> tuple[Any, tuple]:
        keys = jax.random.split(key, config.thinning)
        state, info = jax.lax.scan(advance, state, keys)
        x = state.position
        measured = target.observe(x)
        symmetry = target.symmetry
        sector = None if symmetry is None else symmetry.sector(x)
        return state, (x, measured, sector, jnp.mean(info.acceptance_rate))

    @jax.jit
    @jax.vmap
    def chain(position: Array, warm_key: Key, run_key: Key) -> tuple:
        state = kernel.init(position)
        shares = jnp.geomspace(SMALLEST_SHARE, 1, config.warmup, dtype=target.dtype)
        warm_keys = jax.random.split(warm_key, config.warmup)
        state, _ = jax.lax.scan(approach, state, (shares, warm_keys))
        return jax.lax.scan(stored, state, jax.random.split(run_key, config.samples))[1]

    keys = [jax.random.split(k, config.chains) for k in (warm_key, run_key)]
    compiled = chain.lower(start, *keys).compile()
    check_memory(compiled, "hmc", "lower hmc.chains or hmc.samples")
    ready = time.perf_counter()
    x, measured, sectors, acceptance = jax.device_get(compiled(start, *keys))
    done = time.perf_counter()
    _check_movement(acceptance)
    trajectories = config.warmup + config.samples * config.thinning
    calls = (config.warmup + config.chains * trajectories) * config.leapfrog_steps
    return Chains(
        x,
        measured,
        sectors,
        float(np.mean(acceptance)),
        float(parameters["step_size"]),
        calls,
        calls,  # a trajectory takes the action only where it takes the gradient
        done - ready,
        ready - begin,
    )


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

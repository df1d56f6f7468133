"""Samples of the target that are not the model's: chains that start in many places."""

from collections.abc import Callable
from math import isnan, sqrt
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.config.schema import Config
from sesamo_jax.core import Array, Key, Model, Params, Target
from sesamo_jax.estimators import doubts
from sesamo_jax.estimators.autocorrelation import gamma_method
from sesamo_jax.estimators.convergence import r_hat
from sesamo_jax.reference.hmc import build_hmc
from sesamo_jax.reference.settings import HMCConfig

CHAINS, LEAPFROG_STEPS = 16, 10
LEAST_LENGTH, MOST_LENGTH = 60, 600  # trajectories of a chain, a third to equilibrate
SHARE = 0.2  # of the evaluations of f that training has taken
FEWEST = 100.0  # independent samples


class Witness(NamedTuple):
    """Samples of p from chains.

    Attributes:
        source: what they are, for the verdict.
        x: (chains, samples, *event_shape).
        action: f there, (chains, samples).
        sectors: symmetry sectors, (chains, samples); None without a list of them.
        observables: scalar ones by name, (chains, samples).
        doubt: why they cannot be trusted; None where they can.
    """

    source: str
    x: np.ndarray
    action: np.ndarray
    sectors: np.ndarray | None
    observables: dict[str, np.ndarray]
    doubt: str | None


def _length(config: Config) -> int:
    """Return how many trajectories a chain has: a share of training's evaluations."""
    training = config.training
    calls = SHARE * training.steps * training.batch_size
    longest = int(calls / (CHAINS * LEAPFROG_STEPS))
    return min(max(longest, LEAST_LENGTH), MOST_LENGTH)


def build_witness(
    model: Model, target: Target, config: Config
) -> Callable[[Params, Key], Witness] | None:
    """Return `(params, key) -> Witness`, of the parameters of one seed.

    One witness serves all seeds of a run: it is of p, whatever the model is. None where
    the target has exact samples, at which a model knows its density.
    """
    if target.sample is not None and model.log_prob is not None:
        return None
    total = _length(config)
    settings = HMCConfig(
        chains=CHAINS,
        warmup=total // 3,
        samples=total - total // 3,
        leapfrog_steps=LEAPFROG_STEPS,
    )
    source = "HMC" if target.symmetry is None else "modulated HMC"
    sampler = build_hmc(target, settings)
    action = jax.jit(jax.vmap(jax.vmap(target.action)))

    @jax.jit
    def start_of(params: Params, key: Key) -> Array:
        return model.sample(params, key, CHAINS // 2).x

    def chains(params: Params, key: Key) -> Witness:
        start_key, normal_key, key = jax.random.split(key, 3)
        own = start_of(params, start_key)
        normal = jax.random.normal(normal_key, own.shape, own.dtype)
        start = jnp.concatenate([own, sqrt(target.prior_variance) * normal])
        try:
            drawn = sampler(key, start)
        except ValueError as error:  # chains that cannot move
            nothing = np.zeros((0, 0))
            return Witness(source, nothing, nothing, None, {}, str(error))
        f = np.asarray(action(drawn.x), np.float64)
        doubt = disagreement("the action", f) or _few(f)
        listed = None if target.listed_sectors is None else drawn.sectors
        scalars = {k: v for k, v in drawn.observables.items() if v.ndim == 2}
        return Witness(source, drawn.x, f, listed, scalars, doubt)

    return chains


def disagreement(name: str, values: np.ndarray) -> str | None:
    """Return a sentence if chains disagree on a quantity of theirs, or None."""
    if not np.isfinite(values).all() or not r_hat(values) > doubts.LARGEST_R_HAT:
        return None
    return (
        f"chains from the model and from elsewhere disagree on {name} (R-hat "
        f"{r_hat(values):.2f}): they have not reached all that there is"
    )


def _few(values: np.ndarray) -> str | None:
    """Return a sentence if chains of f, (chains, samples), are too short, or None."""
    tau = gamma_method(values).tau_int
    independent = 0.0 if isnan(tau) else values.size / (2 * tau)
    if independent < FEWEST:
        return f"the chains hold only {independent:.0f} independent samples"
    return None

"""HMC: far starts, resonances of free fields, and what is counted."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerances import SIGMAS

from sesamo_jax.config import HMCConfig
from sesamo_jax.core import Target
from sesamo_jax.estimators.autocorrelation import gamma_method
from sesamo_jax.reference.hmc import build_hmc, run_hmc
from sesamo_jax.targets import build_target


def quartic(variance, dtype=jnp.float64):
    return Target(
        name="quartic",
        event_shape=(3,),
        action=lambda x: jnp.sum(x**4),
        prior_variance=variance,
        dtype=dtype,
        observables={"virial": lambda x: 4 * jnp.mean(x**4)},
    )


def test_every_chain_leaves_a_start_of_steep_action(key):
    """Of the critical theory one chain in thirty once stayed there for good."""
    space = {"shape": (8, 8), "mass2": -4.0, "lam": 6.008, "dtype": "float64"}
    target = build_target("phi4_real", **space)
    chains = run_hmc(target, HMCConfig(chains=100, samples=50), key)
    action = chains.observables["action_density"].mean(axis=1)
    assert np.ptp(action) < 1
    assert len(np.unique(chains.x[:, :, 0, 0])) > 0.6 * chains.x[:, :, 0, 0].size


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_virial_after_a_far_start(key, dtype):
    chains = run_hmc(quartic(30.0, dtype), HMCConfig(chains=20, samples=500), key)
    assert chains.x.dtype == dtype
    means = chains.observables["virial"].mean(axis=1)
    assert abs(means.mean() - 1) < 5 * means.std(ddof=1) / np.sqrt(len(means))


def test_stuck_chains_are_reported(key):
    with pytest.raises(ValueError, match=r"of 8 hmc chains are stuck.*hmc\.warmup"):
        run_hmc(quartic(1e8), HMCConfig(chains=8, warmup=50, samples=20), key)


@pytest.mark.slow
def test_chains_from_one_start_stay_in_its_sector(key):
    """U beta = 40 keeps sectors apart; from the prior, chains fall into several."""
    target = build_target("hubbard", u=40.0, time_slices=2)
    config = HMCConfig(chains=8, warmup=100, samples=50, modulation=False)
    assert len(np.unique(run_hmc(target, config, key).sectors)) > 1
    one = run_hmc(target, replace(config, one_start=True), key)
    assert len(np.unique(one.sectors)) == 1
    assert len(np.unique(one.x[:, -1], axis=0)) == 8


def free_field(precision):
    """Return the target exp(-x.A x / 2) and the exact means of its observables."""
    a = np.asarray(precision, np.float64)
    size = len(a)
    variance = np.linalg.inv(a).sum() / size**2  # of the mean field
    matrix = jnp.asarray(a)

    def action(x):
        return x @ matrix @ x / 2

    target = Target(
        name="free",
        event_shape=(size,),
        action=action,
        dtype=jnp.float64,
        observables={
            "action_density": lambda x: action(x) / size,
            "abs_mean": lambda x: jnp.abs(jnp.mean(x)),
        },
    )
    exact = {"action_density": 0.5, "abs_mean": np.sqrt(2 * variance / np.pi)}
    return target, exact


def periodic(shape, mass2):
    """Return minus the lattice Laplacian plus m^2, one mass for each site."""
    size = int(np.prod(shape))
    sites, one = np.arange(size).reshape(shape), np.eye(size)
    a = np.diag(np.broadcast_to(mass2, size) + 2.0 * len(shape))
    for axis in range(len(shape)):
        hop = one[np.roll(sites, 1, axis).ravel()]
        a -= hop + hop.T
    return a


FREE_FIELDS = {
    "4x4": periodic((4, 4), 0.5),
    "2x8 of unequal masses": periodic((2, 8), np.linspace(0.2, 6.0, 16)),
    "one component": [[0.6]],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FREE_FIELDS)
def test_free_fields_do_not_resonate(name):
    """Pulls of 100 short runs have variance 1; no key has a long autocorrelation.

    With trajectories of one length some keys have a tau_int of 50 to 200.
    """
    target, exact = free_field(FREE_FIELDS[name])
    config = HMCConfig(chains=8, warmup=100, samples=200, leapfrog_steps=8)
    run = build_hmc(target, config)
    runs = [run(jax.random.key(seed)).observables for seed in range(100)]
    for observable, value in exact.items():
        estimates = np.array([gamma_method(found[observable]) for found in runs])
        means, errors, taus = estimates.T
        pulls = np.mean(((means - value) / errors) ** 2)
        assert abs(pulls - 1) < SIGMAS * np.sqrt(2 / len(runs)), observable
        assert taus.max() < 8, observable


def test_every_evaluation_of_the_action_is_counted(key):
    calls = []

    def action(x):
        jax.debug.callback(lambda _: calls.append(1), x[0])
        return jnp.sum(x**4) / 4

    target = Target("quartic", (2,), action, dtype=jnp.float64)
    config = HMCConfig(chains=4, warmup=40, samples=4, thinning=2, leapfrog_steps=5)
    run = build_hmc(target, config)
    chains = run(key)
    jax.effects_barrier()
    assert chains.x.shape == (4, 4, 2)
    assert chains.gradient_calls == chains.energy_calls == len(calls)
    mean = 5 * (150 + 4 * (40 + 4 * 2))  # no fewer than 150 steps tune
    assert 0.7 * mean < chains.gradient_calls < 1.3 * mean
    again = run(key)
    np.testing.assert_array_equal(again.x, chains.x)
    assert not np.any(again.x[0] == again.x[1])

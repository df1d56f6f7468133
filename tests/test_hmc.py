"""HMC chains that start far from where the target has its mass."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from sesamo_jax.core import Target
from sesamo_jax.reference.config import HMCConfig
from sesamo_jax.reference.hmc import run_hmc
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


def test_chains_from_one_start_stay_in_its_sector(key):
    """U beta = 40 keeps sectors apart; from the prior, chains fall into several."""
    target = build_target("hubbard", u=40.0, time_slices=2)
    config = HMCConfig(chains=8, warmup=100, samples=50)
    assert len(np.unique(run_hmc(target, config, key).sectors)) > 1
    one = run_hmc(target, replace(config, one_start=True), key)
    assert len(np.unique(one.sectors)) == 1
    assert len(np.unique(one.x[:, -1], axis=0)) == 8

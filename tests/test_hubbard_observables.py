"""Observables of the Hubbard model, and log Z, against exact traces."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_mean, with_slow
from tolerances import SIGMAS

from sesamo_jax.config import HMCConfig
from sesamo_jax.geometry.graphs import adjacency
from sesamo_jax.reference.hmc import run_hmc
from sesamo_jax.reference.report import chain_report
from sesamo_jax.targets.hubbard.determinant import Chain, green_functions
from sesamo_jax.targets.hubbard.fermion_matrix import (
    fermion_matrix,
    space_time_green_functions,
)
from sesamo_jax.targets.hubbard.fock import fock_reference
from sesamo_jax.targets.hubbard.hopping import hopping
from sesamo_jax.targets.hubbard.target import Hubbard


@pytest.mark.parametrize("steep", [False, True])
@pytest.mark.parametrize("per_factor", [1, 2, 3])
def test_green_functions_are_those_of_plain_products(per_factor, steep, rng):
    """At unequal times by the plain product, which is good for six small slices."""
    slices, sites = 6, 3
    bonds = np.diag([0.5, 0.9], k=1)
    exponent = bonds + bonds.T + np.eye(3)
    chain = Chain(hopping(exponent), per_factor, steep)
    hop = np.asarray(jax.scipy.linalg.expm(exponent))
    x = jnp.asarray(rng.normal(0, 0.8, (slices, sites)))
    equal, ahead = jax.jit(green_functions, static_argnums=1)(x, chain)
    if per_factor == 1:
        whole = jax.jit(space_time_green_functions)(x, hop)
        np.testing.assert_allclose(whole, (equal, ahead), atol=1e-10)
    step = hop * np.exp(np.asarray(x))[:, None, :]
    for border in range(slices // per_factor + 1):
        t = border * per_factor
        around = [*step[t:], *step[:t]]
        product = np.eye(sites)
        for matrix in around:
            product = matrix @ product
        green = np.linalg.inv(np.eye(sites) + product)
        np.testing.assert_allclose(equal[border], green, atol=1e-11)
        product = np.eye(sites)
        for matrix in step[:t]:
            product = matrix @ product
        np.testing.assert_allclose(ahead[border], product @ equal[0], atol=1e-9)


def importance(config, n, key):
    """Return samples and log weights from the strong-coupling limit as a proposal."""
    target = config.build()
    sign_key, noise_key = jax.random.split(key)
    signs = jax.random.rademacher(sign_key, (n, 1, config.sites), float)
    noise = jax.random.normal(noise_key, (n, *target.event_shape), float)
    width = config.u_tilde**0.5
    x = signs * config.u_tilde + width * noise
    log_q = jnp.sum(
        jnp.logaddexp(
            -jnp.sum((x - config.u_tilde) ** 2, 1) / (2 * config.u_tilde),
            -jnp.sum((x + config.u_tilde) ** 2, 1) / (2 * config.u_tilde),
        )
        - np.log(2)
        - config.time_slices / 2 * np.log(2 * np.pi * config.u_tilde),
        axis=1,
    )
    log_w = -jax.jit(jax.vmap(target.action))(x) - log_q
    return target, x, np.asarray(log_w)


CASES = {
    "chain": Hubbard(u=3.0, beta=0.9, extents=(3,), time_slices=4),
    "ring": Hubbard(u=6.0, beta=0.8, lattice="ring", extents=(4,), time_slices=8),
    "square": Hubbard(u=4.0, beta=0.7, lattice="square", extents=(2, 2), time_slices=6),
    "graph": Hubbard(
        u=4.0,
        beta=0.7,
        lattice="graph",
        extents=(5,),
        edges=((0, 1), (1, 2), (3, 0), (4, 3), (1, 4)),
        time_slices=4,
    ),
    "triangle": Hubbard(u=3.0, lattice="ring", extents=(3,), time_slices=2),
}


# Up to ten seconds each.
LARGER = ("graph", "square", "ring")


@pytest.mark.parametrize("name", with_slow(CASES, LARGER))
def test_weighted_samples_reproduce_the_exact_trace(name, key):
    """The triangle has no sublattices, the graph three kinds of sites."""
    config = CASES[name]
    target, x, log_w = importance(config, 20_000, key)
    hopping = config.kappa * adjacency(config.graph(), config.sites)
    exact = fock_reference(hopping, config.u, config.beta, config.time_slices)
    assert target.exact.log_z == pytest.approx(exact.log_z, abs=1e-12)
    weights = np.exp(log_w - exact.log_z)
    assert_mean(weights, 1.0)
    assert weights.std() < 2
    values = {
        k: np.asarray(v, float) for k, v in jax.jit(jax.vmap(target.measure))(x).items()
    }
    every = (len(exact.correlator) - 1) // (values["correlator"].shape[1] - 1)
    assert every <= config.time_slices // 2
    times = slice(None, None, every)
    expected = exact._asdict() | {"correlator": exact.correlator[times]}
    if config.signs() is not None:
        value = target.exact.observables["staggered_structure_factor"]
        expected["staggered_structure_factor"] = value
        assert value > 1.1 * np.trace(exact.spin_correlation) / config.sites
    else:
        assert "staggered_structure_factor" not in values
    if "staggered_sectors" in values:
        found = values.pop("staggered_sectors")
        along = (np.sign(np.sum(x, axis=1)) == config.signs()).sum(axis=1)
        np.testing.assert_array_equal(found.argmax(axis=1), along)
        assert set(found.sum(axis=1)) == {1.0}
    for observable in values:
        shape = (-1,) + (1,) * (values[observable].ndim - 1)
        deviation = values[observable] - expected[observable]
        assert_mean(weights.reshape(shape) * deviation, 0.0, SIGMAS)


def test_one_determinant_is_enough_on_a_bipartite_graph(rng):
    config = Hubbard(u=5.0, lattice="square", extents=(2, 4), time_slices=7)
    target = config.build()
    x = jnp.asarray(rng.normal(0, 1.2, target.event_shape))
    dets = [
        np.linalg.slogdet(matrix)[1] + float(scale)
        for matrix, scale in (
            fermion_matrix(s * x, config.hopping().matrix()) for s in (1, -1)
        )
    ]
    expected = np.sum(x**2) / (2 * config.u_tilde) - sum(dets)
    assert float(target.action(x)) == pytest.approx(float(expected), abs=1e-10)


@pytest.mark.slow  # ten seconds of chains; weighted samples have the same trace
def test_hmc_reproduces_the_exact_trace_where_it_is_ergodic(key):
    """Matrices of observables too, entry by entry."""
    config = Hubbard(u=3.0, beta=0.9, extents=(3,), time_slices=6)
    target = config.build()
    hopping = config.kappa * adjacency(config.graph(), config.sites)
    exact = fock_reference(hopping, config.u, config.beta, config.time_slices)
    chains = run_hmc(target, HMCConfig(chains=16, samples=400, warmup=200), key)
    found = chain_report(chains, target)["observables"]
    for name, expected in (
        ("energy", exact.energy),
        ("double_occupancy", exact.double_occupancy),
        ("spin_correlation", exact.spin_correlation),
        ("correlator", exact.correlator[:: config.chain().per_factor]),
    ):
        mean, error = (np.array(found[name][k], float) for k in ("mean", "error"))
        assert mean.shape == np.shape(expected)
        error = np.where(np.isnan(error), 0, error)  # C(0) = 1/2 in every field
        assert np.all(np.abs(mean - expected) < SIGMAS * error + 1e-12), name
        assert np.all(error < 0.05)

"""Divergences by automatic differentiation: exact ones, and the law of estimates."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_mean, random_params
from tolerances import F64, SIGMAS

from sesamo_jax.flows import BlackBoxConfig, KernelConfig
from sesamo_jax.flows.continuous.divergence import brute_force, hutchinson
from sesamo_jax.flows.continuous.integrate import CLASSICAL, adaptive, runge_kutta

SHAPE = (3, 2)
FLOWS = {
    "kernel": KernelConfig(kernels=7, time_kernels=3, reach=6.0, width=1.0),
    "black_box": BlackBoxConfig((9, 7)),
}
every_flow = pytest.mark.parametrize("name", FLOWS)
PROBES = {"rademacher": jax.random.rademacher, "normal": jax.random.normal}
every_probe = pytest.mark.parametrize("kind", PROBES)


@cache
def velocity(name):
    """Return (t, y) -> (v, div v) of a flow with random parameters."""
    flow = FLOWS[name].build(SHAPE, jnp.float64)
    init = partial(flow.init, method="velocity")
    init = partial(init, jax.random.key(0), 0.0, jnp.ones(SHAPE))
    params = random_params(init, np.random.default_rng(11))
    return partial(flow.apply, params, method="velocity")


def field(name):
    own = velocity(name)
    return lambda t, y: own(t, y)[0]


def probes(kind, key, count):
    return PROBES[kind](key, (count, *SHAPE), jnp.float64)


def jacobian(name, t, y):
    by_columns = jax.jit(jax.jacrev(partial(field(name), t)))
    return np.asarray(by_columns(y)).reshape(y.size, y.size)


@pytest.mark.slow
@every_flow
def test_brute_force_is_the_trace_of_the_jacobian(name, rng):
    """By the derivative in reverse, and for the kernel flow in closed form too."""
    y = rng.normal(0, 2, SHAPE)
    for t in (0.0, 0.4):
        v, divergence = jax.jit(brute_force(field(name)))(t, y)
        expected = np.trace(jacobian(name, t, y))
        assert abs(expected) > 0.01
        np.testing.assert_allclose(divergence, expected, rtol=1e-12, atol=1e-13)
        own_v, own = velocity(name)(t, y)
        np.testing.assert_allclose(own, expected, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(v, own_v, rtol=1e-12, atol=1e-13)


@every_flow
@every_probe
def test_estimates_have_the_mean_and_the_variance_of_their_law(name, kind, key, rng):
    y, v = rng.normal(0, 2, SHAPE), field(name)
    full = jacobian(name, 0.4, y)
    symmetric = (full + full.T) / 2
    variances = 2 * symmetric**2
    if kind == "rademacher":
        variances -= np.diag(np.diag(variances))
    expected = np.sqrt(variances.sum())
    if name == "black_box":  # where J in place of S would be wrong
        assert np.sum(full**2) > 1.2 * np.sum(symmetric**2)

    @jax.jit
    @jax.vmap
    def estimate(probe):
        return hutchinson(v, probe)(0.4, y)[1]

    estimates = np.asarray(estimate(probes(kind, key, 40_000)))
    assert_mean(estimates, np.trace(full))
    assert np.std(estimates) == pytest.approx(expected, rel=0.03)


def linear(rng):
    """Return the field (1 + t) A y, and A without any symmetry."""
    matrix = rng.normal(size=(6, 6)) / 4
    return lambda t, y: (1 + t) * (matrix @ y.ravel()).reshape(SHAPE), matrix


@pytest.mark.parametrize("solve", ["steps", "adaptive"])
def test_a_whole_solve_has_one_probe(solve, key, rng):
    """Then a linear field's estimate is e.A e times the integral of 1 + t."""
    of_probe, matrix = linear(rng)
    probe = probes("normal", key, 1)[0]
    y = jnp.asarray(rng.normal(size=SHAPE))
    estimated = hutchinson(of_probe, probe)
    if solve == "steps":
        log_det = runge_kutta(estimated, y, 0.0, 1.0, 7, CLASSICAL)[1]
    else:
        log_det = jax.jit(partial(adaptive, estimated, tolerance=1e-9))(y, 0.0, 1.0)[1]
    e = np.asarray(probe).ravel()
    np.testing.assert_allclose(log_det, 1.5 * e @ matrix @ e, rtol=F64)


@every_flow
def test_log_determinants_are_right_in_the_mean_over_probes(name, key, rng):
    """And their exponentials, densities, are too large (Jensen)."""
    y, v = jnp.asarray(rng.normal(0, 2, SHAPE)), field(name)

    def log_det(rate):
        return runge_kutta(rate, y, 0.0, 1.0, 5, CLASSICAL)[1]

    exact = float(jax.jit(lambda: log_det(brute_force(v)))())
    estimate = jax.jit(jax.vmap(lambda probe: log_det(hutchinson(v, probe))))
    estimates = np.asarray(estimate(probes("rademacher", key, 4000)))
    assert_mean(estimates, exact)
    excess = np.exp(estimates - exact)
    error = excess.std() / np.sqrt(excess.size)
    assert excess.mean() - 1 > SIGMAS * error


@pytest.mark.slow
def test_experiment_finds_exact_ways_exact_and_estimates_as_far_off_as_their_law(
    experiment, tmp_path, key
):
    divergence = experiment("particles.divergence")
    row = divergence.measure(4, 40, 1, key)
    assert row["closed form"]["error"] < 1e-13
    assert row["brute force"]["error"] < 1e-13
    assert all(row[name]["seconds"] > 0 for name in divergence.COLOURS)
    # The root mean square of 40 estimates has an error of 10 to 20 %.
    assert 1 / 2 < row["hutchinson"]["error"] / row["hutchinson_law"] < 2
    divergence.figure([row]).savefig(tmp_path / "divergence.png")

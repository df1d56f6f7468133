"""The shape of tails against Pareto laws, and which errors they forbid."""

import numpy as np
import pytest

from sesamo_jax import estimators
from sesamo_jax.estimators.tails import heavy, pareto_shape
from sesamo_jax.estimators.weighted import Estimate


@pytest.mark.parametrize("k", [-0.4, 0.1, 0.35, 0.5, 0.8, 1.5])
def test_shape_of_a_generalised_pareto_law(k, rng):
    samples, repeats = 20_000, 30
    quantiles = rng.random((repeats, samples))
    # A scale and an offset of any size change nothing.
    found = [pareto_shape(7.0 - 1e-3 * (q**-k - 1) / -k) for q in quantiles]
    tail = 3 * np.sqrt(samples)
    error = (1 + k) / np.sqrt(tail * repeats)
    prior = 10 * abs(k - 0.5) / tail
    assert abs(np.mean(found) - k) < 5 * error + 2 * prior


def test_shape_where_there_is_nothing_to_see(rng):
    assert np.isnan(pareto_shape(np.zeros(100)))
    assert np.isnan(pareto_shape(rng.random(24)))
    assert pareto_shape(np.append(np.zeros(500), [1.0, 2.0, 3.0])) == np.inf


def test_heavy_tails_matter_only_where_they_carry_something(rng):
    tail = rng.standard_t(1.5, 10_000)
    coin = (rng.random(10_000) < 0.3) - 0.3
    assert heavy(np.abs(tail))
    assert not heavy(np.abs(rng.normal(size=10_000)))
    assert not heavy(np.abs(coin))
    assert not heavy(np.abs(coin * (1 + 1e-4 * tail)))
    assert heavy(np.abs(coin * (1 + tail)))


# p = N(0, 1) in several dimensions, sampled from N(0, s^2): w has moments up to order
# 1 / (1 - s^2) where q is narrower, and 1 / w under p where it is wider.

REPEATS = 400


def log_weights(x, s):
    return np.sum(-(x**2) / 2 + x**2 / (2 * s**2) + np.log(s), axis=-1)


def exact_ess(s, dimension):
    """Return 1 / E_p[w]."""
    return (np.sqrt(2 - 1 / s**2) / s) ** dimension


def coverage(estimates, exact):
    """Return which estimates have an error, and which of those lie within two."""
    mean, error = np.array(estimates).T
    known = np.isfinite(error)
    return known, np.abs(mean[known] - exact) < 2 * error[known]


def assert_nominal(inside):
    """Assert that at least 95.4 % lie within two errors, up to five of its own."""
    assert inside.mean() > 0.954 - 5 * np.sqrt(0.954 * 0.046 / len(inside))


@pytest.mark.parametrize(
    ("s", "dimension", "own", "forward"),
    [
        (0.98, 8, True, True),
        (0.93, 2, None, True),  # fourth moments as good as gone
        (0.83, 1, False, None),
        (0.72, 2, False, False),  # no second moment under p
        (1.2, 5, True, True),
        (3.0, 1, True, True),  # the harmonic mean has no variance
        (2.0, 4, True, True),
    ],
)
def test_errors_of_ess_cover_or_are_unknown(s, dimension, own, forward, rng):
    exact = exact_ess(s, dimension)
    noise = rng.normal(size=(REPEATS, 6000, dimension))
    known, inside = coverage(
        [estimators.ess(log_w) for log_w in log_weights(s * noise, s)], exact
    )
    if own is not None:
        assert known.mean() > 0.95 if own else known.mean() < 0.05
    if own:
        assert_nominal(inside)
    known, inside = coverage(
        [
            estimators.forward_ess(log_w, Estimate(0.0, 0.0))
            for log_w in log_weights(noise, s)
        ],
        exact,
    )
    if forward is not None:
        assert known.mean() > 0.95 if forward else known.mean() < 0.05
    if forward:
        assert_nominal(inside)


def test_the_forward_ess_of_a_wide_q_takes_the_estimate_of_z(rng):
    s, exact = 3.0, exact_ess(3.0, 1)
    estimates = []
    for p_noise, q_noise in rng.normal(size=(REPEATS, 2, 2000, 1)):
        log_z = estimators.log_z(log_weights(s * q_noise, s) + 5.0)
        log_w = log_weights(p_noise, s) + 5.0
        estimates.append(estimators.forward_ess(log_w, log_z))
    known, inside = coverage(estimates, exact)
    assert known.all()
    assert_nominal(inside)


def test_log_z_and_means_of_a_narrow_q_have_no_error(rng):
    x = 0.45 * rng.normal(size=(20, 20_000, 1))  # no variance below s = 0.71
    for log_w, values in zip(log_weights(x, 0.45), x[..., 0] ** 2, strict=True):
        assert np.isnan(estimators.log_z(log_w).error)
        assert np.isnan(estimators.reweighted(values, log_w).error)
        assert estimators.pareto_k(log_w) > 0.5
    x = 0.9 * rng.normal(size=(20, 20_000, 1))
    for log_w, values in zip(log_weights(x, 0.9), x[..., 0] ** 2, strict=True):
        assert estimators.log_z(log_w).error < 0.01
        assert estimators.reweighted(values, log_w).error < 0.05
        assert estimators.pareto_k(log_w) < 0.4

"""Estimators on log weights: exact properties, known values, and honest errors."""

import numpy as np
import pytest
from tolerances import SIGMAS

from sesamo_jax import estimators
from sesamo_jax.estimators.weighted import Estimate

# Log-normal weights, log w ~ N(0, S^2) under q: everything is known in closed form.
S = 0.2
REPEATS, SAMPLES = 600, 2000
# Under q an observable v = log w has mean 0, under p mean S^2.
LOG_Z = Estimate(S**2 / 2, 0.0)
EXACT = {"ess": np.exp(-(S**2)), "log_z": S**2 / 2, "reweighted": S**2}


def experiments(rng, mean=0.0):
    return rng.normal(mean, S, (REPEATS, SAMPLES))


def assert_covers(estimates, exact):
    """Assert that pulls have mean zero and variance one, and 68 % lie within one.

    A few of the samples may look too heavy in their tails for an error.
    """
    mean, error = np.array(estimates).T
    known = np.isfinite(error)
    assert known.mean() > 0.97
    mean, error = mean[known], error[known]
    pulls = (mean - exact) / error
    # The estimators' own bias is of relative order 1/n, a pull of up to 1/sqrt(n).
    assert abs(pulls.mean()) < SIGMAS / np.sqrt(REPEATS) + 1 / np.sqrt(SAMPLES)
    assert abs(pulls.std() - 1) < SIGMAS / np.sqrt(2 * REPEATS)
    inside = np.mean(np.abs(pulls) < 1)
    nominal = 0.6827
    spread = np.sqrt(nominal * (1 - nominal) / REPEATS)
    assert abs(inside - nominal) < SIGMAS * spread


def test_errors_of_the_ess_cover_at_the_nominal_rate(rng):
    assert_covers([estimators.ess(w) for w in experiments(rng)], EXACT["ess"])


def test_errors_of_log_z_cover_at_the_nominal_rate(rng):
    assert_covers([estimators.log_z(w) for w in experiments(rng)], EXACT["log_z"])


def test_errors_of_the_elbo_cover_at_the_nominal_rate(rng):
    assert_covers([estimators.elbo(w) for w in experiments(rng)], 0.0)


def test_errors_of_reweighted_means_cover_at_the_nominal_rate(rng):
    estimates = [estimators.reweighted(w, w) for w in experiments(rng)]
    assert_covers(estimates, EXACT["reweighted"])


def test_errors_of_the_forward_ess_cover_at_the_nominal_rate(rng):
    # Samples of p see log w ~ N(S^2, S^2), and must find the ESS that q's samples find.
    estimates = [estimators.forward_ess(w, LOG_Z) for w in experiments(rng, mean=S**2)]
    assert_covers(estimates, EXACT["ess"])


def test_errors_of_derived_quantities_cover_at_the_nominal_rate(rng):
    # The variance of v under p, from two strongly correlated means.
    def variance(mean):
        return mean["square"] - mean["first"] ** 2

    estimates = [
        # v + 1 has mean 1 + S^2, so that the second term matters.
        estimators.derived(variance, {"square": (w + 1) ** 2, "first": w + 1}, w)
        for w in experiments(rng)
    ]
    assert_covers(estimates, S**2)


def test_log_z_of_a_gaussian_problem(rng):
    # p = exp(-x^2 / 2 - 3) sampled from N(0, 1.5^2)
    x = 1.5 * rng.normal(size=20_000)
    log_q = -(x**2) / (2 * 1.5**2) - np.log(1.5) - np.log(2 * np.pi) / 2
    value, error = estimators.log_z(-(x**2) / 2 - 3 - log_q)
    assert error < 0.01
    assert abs(value - (np.log(2 * np.pi) / 2 - 3)) < SIGMAS * error


def forward_ess(log_w):
    """Return the forward ESS where Z is known to be 1."""
    return estimators.forward_ess(log_w, Estimate(0.0, 0.0))


@pytest.mark.parametrize("function", [estimators.ess, forward_ess])
def test_ess_is_one_if_and_only_if_the_weights_are_equal(function):
    assert function(np.full(50, -7.25)) == pytest.approx((1.0, 0.0), abs=1e-12)
    weights = np.zeros(50)
    weights[3] = 0.1
    assert function(weights).mean < 1 - 1e-5


@pytest.mark.parametrize("spread", [0.1, 1.0, 30.0])
def test_ess_lies_between_one_sample_and_all(spread, rng):
    log_w = spread * rng.normal(size=100)
    value = estimators.ess(log_w).mean
    assert 1 / 100 <= value <= 1
    assert 0 <= forward_ess(log_w / 30).mean <= 1


def test_ess_of_one_dominant_weight_is_one_sample():
    log_w = np.zeros(40)
    log_w[7] = 1000.0
    assert estimators.ess(log_w).mean == pytest.approx(1 / 40)
    assert estimators.max_weight_share(log_w) == pytest.approx(1.0)
    assert estimators.max_weight_share(np.zeros(40)) == pytest.approx(1 / 40)


@pytest.mark.parametrize("shift", [-5000.0, 5000.0])
def test_a_shift_of_the_action_moves_log_z_and_the_elbo_alone(shift, rng):
    log_w, values = 0.1 * rng.normal(size=100), rng.normal(size=100)
    moved = estimators.ess(log_w + shift), estimators.ess(log_w)
    np.testing.assert_allclose(*moved, rtol=1e-9)
    moved = estimators.forward_ess(log_w + shift, Estimate(shift, 0.1))
    before = estimators.forward_ess(log_w, Estimate(0.0, 0.1))
    np.testing.assert_allclose(moved, before, rtol=1e-9)
    np.testing.assert_allclose(
        estimators.reweighted(values, log_w + shift),
        estimators.reweighted(values, log_w),
        rtol=1e-9,
    )
    for function in (estimators.log_z, estimators.elbo):
        moved, before = function(log_w + shift), function(log_w)
        assert moved.mean == pytest.approx(before.mean + shift, abs=1e-9)
        assert moved.error == pytest.approx(before.error, rel=1e-9)


def test_float32_weights_are_summed_in_float64():
    log_w = np.float32([0.1, 0.2, -0.3])
    wide = log_w.astype(np.float64)
    for function in (estimators.ess, forward_ess, estimators.log_z, estimators.elbo):
        assert function(log_w) == function(wide)


def test_zero_weights_count_as_samples():
    log_w = np.array([0.0, 0.0, -np.inf, -np.inf])
    assert estimators.ess(log_w).mean == pytest.approx(0.5)
    assert estimators.log_z(log_w).mean == pytest.approx(np.log(0.5))
    assert estimators.max_weight_share(log_w) == pytest.approx(0.5)
    values = np.array([1.0, 3.0, 1e6, -1e6])
    assert estimators.reweighted(values, log_w).mean == pytest.approx(2.0)


def test_elbo_with_a_zero_weight_is_minus_infinity():
    value, error = estimators.elbo(np.array([0.0, -np.inf, 0.0]))
    assert value == -np.inf
    assert np.isnan(error)


def test_forward_ess_with_an_infinite_weight_is_zero():
    value, error = forward_ess(np.array([0.0, np.inf, 0.0]))
    assert value == 0
    assert np.isnan(error)


def test_forward_ess_sees_a_mode_that_the_ess_cannot():
    # q covers half of p perfectly: w = 1/2 there, infinite (here e^50) elsewhere.
    own = np.full(100, np.log(0.5))
    forward = np.where(np.arange(100) < 50, np.log(0.5), 50.0)
    assert estimators.ess(own).mean == 1
    assert forward_ess(forward).mean < 1e-15


@pytest.mark.parametrize(
    "log_w", [np.full(5, -np.inf), np.array([0.0, np.nan, 1.0])], ids=["zero", "nan"]
)
def test_weights_that_determine_nothing_give_nan(log_w):
    assert np.isnan(estimators.ess(log_w)).all()
    assert np.isnan(estimators.log_z(log_w)).all()
    assert np.isnan(estimators.max_weight_share(log_w))
    assert np.isnan(estimators.reweighted(np.arange(len(log_w)), log_w)).all()
    sectors = np.zeros(len(log_w), int)
    assert np.isnan(estimators.reweighted_sector_shares(sectors, 2, log_w)).all()


def test_one_sample_has_a_value_and_no_error():
    log_w = np.array([0.3])
    expected = [(estimators.ess, 1.0), (forward_ess, 1.0)]
    expected += [(estimators.log_z, 0.3), (estimators.elbo, 0.3)]
    for function, value in expected:
        estimate = function(log_w)
        assert estimate.mean == pytest.approx(value)
        assert np.isnan(estimate.error)


def test_sector_shares_count_samples():
    shares = estimators.sector_shares(np.array([2, 0, 0, 2, 2, 2, 0, 2]), 4)
    assert [share.mean for share in shares] == [3 / 8, 0, 5 / 8, 0]
    expected = np.sqrt(3 / 8 * 5 / 8 / 8)
    assert shares[0].error == pytest.approx(expected)
    assert shares[2].error == pytest.approx(expected)
    assert shares[1].error == 0


def test_sector_shares_cover_at_the_nominal_rate(rng):
    draws = rng.choice(3, p=[0.7, 0.2, 0.1], size=(REPEATS, SAMPLES))
    for sector, p in ((0, 0.7), (2, 0.1)):
        assert_covers([estimators.sector_shares(d, 3)[sector] for d in draws], p)


def test_reweighted_sector_shares_undo_a_wrong_occupation(rng):
    # q puts 70 : 20 : 10 on sectors where p has 10 : 30 : 60.
    q, p = np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.3, 0.6])
    sectors = rng.choice(3, p=q, size=5000)
    log_w = np.log(p / q)[sectors]
    shares = estimators.reweighted_sector_shares(sectors, 3, log_w)
    assert sum(share.mean for share in shares) == pytest.approx(1)
    for share, expected in zip(shares, p, strict=True):
        assert 0 < share.error < 0.03
        assert abs(share.mean - expected) < SIGMAS * share.error
    plain = estimators.sector_shares(sectors, 3)
    assert abs(plain[2].mean - p[2]) > 10 * plain[2].error


def test_reweighted_is_the_weighted_mean():
    # Weights 1 : 3 on the values 2 and 10; unweighted 6, opposite weights 4.
    value, error = estimators.reweighted(np.array([2.0, 10.0]), np.log([1.0, 3.0]))
    assert value == pytest.approx(8.0)
    assert error == pytest.approx(np.hypot(6 / 4, 2 * 3 / 4))


def test_reweighted_array_does_every_component_like_reweighted(rng):
    values, log_w = rng.normal(size=(50, 2, 3)), rng.normal(size=50)
    means, errors = estimators.reweighted_array(values, log_w)
    assert means.shape == errors.shape == (2, 3)
    one = estimators.reweighted(values[:, 1, 2], log_w)
    np.testing.assert_allclose((means[1, 2], errors[1, 2]), one)

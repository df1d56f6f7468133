"""The Gamma method: coverage of its errors on autoregressive chains, and unknowns."""

import numpy as np
import pytest
from scipy.signal import lfilter
from tolerances import SIGMAS

from sesamo_jax.estimators.autocorrelation import gamma_method

REPEATS = 100


def autoregressive(rng, a, chains, samples):
    """Return stationary chains x_t = a x_{t-1} + noise, of variance 1."""
    noise = rng.normal(size=(chains, samples))
    noise[:, 1:] *= np.sqrt(1 - a**2)
    return lfilter([1], [1, -a], noise, axis=1)


def exact_variance(a, samples):
    """Return the variance of one such chain's mean: sum_st a^|s-t| / samples^2."""
    t = np.arange(1, samples)
    return (samples + 2 * np.sum((samples - t) * a**t)) / samples**2


def exact_tau(a):
    return (1 + a) / (2 * (1 - a))


@pytest.mark.parametrize(("a", "chains"), [(0.7, 4), (0.0, 1), (0.6, 1), (0.85, 12)])
def test_errors_of_autoregressive_chains_cover(a, chains):
    """Pulls have variance 1, and tau_int is (1 + a) / (2 (1 - a))."""
    rng = np.random.default_rng(5)
    drawn = [autoregressive(rng, a, chains, 2000) for _ in range(REPEATS)]
    means, errors, taus = np.transpose([gamma_method(x) for x in drawn])
    pulls = np.mean((means / errors) ** 2)
    assert abs(pulls - 1) < SIGMAS * np.sqrt(2 / REPEATS)
    expected = np.sqrt(exact_variance(a, 2000) / chains)
    assert np.median(errors) == pytest.approx(expected, rel=0.1)
    assert np.median(taus) == pytest.approx(exact_tau(a), rel=0.1)


@pytest.mark.parametrize(
    ("share", "slow", "fast", "chains"),
    [(0.05, 0.995, 0.2, 16), (0.08, 0.99, -0.4, 10), (0.03, 0.998, 0.0, 24)],
)
def test_a_slow_component_below_the_noise_shows_between_chains(
    share, slow, fast, chains
):
    """The window sees tau of the fast component alone; variances are exact."""
    rng = np.random.default_rng(3)
    samples, taus, variances = 1000, [], []
    for _ in range(REPEATS):
        x = np.sqrt(share) * autoregressive(rng, slow, chains, samples)
        x += np.sqrt(1 - share) * autoregressive(rng, fast, chains, samples)
        estimate = gamma_method(x)
        taus.append(estimate.tau_int)
        variances.append(estimate.error**2)
    exact = share * exact_variance(slow, samples)
    exact += (1 - share) * exact_variance(fast, samples)
    spread = np.sqrt(2 / (chains - 1) / REPEATS)  # of chi^2 with chains - 1 degrees
    ratio = np.mean(variances) / (exact / chains)
    assert abs(ratio - 1) < SIGMAS * spread
    assert np.median(taus) == pytest.approx(samples * exact / 2, rel=0.15)
    alone = share * exact_tau(slow) + (1 - share) * exact_tau(fast)
    assert np.median(taus) < alone < 4 * np.median(taus)


def test_anticorrelated_chains_get_the_error_of_independent_ones():
    """A tau_int below 1/2 is not believed: the error is too large, never too small."""
    x = autoregressive(np.random.default_rng(1), -0.6, 4, 3000)
    estimate = gamma_method(x)
    assert estimate.tau_int == pytest.approx(0.5, rel=0.01)
    assert estimate.error == pytest.approx(1 / np.sqrt(x.size), rel=0.1)


UNKNOWN = {
    "constant": np.full((2, 10), 4.0),
    "constant but for rounding": 0.1 + 1e-17 * np.arange(20).reshape(2, 10),
    "chains that stay apart": np.repeat([[1.0], [0.0], [1.0]], 50, axis=1),
    "one sample": np.array([[2.5]]),
    "equal samples of many chains": np.ones((7, 1)),
    "not a number": np.array([[1.0, np.nan, 2.0], [0.0, 1.0, 3.0]]),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_error_that_chains_do_not_determine_is_unknown(name):
    series = UNKNOWN[name]
    estimate = gamma_method(series)
    assert estimate.mean == pytest.approx(series.mean(), nan_ok=True)
    assert np.isnan(estimate.error)
    assert np.isnan(estimate.tau_int)


def test_one_sample_of_every_chain_counts_as_independent_samples(rng):
    x = rng.normal(3, 2, size=(40, 1))
    estimate = gamma_method(x)
    assert estimate.error == pytest.approx(x.std(ddof=1) / np.sqrt(40))


def test_chains_that_turn_once_have_the_error_of_their_spread(rng):
    """Each holds one value until a random time, and then another."""
    turn = rng.integers(1, 400, size=30)
    late = np.arange(400) >= turn[:, None]
    x = np.where(late, rng.normal(size=(30, 1)), rng.normal(size=(30, 1)))
    estimate = gamma_method(x)
    spread = x.mean(axis=1).std(ddof=1) / np.sqrt(30)
    assert estimate.error == pytest.approx(spread, rel=0.3)
    assert estimate.tau_int > 50

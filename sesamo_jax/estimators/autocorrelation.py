"""Errors of Markov chain averages: the Gamma method (Wolff, hep-lat/0306017)."""

from typing import NamedTuple

import numpy as np

# Wolff's S: the window closes where exp(-W / tau) falls below tau / sqrt(W N), with tau
# S times the autocorrelation time so far. 1.5 is his recommendation.
WINDOW_FACTOR = 1.5
# The spread between chains counts where it exceeds what the window says by so many
# standard deviations: one time in twenty for chains that agree, and then safely.
EXCESS = 2.0
# Spread, relative to the largest value, of a quantity that varies by rounding alone.
ROUNDING = 1e-12


class ChainEstimate(NamedTuple):
    """A mean over chains, its error, and the integrated autocorrelation time.

    `tau_int` is in units of stored samples, 1/2 for independent ones: error^2 is
    2 tau_int times the variance over the number of all samples. Error and `tau_int` are
    NaN where the chains do not determine them.
    """

    mean: float
    error: float
    tau_int: float


def gamma_method(series: np.ndarray) -> ChainEstimate:
    """Return the mean of several chains of one quantity, with its error.

    The window that is summed over stops at the noise of the autocorrelations and so
    misses a slow component of small variance. Such a component shows in the means of
    the chains: where they differ by more than the window's error allows, or the window
    never closes, the error is their spread (the between-chain variance of Gelman and
    Rubin; Vehtari et al., arXiv:1903.08008, eq. 1). One chain alone cannot show it.

    The window's tau_int is at least 1/2: errors of anticorrelated chains are too large.

    Args:
        series: (chains, samples), equilibrated; the chains may be as few as one.

    Returns:
        A NaN error for a quantity that no chain ever changes, beyond rounding: how
        often it would is not known. Likewise for one sample; chains of one sample each
        count as independent samples.
    """
    series = np.asarray(series, np.float64)
    chains, samples = series.shape
    total, mean = series.size, float(series.mean())
    unknown = ChainEstimate(mean, np.nan, np.nan)
    moved = np.ptp(series, axis=0 if samples == 1 else 1).max()
    if not moved > ROUNDING * np.max(np.abs(series)):
        return unknown
    gamma = _autocovariance(series - mean)
    window, tau = _window(gamma / gamma[0], total)
    # The mean was estimated from the same data: Wolff's eq. 49.
    variance = 2 * tau * gamma[0] / total * (1 + (2 * window + 1) / total)
    if chains > 1:
        between = float(np.var(series.mean(axis=1), ddof=1)) / chains
        chance = EXCESS * np.sqrt(2 / (chains - 1))
        if np.isnan(tau) or between > (1 + chance) * variance:
            variance = between
    if not variance > 0:
        return unknown
    return ChainEstimate(
        mean, float(np.sqrt(variance)), float(variance * total / (2 * gamma[0]))
    )


def autocorrelation(series: np.ndarray) -> np.ndarray:
    """Return rho(t), t = 0 .. samples - 1, averaged over chains, (chains, samples)."""
    gamma = _autocovariance(series - np.mean(series))
    return gamma / gamma[0]


def _autocovariance(deviations: np.ndarray) -> np.ndarray:
    """Return Gamma(t), t = 0 .. samples - 1, averaged over chains, by FFT."""
    samples = deviations.shape[1]
    padded = np.fft.rfft(deviations, 2 * samples, axis=1)
    products = np.fft.irfft(np.abs(padded) ** 2, axis=1)[:, :samples]
    return products.mean(axis=0) / np.arange(samples, 0, -1)


def _window(rho: np.ndarray, total: int) -> tuple[int, float]:
    """Return the summation window and tau_int, by Wolff's automatic rule.

    NaN for tau_int if the window does not close within the chains.
    """
    sums = 0.5 + np.cumsum(rho[1:])
    for window, tau in enumerate(sums, start=1):
        decay = WINDOW_FACTOR / np.log1p(2 / max(2 * tau - 1, 1e-12))
        if np.exp(-window / decay) < decay / np.sqrt(window * total):
            return window, max(float(tau), 0.5)
    return len(rho) - 1, np.nan

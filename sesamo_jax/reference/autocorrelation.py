"""Errors of Markov chain averages: the Gamma method (Wolff, 2004)."""

from typing import NamedTuple

import numpy as np

# Wolff's S: the window closes where exp(-W / tau) falls below tau / sqrt(W N), with tau
# S times the autocorrelation time so far. 1.5 is his recommendation.
WINDOW_FACTOR = 1.5


class ChainEstimate(NamedTuple):
    """A mean over chains, its error, and the integrated autocorrelation time.

    `tau_int` is in units of stored samples, 1/2 for independent ones.
    """

    mean: float
    error: float
    tau_int: float


def gamma_method(series: np.ndarray) -> ChainEstimate:
    """Return the mean of several chains of one quantity, with its error.

    Args:
        series: (chains, samples), equilibrated; the chains may be as few as one.
    """
    series = np.asarray(series, np.float64)
    total = series.size
    mean = float(series.mean())
    gamma = _autocovariance(series - mean)
    if gamma[0] <= 0:
        return ChainEstimate(mean, 0.0, 0.5)
    window, tau = _window(gamma / gamma[0], total)
    variance = 2 * tau * gamma[0] / total
    # The mean was estimated from the same data: Wolff's eq. 49.
    bias = 1 + (2 * window + 1) / total
    return ChainEstimate(mean, float(np.sqrt(variance * bias)), float(tau * bias))


def _autocovariance(deviations: np.ndarray) -> np.ndarray:
    """Return Gamma(t), t = 0 .. samples - 1, averaged over chains, by FFT."""
    samples = deviations.shape[1]
    padded = np.fft.rfft(deviations, 2 * samples, axis=1)
    products = np.fft.irfft(np.abs(padded) ** 2, axis=1)[:, :samples]
    return products.mean(axis=0) / np.arange(samples, 0, -1)


def _window(rho: np.ndarray, total: int) -> tuple[int, float]:
    """Return the summation window and tau_int, by Wolff's automatic rule."""
    sums = 0.5 + np.cumsum(rho[1:])
    for window, tau in enumerate(sums, start=1):
        decay = WINDOW_FACTOR / np.log1p(2 / max(2 * tau - 1, 1e-12))
        if np.exp(-window / decay) < decay / np.sqrt(window * total):
            return window, max(float(tau), 0.5)
    return len(rho) - 1, max(float(sums[-1]) if len(sums) else 0.5, 0.5)

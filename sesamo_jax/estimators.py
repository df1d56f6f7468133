"""Estimators on arrays of log weights, each with a statistical error.

log_w = -f(x) - log q(x) for x ~ q; a weight of zero is log_w = -inf. All arithmetic is
float64 on the host, with the largest weight taken out first. Errors are one standard
deviation, by linear error propagation over independent samples.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import NamedTuple

import numpy as np

# Names in `metrics.json` of what takes weights to estimate.
WITH_ERROR = ("ess", "forward_ess", "log_z", "elbo", "kl", "nll")
WITHOUT_ERROR = (
    "leak",
    "max_weight_share",
    "integration_error",
    "imh_acceptance",
    "imh_tau_int",
)


class Estimate(NamedTuple):
    """A value and its standard error; NaN where the samples do not determine it."""

    mean: float
    error: float


def number(value: float) -> float | None:
    """Return a value as JSON can hold it: None if it is not finite."""
    return float(value) if isfinite(value) else None


def numbers(values: np.ndarray) -> float | None | list:
    """Return an array likewise, as nested lists."""
    if values.ndim == 0:
        return number(float(values))
    return [numbers(entry) for entry in values]


def _weights(log_w: np.ndarray) -> tuple[np.ndarray, float]:
    """Return weights scaled to a largest one of 1, and the log of the scale."""
    log_w = np.asarray(log_w, np.float64)
    largest = float(np.max(log_w))
    if not np.isfinite(largest):
        return np.full(log_w.shape, np.nan), np.nan
    return np.exp(log_w - largest), largest


def _standard_error(values: np.ndarray) -> float:
    if len(values) < 2:
        return np.nan
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def ess(log_w: np.ndarray) -> Estimate:
    """Return the effective sample size per sample, mean(w)^2 / mean(w^2).

    Blind to modes that q never visits; see `forward_ess`.
    """
    w, _ = _weights(log_w)
    first, second = w.mean(), (w**2).mean()
    value = first**2 / second
    return Estimate(
        float(value), _standard_error(value * (2 * w / first - w**2 / second))
    )


def forward_ess(log_w: np.ndarray) -> Estimate:
    """Return the effective sample size seen from the target, 1 / (E_p[w] E_p[1/w]).

    Args:
        log_w: log weights at samples of p; w = 0 cannot occur there, but w = inf, where
            q has no mass, can, and gives 0.
    """
    log_w = np.asarray(log_w, np.float64)
    if np.isposinf(log_w).any():
        return Estimate(0.0, np.nan)
    w, _ = _weights(log_w)
    inverse, _ = _weights(-log_w)
    shift = float(np.max(log_w) - np.min(log_w))
    first, second = w.mean(), inverse.mean()
    value = float(np.exp(-shift - np.log(first) - np.log(second)))
    return Estimate(value, _standard_error(value * (w / first + inverse / second)))


def log_z(log_w: np.ndarray) -> Estimate:
    """Return log Z-hat = log mean(w)."""
    w, largest = _weights(log_w)
    return Estimate(
        float(np.log(w.mean()) + largest), _standard_error(w) / float(w.mean())
    )


def elbo(log_w: np.ndarray) -> Estimate:
    """Return mean(log w), a lower bound of log Z (eq. 4); -inf if a weight is 0."""
    log_w = np.asarray(log_w, np.float64)
    if np.isneginf(log_w).any():
        return Estimate(-np.inf, np.nan)
    return Estimate(float(log_w.mean()), _standard_error(log_w))


def nll(log_q: np.ndarray) -> Estimate:
    """Return mean(-log q) at samples of p; infinite if q has no mass at one of them."""
    log_q = np.asarray(log_q, np.float64)
    if np.isneginf(log_q).any():
        return Estimate(np.inf, np.nan)
    return Estimate(float(-log_q.mean()), _standard_error(log_q))


def max_weight_share(log_w: np.ndarray) -> float:
    """Return the share of the total weight that the heaviest sample carries."""
    w, _ = _weights(log_w)
    return float(w.max() / w.sum())


def reweighted(values: np.ndarray, log_w: np.ndarray) -> Estimate:
    """Return the self-normalised mean sum(w v) / sum(w) of (n,) values."""
    means, errors = reweighted_array(values, log_w)
    return Estimate(float(means), float(errors))


def reweighted_array(
    values: np.ndarray, log_w: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return self-normalised means and errors of (n, ...) values, shape (...)."""
    w, _ = _weights(log_w)
    share = w / w.sum()
    means = np.tensordot(share, values, 1)
    return means, np.sqrt(np.tensordot(share**2, (values - means) ** 2, 1))


def derived(
    function: Callable[[Mapping[str, float]], float],
    values: Mapping[str, np.ndarray],
    log_w: np.ndarray,
) -> Estimate:
    """Return a function of reweighted means, with its linearly propagated error.

    Args:
        function: from means by name to a number.
        values: (n,) samples of its inputs, by name.
        log_w: (n,).
    """
    w, _ = _weights(log_w)
    share = w / w.sum()
    inputs = {name: reweighted(sample, log_w) for name, sample in values.items()}
    value, influence = linearised(function, values, inputs)
    return Estimate(value, float(np.sqrt(np.sum((share * influence) ** 2))))


def linearised(
    function: Callable[[Mapping[str, float]], float],
    values: Mapping[str, np.ndarray],
    inputs: Mapping[str, Estimate],
) -> tuple[float, np.ndarray]:
    """Return a function of means, and what each sample contributes to its deviation.

    Central differences of a tenth of each mean's error stand for the derivatives; with
    the contributions, shaped as the samples, correlations between inputs count.
    """
    means = {name: estimate.mean for name, estimate in inputs.items()}
    total = np.zeros(np.shape(next(iter(values.values()))))
    for name, estimate in inputs.items():
        step = estimate.error / 10 or 1e-12
        above = function({**means, name: estimate.mean + step})
        below = function({**means, name: estimate.mean - step})
        total += (above - below) / (2 * step) * (values[name] - estimate.mean)
    return function(means), total


def sector_shares(sectors: np.ndarray, order: int) -> list[Estimate]:
    """Return the share of samples in each sector, without weights."""
    shares = np.bincount(sectors, minlength=order) / len(sectors)
    return [
        Estimate(float(p), float(np.sqrt(p * (1 - p) / len(sectors)))) for p in shares
    ]


def reweighted_sector_shares(
    sectors: np.ndarray, order: int, log_w: np.ndarray
) -> list[Estimate]:
    """Return the reweighted probability of each sector, an estimate of the target's."""
    return [reweighted((sectors == g).astype(float), log_w) for g in range(order)]

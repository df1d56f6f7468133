"""Estimators on arrays of log weights, each with a statistical error.

log_w = -f(x) - log q(x) for x ~ q; a weight of zero is log_w = -inf. All arithmetic is
float64 on the host, with the largest weight taken out first. Errors are one standard
deviation, by linear error propagation over independent samples; where the tail of what
is averaged is too heavy for that (see `tails`), the error is NaN: unknown.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from sesamo_jax.estimators.tails import heavy, pareto_shape

# Names in `metrics.json` of what takes weights to estimate.
WITH_ERROR = (
    *("ess", "forward_ess", "log_z", "elbo", "kl", "nll"),
    *("eubo", "log_z_from_p", "bar", "missing"),
)
WITHOUT_ERROR = (
    "leak",
    "max_weight_share",
    "pareto_k",
    "integration_error",
    "imh_acceptance",
    "imh_tau_int",
)
# Shares of the symmetry's sectors that come from a model's own samples: counted,
# weighted, and by the target's probabilities on every sample's orbit. None of them
# knows of a mode that the model never visits.
SECTOR_ESTIMATES = ("sectors", "sectors_reweighted", "sectors_heat_bath")


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


def put(out: dict[str, Any], name: str, estimate: Estimate | None) -> None:
    """Write an estimate and its error under their names, None where there is none."""
    out[name] = None if estimate is None else number(estimate.mean)
    out[f"{name}_error"] = None if estimate is None else number(estimate.error)


def _weights(log_w: np.ndarray) -> tuple[np.ndarray, float]:
    """Return weights scaled to a largest one of 1, and the log of the scale."""
    log_w = np.asarray(log_w, np.float64)
    largest = float(np.max(log_w))
    if not np.isfinite(largest):
        return np.full(log_w.shape, np.nan), np.nan
    return np.exp(log_w - largest), largest


def _scaled(log_w: np.ndarray) -> tuple[np.ndarray, float]:
    """Return weights scaled to a mean of 1, and the log of their mean."""
    w, largest = _weights(log_w)
    return w / w.mean(), float(np.log(w.mean()) + largest)


def _shares(log_w: np.ndarray) -> np.ndarray:
    """Return self-normalised weights, (n,)."""
    w, _ = _weights(log_w)
    return w / w.sum()


def _propagated(terms: np.ndarray) -> float:
    """Return the error of a sum of independent terms of mean 0, (n,)."""
    if len(terms) < 2 or heavy(np.abs(terms)):
        return np.nan
    return float(np.sqrt(np.sum(terms**2)))


def _standard_error(values: np.ndarray) -> float:
    if len(values) < 2:
        return np.nan
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def ess(log_w: np.ndarray) -> Estimate:
    """Return the effective sample size per sample, mean(w)^2 / mean(w^2).

    Blind to modes that q never visits; see `forward_ess`. Its error takes w to have
    fourth moments, which a q narrower than p by a seventh does not give it.
    """
    w, _ = _scaled(log_w)
    second = (w**2).mean()
    # Only large weights can be far from typical: from w = second on they lower the ESS.
    largest = np.maximum(w, second)
    error = np.nan
    if not heavy((largest - second) ** 2 / second):
        error = _standard_error((2 * w - w**2 / second) / second)
    return Estimate(float(1 / second), error)


def forward_ess(log_w: np.ndarray, log_z: Estimate) -> Estimate:
    """Return the effective sample size seen from the target, Z / E_p[w].

    With Z as the harmonic mean 1 / E_p[1 / w], whose noise cancels that of E_p[w] as q
    approaches p; where q is so wide that 1 / w has no variance, with the Z given.

    Args:
        log_w: log weights at samples of p; w = 0 cannot occur there, but w = inf, where
            q has no mass, can, and gives 0.
        log_z: the exact value, of error 0, or an estimate from samples of q.
    """
    log_w = np.asarray(log_w, np.float64)
    if np.isposinf(log_w).any():
        return Estimate(0.0, np.nan)
    (w, log_mean), (inverse, log_mean_inverse) = _scaled(log_w), _scaled(-log_w)
    if heavy(inverse - 1):
        terms, log_z_error, log_z_mean = w, log_z.error, log_z.mean
    else:
        terms, log_z_error, log_z_mean = w + inverse, 0.0, -log_mean_inverse
    value = float(np.exp(log_z_mean - log_mean))
    error = np.nan
    if not heavy(w - 1):
        error = float(value * np.hypot(_standard_error(terms), log_z_error))
    return Estimate(value, error)


def log_z(log_w: np.ndarray) -> Estimate:
    """Return log Z-hat = log mean(w)."""
    w, log_mean = _scaled(log_w)
    return Estimate(log_mean, np.nan if heavy(w - 1) else _standard_error(w))


def pareto_k(log_w: np.ndarray) -> float:
    """Return the shape k of the weights' tail, see `tails.pareto_shape`.

    Beyond 1/2 w has no variance: log Z has no error, and the ESS falls with the number
    of samples; beyond 1 it has no mean.
    """
    return pareto_shape(_weights(log_w)[0])


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
    share, terms = _shares(log_w), np.zeros_like(values, np.float64)
    means = np.tensordot(share[share != 0], values[share != 0], 1)
    # An observable may have no value where the weight is 0.
    by_row = share.reshape(-1, *[1] * (values.ndim - 1))
    np.multiply(by_row, values - means, out=terms, where=by_row != 0)
    return means, np.apply_along_axis(_propagated, 0, terms)


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
    inputs = {name: reweighted(sample, log_w) for name, sample in values.items()}
    value, influence = linearised(function, values, inputs)
    share = _shares(log_w)
    terms = np.multiply(share, influence, out=np.zeros_like(share), where=share != 0)
    return Estimate(value, float(_propagated(terms)))


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

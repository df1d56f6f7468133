"""Estimates that look from both sides: from samples of q, and from samples of p.

What q never visits does not exist for its own samples, and neither does what chains of
p never visit for theirs. With w = exp(-f) / q, log q known everywhere:

    E_q[log w] <= log Z <= E_p[log w],  Z = E_q[w] = 1 / E_p[1 / w].

Samples of p come as (chains, samples); their errors count autocorrelation, see
`autocorrelation.gamma_method`. Independent samples are chains of one sample each.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from sesamo_jax.estimators.autocorrelation import gamma_method
from sesamo_jax.estimators.weighted import Estimate

WIDEST = 50.0  # how far beyond all log w the root of BAR is looked for


class TwoSided(NamedTuple):
    """What both sides say of log Z.

    Attributes:
        eubo: E_p[log w], an upper bound.
        log_z_from_p: -log E_p[1 / w]; too high where q is wider than p.
        bar: Bennett's acceptance ratio, the best estimate from both.
        excess: BAR minus log E_q[w], with the error of the difference. A share eps of p
            that q never visits makes it -log(1 - eps).
        missing: share of p where w is larger than at any sample of q.
    """

    eubo: Estimate
    log_z_from_p: Estimate
    bar: Estimate
    excess: Estimate
    missing: Estimate


def two_sided(log_w: np.ndarray, log_w_of_p: np.ndarray) -> TwoSided:
    """Return what samples of q and of p say together.

    Args:
        log_w: at independent samples of q, (n,).
        log_w_of_p: at samples of p, (chains, samples).
    """
    log_w = np.asarray(log_w, np.float64)
    log_w_of_p = np.asarray(log_w_of_p, np.float64)
    beyond = log_w_of_p > log_w.max()
    share = gamma_method(beyond.astype(float))
    error = share.error
    if np.isnan(error):  # none, or all: an error as of one more sample
        error = 1 / beyond.size
    bar, excess = _bar(log_w, log_w_of_p)
    return TwoSided(
        eubo=_mean(log_w_of_p),
        log_z_from_p=_inverse_mean(log_w_of_p),
        bar=bar,
        excess=excess,
        missing=Estimate(share.mean, error),
    )


def _mean(series: np.ndarray) -> Estimate:
    if not np.isfinite(series).all():
        return Estimate(float(np.mean(series)), np.nan)
    return Estimate(*gamma_method(series)[:2])


def _inverse_mean(log_w: np.ndarray) -> Estimate:
    """Return -log mean(1 / w) and its error; w = inf, where q has no mass, counts."""
    least = log_w.min()
    estimate = gamma_method(np.exp(least - log_w))
    value = least - np.log(estimate.mean)
    return Estimate(float(value), float(estimate.error / estimate.mean))


def _bar(log_w: np.ndarray, log_w_of_p: np.ndarray) -> tuple[Estimate, Estimate]:
    """Return Bennett's estimate of log Z, and by how much it exceeds log mean(w).

    With r = w / Z = p / q it is the root of E_q[b r / (a + b r)] / b =
    E_p[a / (a + b r)] / a, for a and b the numbers of independent samples of either
    side (Bennett, J. Comput. Phys. 22, 245 (1976)). Errors by linear propagation.
    """
    # Of a bounded function of w, which may be infinite where q has no mass.
    tau = gamma_method(expit(np.median(log_w) - log_w_of_p)).tau_int
    independent = log_w_of_p.size / (2 * tau if tau > 0.5 else 1)
    offset = np.log(independent / len(log_w))  # log (b / a)

    def shares(c: float) -> tuple[np.ndarray, np.ndarray]:
        """Return b r / (a + b r) at samples of q, and a / (a + b r) at those of p."""
        return expit(log_w - c + offset), expit(c - offset - log_w_of_p)

    def imbalance(c: float) -> float:
        of_q, of_p = shares(c)
        with np.errstate(divide="ignore"):
            return float(np.log(of_q.mean()) - offset - np.log(of_p.mean()))

    finite = np.concatenate([log_w, log_w_of_p.ravel()])
    finite = finite[np.isfinite(finite)]
    low, high = finite.min() - WIDEST, finite.max() + WIDEST
    if not imbalance(low) > 0 > imbalance(high):
        unknown = Estimate(np.nan, np.nan)
        return unknown, unknown
    c = float(brentq(imbalance, low, high))
    of_q, of_p = shares(c)
    mean_q, mean_p = of_q.mean(), of_p.mean()
    slope = (of_q * (1 - of_q)).mean() / mean_q + (of_p * (1 - of_p)).mean() / mean_p
    from_p = gamma_method(of_p / mean_p).error
    from_p = 0.0 if np.isnan(from_p) else from_p / slope
    influence = (of_q / mean_q - 1) / slope
    w = np.exp(log_w - log_w.max())
    log_z = float(log_w.max() + np.log(w.mean()))
    count = np.sqrt(len(log_w))
    return (
        Estimate(c, float(np.hypot(influence.std() / count, from_p))),
        Estimate(
            c - log_z,
            float(np.hypot((influence - w / w.mean() + 1).std() / count, from_p)),
        ),
    )

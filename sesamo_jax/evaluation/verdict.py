"""What speaks against a model, in a sentence each, by samples of the target."""

from collections.abc import Mapping
from math import isnan
from typing import Any

import numpy as np

from sesamo_jax import estimators
from sesamo_jax.core import Target
from sesamo_jax.estimators.autocorrelation import gamma_method
from sesamo_jax.estimators.two_sided import TwoSided
from sesamo_jax.evaluation.sampling import Draws
from sesamo_jax.evaluation.witness import Witness

SIGMAS = 4.0
LARGEST_ERROR = 0.2  # of log Z, beyond which agreement says nothing
FAR = 3.0  # of log w, beyond the largest of the model's samples
# Differences that count, of log Z, of shares, and of log q: beyond rounding in float32
# and the error of integration that a report allows.
LEAST_EXCESS, LEAST_SHARE, LEAST_INCONSISTENCY = 0.004, 0.005, 0.1


def inconsistency(of_flow: np.ndarray | None, lack: np.ndarray | None) -> str | None:
    """Return a sentence if log q at the model's own samples is not that of drawing.

    Args:
        of_flow: log q~(y) less its value as drawn, (n,): 0, but for rounding.
        lack: log q of drawing less log q(x), (n,): at most 0, as x may be reached in
            other ways, too.
    """
    if of_flow is None or lack is None:
        return None
    causes = {
        "a flow's inverse does not invert": np.abs(of_flow),
        "a symmetry's undo is not the inverse of its act": lack,
    }
    for cause, off in causes.items():
        known = np.nan_to_num(off, nan=np.inf)
        typical = float(np.quantile(known, 0.9))
        if typical > LEAST_INCONSISTENCY:
            return (
                "log q at the model's own samples is not the density that they were "
                f"drawn from (off by {typical:.2g} for a tenth of them, or more): "
                f"{cause}"
            )
    return None


def missed(
    sides: TwoSided,
    log_w: np.ndarray,
    out: Mapping[str, Any],
    draws: Draws,
    target: Target,
) -> str | None:
    """Return what the witness says against the model, the largest first, or None."""
    excess, error = sides.excess
    if isnan(excess):
        return "no sample of the model is where the target is, or none of the target's"
    sigma = abs(excess) / max(error, 1e-300)
    if abs(excess) > LEAST_EXCESS and sigma > SIGMAS:
        side = "above" if excess > 0 else "below"
        sentence = (
            f"log Z with samples of the target is {abs(excess):.3g} {side} the "
            f"model's, {min(sigma, 9999):.0f} sigma"
        )
        if excess > 0:
            share = -np.expm1(-excess)
            return f"{sentence}: the model misses about {share:.1%} of the target"
        return f"{sentence}: its own weights overestimate it"
    if error > LARGEST_ERROR:
        return (
            f"the weights determine log Z to {error:.2g} only: few of the model's "
            "samples are where the target is"
        )
    beyond = log_w - draws.log_w.max()
    far = float(np.mean(beyond > FAR))
    if far > LEAST_SHARE:
        return (
            f"samples of the target have weights up to e^{beyond.max():.0f} times the "
            f"largest of the model's: it misses about {far:.1%} of the target"
        )
    missing, error = sides.missing
    if missing > LEAST_SHARE and missing > SIGMAS * error:
        return (
            f"{missing:.1%} of the target have larger weights than any of the "
            "model's samples shows"
        )
    return sectors_apart(out, draws, target)


def sectors_apart(out: Mapping[str, Any], draws: Draws, target: Target) -> str | None:
    """Return a sentence on a sector whose share differs in both, or None."""
    order = target.listed_sectors
    if out.get("sectors_audit") is None or draws.sectors is None or order is None:
        return None
    own = estimators.reweighted_sector_shares(draws.sectors, order, draws.log_w)
    known = zip(out["sectors_audit"], out["sectors_audit_error"], own, strict=True)
    for sector, (share, error, (mean, own_error)) in enumerate(known):
        if error is None or isnan(own_error):
            continue
        joint = float(np.hypot(error, own_error))
        if abs(share - mean) > LEAST_SHARE and abs(share - mean) > SIGMAS * joint:
            return (
                f"sector {sector} has a share of {share:.3f} in samples of the target "
                f"and {mean:.3f} in the model's, reweighted"
            )
    return None


def observables_apart(witness: Witness, draws: Draws) -> str | None:
    """Return a sentence on the observable that differs most, or None."""
    w = np.exp(draws.log_w - np.max(draws.log_w))
    share = w / w.sum()
    found = {}
    for name, series in witness.observables.items():
        theirs = gamma_method(series)
        values = draws.observables[name].astype(np.float64)
        mean = float(share @ values)
        error = float(
            np.hypot(theirs.error, np.sqrt(np.sum((share * (values - mean)) ** 2)))
        )
        apart = abs(theirs.mean - mean)
        if apart > LEAST_SHARE * (abs(mean) + values.std()) and apart > SIGMAS * error:
            found[apart / error] = (name, theirs.mean, mean)
    if not found:
        return None
    sigma = max(found)
    name, theirs_mean, mean = found[sigma]
    return (
        f"{name} is {theirs_mean:.4g} in samples of the target and {mean:.4g} in the "
        f"model's, reweighted, {min(sigma, 9999):.0f} sigma apart"
    )

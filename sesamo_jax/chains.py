"""The report of Markov chains, in the form of `evaluate.report`."""

from math import isfinite
from typing import Any

import numpy as np

from sesamo_jax.core import Target
from sesamo_jax.estimators import WITH_ERROR, WITHOUT_ERROR, Estimate, linearised
from sesamo_jax.reference.autocorrelation import ChainEstimate, gamma_method
from sesamo_jax.reference.hmc import Chains


def chain_report(chains: Chains, target: Target) -> dict[str, Any]:
    """Return the estimates of one seed under the names of `metrics.json`.

    Observables carry `tau_int`, in stored samples; sector shares are those of the
    chains, with errors that count every sample of a chain as its autocorrelation says.
    """
    # A chain has no density, hence no weights.
    out: dict[str, Any] = dict.fromkeys((*WITH_ERROR, *WITHOUT_ERROR))
    out |= dict.fromkeys(f"{name}_error" for name in WITH_ERROR)
    values = {k: np.asarray(v, np.float64) for k, v in chains.observables.items()}
    estimates = {k: gamma_method(v) for k, v in values.items() if v.ndim == 2}
    out["observables"] = {name: _entry(e) for name, e in estimates.items()}
    for name, array in values.items():
        if array.ndim > 2:
            columns = [gamma_method(column) for column in np.moveaxis(array, 2, 0)]
            means, errors, _ = zip(*columns, strict=True)
            out["observables"][name] = {"mean": list(means), "error": list(errors)}
    for name, (inputs, function) in target.derived.items():
        needed = {key: Estimate(*estimates[key][:2]) for key in inputs}
        mean, influence = linearised(function, values, needed)
        out["observables"][name] = _entry(gamma_method(influence)._replace(mean=mean))
    out.update(_sectors(chains, target))
    out["acceptance"] = chains.acceptance
    out["step_size"] = chains.step_size
    out["gradient_calls"] = chains.gradient_calls
    return out


def _entry(estimate: ChainEstimate) -> dict[str, float | None]:
    return {
        name: float(value) if isfinite(value) else None
        for name, value in estimate._asdict().items()
    }


def _sectors(chains: Chains, target: Target) -> dict[str, Any]:
    out: dict[str, Any] = {"sectors_expected": None, "sectors_expected_error": None}
    order = None if target.symmetry is None else target.symmetry.order
    if chains.sectors is None or order is None:
        return out | {"sectors": None, "sectors_error": None}
    shares = [gamma_method((chains.sectors == g).astype(float)) for g in range(order)]
    out["sectors"] = [share.mean for share in shares]
    out["sectors_error"] = [share.error for share in shares]
    # Chains are unweighted: both columns of the report are the same.
    out["sectors_reweighted"] = out["sectors"]
    out["sectors_reweighted_error"] = out["sectors_error"]
    if target.exact.sectors is not None:
        out["sectors_expected"] = [float(p) for p in target.exact.sectors]
        out["sectors_expected_error"] = [0.0] * len(shares)
    return out

"""Reports of Markov chains and of populations, in the form of `evaluation.report`."""

from collections.abc import Mapping, Sequence
from math import nan, sqrt
from typing import Any

import numpy as np

from sesamo_jax import estimators
from sesamo_jax.core import Target
from sesamo_jax.estimators.autocorrelation import ChainEstimate, gamma_method
from sesamo_jax.estimators.convergence import r_hat
from sesamo_jax.estimators.tails import heavy
from sesamo_jax.estimators.weighted import (
    SECTOR_ESTIMATES,
    WITH_ERROR,
    WITHOUT_ERROR,
    Estimate,
    linearised,
    number,
    numbers,
)
from sesamo_jax.reference.hmc import Chains
from sesamo_jax.reference.smc import Populations

FEWEST_DECISIVE = 20  # samples, for an error of what takes few values
LARGEST_SHARE = 0.75  # of the weight, for one population beside others that count


def chain_report(chains: Chains, target: Target) -> dict[str, Any]:
    """Return the estimates of one seed under the names of `metrics.json`.

    Observables carry `tau_int`, in stored samples, and `r_hat`, the largest of which
    stands at the top; sector shares are those of the chains, with errors that count
    every sample of a chain as its autocorrelation says. The error of what no chain ever
    changes is None: how often it would is not known.
    """
    out = _common(chains)
    values = {k: np.asarray(v, np.float64) for k, v in chains.observables.items()}
    estimates = {
        k: _estimate(v, chains.at_samples[k]) for k, v in values.items() if v.ndim == 2
    }
    out["observables"] = {name: _entry(e) for name, e in estimates.items()}
    for name, array in values.items():
        if array.ndim > 2:
            shape = array.shape[2:]
            entries = [_estimate(array[(..., *at)]) for at in np.ndindex(shape)]
            means, errors, _ = np.array(entries).T.reshape(3, *shape)
            out["observables"][name] = {
                "mean": numbers(means),
                "error": numbers(errors),
            }
    for name, (inputs, function) in target.derived.items():
        needed = {key: Estimate(*estimates[key][:2]) for key in inputs}
        mean, influence = linearised(function, values, needed)
        out["observables"][name] = _entry(gamma_method(influence)._replace(mean=mean))
    agreement = {k: r_hat(v) for k, v in values.items() if v.ndim == 2}
    for name, value in agreement.items():
        out["observables"][name]["r_hat"] = number(value)
    known = [value for value in agreement.values() if value == value]
    out["r_hat"] = max(known, default=None)
    times = {k: e.tau_int for k, e in estimates.items() if e.tau_int == e.tau_int}
    out["slowest"] = max(times, key=lambda name: times[name], default=None)
    counts = _counts(chains.sectors, target)
    shares = None if counts is None else [gamma_method(count) for count in counts]
    return out | _sectors(shares, target)


def _estimate(
    series: np.ndarray, at_samples: np.ndarray | None = None
) -> ChainEstimate:
    """Return a mean over chains; no error where rare values decide it.

    Averages over orbits may hardly differ from each other, or on rare orbits alone,
    which may not have been seen yet. The error of the values at the samples themselves,
    of the same mean and a larger variance, is then taken, if it can be trusted.

    Args:
        series: (chains, samples).
        at_samples: the same quantity without averages over orbits; None where there is
            nothing else.
    """
    estimate = gamma_method(series)
    varies = estimate.error == estimate.error
    if varies and not heavy(np.abs(series - estimate.mean).ravel()):
        return estimate
    error = nan
    if at_samples is not None:
        itself = np.asarray(at_samples, np.float64)
        squares = (itself - itself.mean()) ** 2
        # As many as decide the variance; its relative error is about 1 / root of them.
        if np.sum(squares) ** 2 > FEWEST_DECISIVE * np.sum(squares**2):
            error = gamma_method(itself).error
    return estimate._replace(error=error)


def chain_series(chains: Chains, report: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return what a figure shows of chains, by name, each (chains, samples).

    `slowest` is the scalar observable whose tau_int is the largest, named in the report
    as such, and `chain_sectors` the sector of each sample.
    """
    series = {}
    if report["slowest"] is not None:
        series["slowest"] = chains.observables[report["slowest"]]
    if chains.sectors is not None:
        series["chain_sectors"] = chains.sectors
    return series


def population_report(populations: Populations, target: Target) -> dict[str, Any]:
    """Return the estimates of one seed under the names of `metrics.json`.

    A population counts as one sample, its average over particles as the value and its
    estimate of Z as the weight. Resampled particles are not independent; populations
    are, and all errors are the spread between them, propagated linearly. An error is
    None where all populations have one and the same value, and where one of them has
    nearly all the weight: then it takes more particles.
    """
    log_w, count = populations.log_z, len(populations.log_z)
    # Deviations are from a mean of the same populations.
    alone = not estimators.max_weight_share(log_w) <= LARGEST_SHARE
    unbiased = nan if alone else sqrt(count / (count - 1))

    def across(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        means, errors = estimators.reweighted_array(values, log_w)
        differ = np.ptp(values, axis=0) > 0
        return means, np.where(differ, errors * unbiased, nan)

    out = _common(populations)
    log_z = estimators.log_z(log_w)
    out["log_z"], out["log_z_error"] = map(number, log_z)
    averages = {
        name: np.asarray(values, np.float64).mean(axis=1)
        for name, values in populations.observables.items()
    }
    out["observables"] = {
        name: {"mean": numbers(mean), "error": numbers(error)}
        for name, values in averages.items()
        for mean, error in [across(values)]
    }
    for name, (inputs, function) in target.derived.items():
        needed = {key: averages[key] for key in inputs}
        mean, error = estimators.derived(function, needed, log_w)
        out["observables"][name] = _entry(Estimate(mean, error * unbiased or nan))
    counts = _counts(populations.sectors, target)
    shares = None
    if counts is not None:
        means, errors = across(np.stack(counts, axis=-1).mean(axis=1))
        shares = [Estimate(*pair) for pair in zip(means, errors, strict=True)]
    out["temperatures"] = populations.temperatures
    return out | _sectors(shares, target)


def _common(run: Chains | Populations) -> dict[str, Any]:
    """Return the entries of any method without a model; what needs one is None."""
    out: dict[str, Any] = dict.fromkeys((*WITH_ERROR, *WITHOUT_ERROR))
    out |= dict.fromkeys(f"{name}_error" for name in WITH_ERROR)
    calls = "gradient_calls", "energy_calls"
    for name in ("acceptance", "step_size", *calls):
        out[name] = getattr(run, name)
    out["move_acceptance"] = dict(run.move_acceptance)
    return out


def _entry(estimate: ChainEstimate | Estimate) -> dict[str, float | None]:
    return {name: number(value) for name, value in estimate._asdict().items()}


def _counts(sectors: np.ndarray | None, target: Target) -> list[np.ndarray] | None:
    """Return, for every sector, 1.0 where a sample lies in it and 0.0 elsewhere."""
    order = target.listed_sectors
    if sectors is None or order is None:
        return None
    return [(sectors == g).astype(float) for g in range(order)]


def _sectors(
    shares: Sequence[ChainEstimate | Estimate] | None, target: Target
) -> dict[str, Any]:
    out: dict[str, Any] = {"sectors_expected": None}
    out |= {key: None for name in SECTOR_ESTIMATES for key in (name, f"{name}_error")}
    if shares is None:
        return out
    out["sectors"] = [number(share.mean) for share in shares]
    out["sectors_error"] = [number(share.error) for share in shares]
    # Samples are unweighted: both columns of the report are the same.
    out["sectors_reweighted"] = out["sectors"]
    out["sectors_reweighted_error"] = out["sectors_error"]
    if target.exact.sectors is not None:
        out["sectors_expected"] = [float(p) for p in target.exact.sectors]
    return out

"""Reading the result files of the phi^4 study, and the breaking ratio's references."""

import json
from functools import cache
from math import erf, exp, sqrt

import numpy as np
import reading
from reading import Run

from phi4.runs import SCAN_SEEDS, of_seed
from sesamo_jax.run.text import aggregate

SUMS = reading.RESULTS / "phi4" / "absolute_sums.json"


def metrics(name: str) -> Run | None:
    """Return a run's metrics with the seeds of all runs of its name, or None.

    Seconds are the first one's: the others' seeds shared the cores.
    """
    found = [reading.metrics(f"phi4/{of_seed(name, k)}") for k in range(SCAN_SEEDS)]
    runs = [run for run in found if run is not None]
    if len(runs) < 2:
        return found[0]
    seeds = [seed for run in runs for seed in run["seeds"]]
    seconds = {"wall_seconds": runs[0]["aggregate"]["wall_seconds"]}
    return runs[0] | {"seeds": seeds, "aggregate": aggregate(seeds) | seconds}


@cache
def absolute_sums() -> np.ndarray:
    """Return |sum_j x_j| of HMC at alpha = 0, (blocks of time, samples)."""
    return np.array(json.loads(SUMS.read_text()))


def exact_ratio(alpha: float) -> tuple[float, float]:
    """Return R and its error from HMC at alpha = 0, reweighted.

    -<sinh(alpha V |m|)> / <cosh(alpha V |m|)>: what the sign of the field makes of the
    distribution of |m|, in which chains move well.
    """
    total = alpha * absolute_sums()
    return _ratio(-np.sinh(total), np.cosh(total))


def exact_modulus(alpha: float, volume: int = 128) -> tuple[float, float]:
    """Return <|m|> and its error by the same reweighting."""
    sums = absolute_sums()
    weights = np.cosh(alpha * sums)
    return _ratio(sums / volume * weights, weights)


def _ratio(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    means = values.sum(axis=1) / weights.sum(axis=1)
    error = float(np.std(means, ddof=1) / sqrt(len(means)))
    return float(values.sum() / weights.sum()), error


def paper_ratio(alpha: float, volume: int = 128) -> float:
    """Return R of eq. 56 with the paper's fit of eq. 54."""
    mu, sigma = 2.126, 0.629
    tilt, shift = alpha * volume * mu, alpha * volume * sigma**2
    right = exp(-tilt) * erf((mu - shift) / (sqrt(2) * sigma))
    left = exp(tilt) * erf((mu + shift) / (sqrt(2) * sigma))
    return (right - left) / (exp(tilt) + exp(-tilt))

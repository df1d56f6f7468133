"""Reading the result files of the phi^4 study, and the breaking ratio's references."""

import json
from math import erf, exp, sqrt

import numpy as np
import studies
from studies import ROOT, Run

from sesamo_jax.run.text import aggregate
from sesamo_jax.storage.files import read_arrays

RESULTS = ROOT / "experiments" / "results" / "phi4"
SUMS = RESULTS / "real_0.0_hmc" / "absolute_sums.json"
ALPHAS = (0.0, 0.001, 0.002, 0.005, 0.01)
SCAN_SEEDS = 3


def of_seed(name: str, seed: int) -> str:
    """Return the folder of a seed of a run whose seeds have one each."""
    return f"{name}_seed{seed}" if seed else name


def metrics(name: str) -> Run | None:
    """Return a run's result with the seeds of all its folders, or None.

    Seconds are the first folder's: the others' seeds shared the cores.
    """
    found = [studies.metrics("phi4", of_seed(name, k)) for k in range(SCAN_SEEDS)]
    runs = [run for run in found if run is not None]
    if len(runs) < 2:
        return found[0]
    seeds = [seed for run in runs for seed in run["seeds"]]
    seconds = {"wall_seconds": runs[0]["aggregate"]["wall_seconds"]}
    return runs[0] | {"seeds": seeds, "aggregate": aggregate(seeds) | seconds}


def samples(name: str) -> dict[str, np.ndarray] | None:
    """Return a run's samples of its first seed, x and normalised weights."""
    path = RESULTS / name / "samples.npz"
    if not path.exists():
        return None
    arrays = read_arrays(path)
    x = arrays["x"][0].astype(float)
    log_w = arrays["log_w"][0] if "log_w" in arrays else np.zeros(len(x))
    w = np.exp(log_w - log_w.max())
    return {"x": x, "w": w / w.sum()}


def exact_ratio(alpha: float) -> tuple[float, float]:
    """Return R and its error from HMC at alpha = 0, reweighted.

    -<sinh(alpha V |m|)> / <cosh(alpha V |m|)>: what the sign of the field makes of the
    distribution of |m|, in which chains move well.
    """
    total = alpha * np.array(json.loads(SUMS.read_text()))
    return _ratio(-np.sinh(total), np.cosh(total))


def exact_modulus(alpha: float, volume: int = 128) -> tuple[float, float]:
    """Return <|m|> and its error by the same reweighting."""
    sums = np.array(json.loads(SUMS.read_text()))
    weights = np.cosh(alpha * sums)
    return _ratio(sums / volume * weights, weights)


def _ratio(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    means = values.sum(axis=1) / weights.sum(axis=1)
    error = float(np.std(means, ddof=1) / sqrt(len(means)))
    return float(values.sum() / weights.sum()), error


def write_sums() -> None:
    """Write |sum_j x_j| of the samples of HMC at alpha = 0, in blocks of time."""
    drawn = samples("real_0.0_hmc")
    if drawn is not None:
        sums = np.abs(drawn["x"].sum(axis=(1, 2)))
        blocks = np.round(sums[: len(sums) // 40 * 40].reshape(40, -1), 3)
        SUMS.write_text(json.dumps(blocks.tolist()) + "\n")


def paper_ratio(alpha: float, volume: int = 128) -> float:
    """Return R of eq. 56 with the paper's fit of eq. 54."""
    mu, sigma = 2.126, 0.629
    tilt, shift = alpha * volume * mu, alpha * volume * sigma**2
    right = exp(-tilt) * erf((mu - shift) / (sqrt(2) * sigma))
    left = exp(tilt) * erf((mu + shift) / (sqrt(2) * sigma))
    return (right - left) / (exp(tilt) + exp(-tilt))

"""What log weights say, by the same code for every contender.

The package's estimators need no JAX, but importing them from the package would: they
are loaded from their file, so that this also works where only a peer is installed.
"""

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np

SOURCE = Path(__file__).parents[2] / "sesamo_jax" / "estimators.py"


def weigh(log_w: np.ndarray) -> dict[str, float | None]:
    """Return ESS and log Z with their errors; None is what is not finite.

    Args:
        log_w: log weights of independent samples, (n,).
    """
    estimators = load_estimators()
    out = {}
    for name in ("ess", "log_z"):
        estimate = getattr(estimators, name)(log_w)
        out[name] = estimators.number(estimate.mean)
        out[f"{name}_error"] = estimators.number(estimate.error)
    return out


def effective_samples(values: np.ndarray, log_w: np.ndarray) -> float:
    """Return the variance of a quantity over the squared error of its mean.

    Args:
        values: (n,).
        log_w: log weights of the same samples, (n,).
    """
    reweighted = load_estimators().reweighted
    mean, error = reweighted(values, log_w)
    variance = reweighted((values - mean) ** 2, log_w).mean
    return float(variance / error**2)


@cache
def load_estimators() -> ModuleType:
    """Return `sesamo_jax.estimators` without its package."""
    spec = importlib.util.spec_from_file_location("estimators", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

"""What log weights say, by the same code for every contender.

The package's estimators need no JAX, but importing the package would: where only a peer
is installed, a bare package of its name stands in for it.
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np

PACKAGE = "sesamo_jax"


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


def load_estimators() -> ModuleType:
    """Return the package's estimators, without the package unless it is there."""
    if PACKAGE not in sys.modules:
        bare = ModuleType(PACKAGE)
        bare.__path__ = [str(Path(__file__).parents[2] / PACKAGE)]
        sys.modules[PACKAGE] = bare
    return importlib.import_module(f"{PACKAGE}.estimators.weighted")

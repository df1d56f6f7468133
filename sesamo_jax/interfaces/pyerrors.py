"""Reweighted observables with their errors, as pyerrors' `Obs`."""

from typing import Any

import numpy as np

from sesamo_jax.interfaces.optional import needed
from sesamo_jax.trained.samples import WeightedSamples


def to_pyerrors(samples: WeightedSamples, ensemble: str) -> dict[str, Any]:
    """Return means of the target, <O> = <w O>_q / <w>_q, from weighted samples.

    Numerics: weights are divided by their mean, which cancels; in float64.

    Args:
        samples: of one seed.
        ensemble: pyerrors' name of what they are of: quantities of the same one are
            correlated, those of different ones, such as seeds, are independent.

    Returns:
        By name of the observable an `Obs`, or a NumPy array of them; their errors are
        those of `gamma_method()`, which is the caller's to call.

    Raises:
        ImportError: without pyerrors.
    """
    library = needed("pyerrors")
    log_w = np.asarray(samples.log_w, np.float64)
    w = np.exp(log_w - log_w.max())
    w /= w.mean()
    weight = library.Obs([w], [ensemble])

    def mean(values: np.ndarray) -> Any:
        return library.Obs([w * values], [ensemble]) / weight

    out = {}
    for name, array in samples.observables.items():
        values = np.asarray(array, np.float64)
        if values.ndim == 1:
            out[name] = mean(values)
            continue
        flat = [mean(column) for column in values.reshape(len(values), -1).T]
        out[name] = np.array(flat, object).reshape(values.shape[1:])
    return out

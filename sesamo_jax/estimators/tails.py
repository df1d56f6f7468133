"""How heavy the tail of a sample is: whether the error of its mean can be trusted.

The mean of values whose tail falls off as v^(-1/k) has a variance for k < 1/2 only. Of
heavier tails a sample sees too little: its own variance, and every error that comes
from it, is as much too small as the values that it has missed are large.
"""

import numpy as np

LARGEST_SHAPE = 0.5
FEWEST_EXCESSES = 20  # with fewer, Gaussian samples often seem to have a heavy tail
# Of a sum of squares: what lies beyond the threshold matters from this share on.
LEAST_SHARE = 0.05


def pareto_shape(values: np.ndarray) -> float:
    """Return k of the generalised Pareto law nearest to the largest of the values.

    P(value > v) falls off as v^(-1/k); k <= 0 stands for a tail that ends, or falls off
    faster than every power. Fitted to the excesses of the largest 3 sqrt(n) values, a
    fifth of them at most, by the posterior mean of Zhang and Stephens
    (doi:10.1198/tech.2009.08017), and drawn to 1/2 by a prior worth ten values (Vehtari
    et al., arXiv:1507.02646). The standard deviation of k is about (1 + k) / sqrt(m)
    for m values.

    Args:
        values: (n,), finite.

    Returns:
        NaN for fewer than 100 values, or where the largest are all the same; inf where
        too few of them differ from the others to tell.
    """
    values = np.asarray(values, np.float64)
    count = _tail_length(len(values))
    if count < FEWEST_EXCESSES:
        return np.nan
    largest = np.sort(np.partition(values, -count - 1)[-count - 1 :])
    excesses = largest[1:] - largest[0]
    if not excesses[-1] > 0:
        return np.nan
    quartile = excesses[int(count / 4 + 0.5) - 1]
    if not quartile > 1e-12 * excesses[-1]:
        return np.inf
    return (count * _fit(excesses, quartile) + 10 * 0.5) / (count + 10)


def heavy(values: np.ndarray) -> bool:
    """Return whether the mean of some values has no error that can be trusted.

    Their upper tail has no variance, and makes up more than a negligible share of the
    sum of squares: among values that all but agree, any tail may be borne.

    Args:
        values: what the mean is taken of, less their mean, (n,); their size, where both
            signs have tails.
    """
    count = _tail_length(len(values))
    if count < FEWEST_EXCESSES or not pareto_shape(values) > LARGEST_SHAPE:
        return False
    largest = np.partition(values, -count - 1)[-count - 1 :]
    excesses = largest - largest[0]
    return float(np.sum(excesses**2)) > LEAST_SHARE * float(np.sum(values**2))


def _tail_length(count: int) -> int:
    """Return how many of the largest values are taken for the tail."""
    return int(min(count / 5, 3 * np.sqrt(count)))


def _fit(excesses: np.ndarray, quartile: float) -> float:
    """Return k from sorted excesses over a threshold, (m,), and their quartile."""
    count = len(excesses)
    points = np.arange(1, 31 + int(np.sqrt(count))) - 0.5
    slopes = (1 - np.sqrt(len(points) / points)) / (3 * quartile) + 1 / excesses[-1]
    shapes = np.mean(np.log1p(-slopes[:, None] * excesses), axis=1)
    likelihood = count * (np.log(-slopes / shapes) - shapes - 1)
    weights = np.exp(likelihood - np.max(likelihood))
    slope = np.sum(weights * slopes) / np.sum(weights)
    return float(np.mean(np.log1p(-slope * excesses)))

"""Whether chains agree: split, rank-normalised R-hat (Vehtari et al., 1903.08008)."""

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

FEWEST_CHAINS = 4


def r_hat(series: np.ndarray) -> float:
    """Return R-hat of one quantity, the larger of that of its bulk and of its tails.

    Chains are split in half, so that one that drifts disagrees with itself, and values
    are replaced by normal quantiles of their ranks, so that heavy tails do no harm; for
    the tails, by those of their distance from the median. It is 1 where all halves have
    one distribution. Chains have to start at different places to tell anything.

    Args:
        series: (chains, samples), equilibrated; at least four samples.

    Returns:
        NaN for a quantity that never changes, or with too few samples.

    Raises:
        ValueError: for fewer than four chains.
    """
    series = np.asarray(series, np.float64)
    chains, samples = series.shape
    if chains < FEWEST_CHAINS:
        raise ValueError(
            f"R-hat compares chains, and {chains} are too few: run at least "
            f"{FEWEST_CHAINS}"
        )
    half = samples // 2
    if half < 2 or not np.ptp(series) > 0:
        return float("nan")
    halves = np.concatenate([series[:, :half], series[:, -half:]])
    folded = np.abs(halves - np.median(halves))
    return max(_of_ranks(halves), _of_ranks(folded) if np.ptp(folded) > 0 else 0.0)


def _of_ranks(series: np.ndarray) -> float:
    """Return sqrt of the pooled variance over that within chains, of normal ranks."""
    ranks = rankdata(series).reshape(series.shape)
    scores = ndtri((ranks - 3 / 8) / (series.size + 1 / 4))
    length = series.shape[1]
    # At least one rank's worth: every chain may have stayed where it is.
    within = max(scores.var(axis=1, ddof=1).mean(), 1 / series.size**2)
    between = scores.mean(axis=1).var(ddof=1)
    return float(np.sqrt((length - 1) / length + between / within))

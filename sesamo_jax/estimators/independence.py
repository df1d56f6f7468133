"""Independence Metropolis: a Markov chain of the target from weighted proposals."""

from typing import NamedTuple

import numpy as np


class IndependenceChain(NamedTuple):
    """A chain through given proposals.

    Attributes:
        indices: of the proposal that the chain is at, from its start on, (steps,).
        acceptance: share of the proposals after the start that it moved to; NaN if
            there were none.
    """

    indices: np.ndarray
    acceptance: float


def chain_through(
    log_w: np.ndarray, rng: np.random.Generator
) -> IndependenceChain | None:
    """Return the chain that accepts a proposal with probability min(1, w' / w).

    Proposals drawn independently from q with weights w = p / q make it a chain of p,
    whatever q leaves out of proportion (Tierney, 1994). It starts at the first proposal
    of positive weight and never moves to one of weight 0. blackjax's `irmh` is the same
    chain; it draws its proposals one at a time, and here they are at hand with their
    weights, so that a loop over these does.

    Args:
        log_w: log weights in the order of drawing, (n,); -inf for a weight of 0.
        rng: for the decisions, independent of the proposals.

    Returns:
        None if every weight is 0, or one is NaN or inf: then there is no chain.
    """
    log_w = np.asarray(log_w, np.float64)
    if not np.isfinite(np.max(log_w)):
        return None
    start = int(np.argmax(np.isfinite(log_w)))
    with np.errstate(divide="ignore"):  # log 0 accepts, as it should
        thresholds = np.log(rng.random(len(log_w)))
    current, level, accepted = start, float(log_w[start]), 0
    indices = [start]
    proposals = zip(log_w[start + 1 :], thresholds[start + 1 :], strict=True)
    for index, (proposed, threshold) in enumerate(proposals, start + 1):
        if threshold < proposed - level:
            current, level = index, float(proposed)
            accepted += 1
        indices.append(current)
    steps = len(indices) - 1
    return IndependenceChain(np.array(indices), accepted / steps if steps else np.nan)

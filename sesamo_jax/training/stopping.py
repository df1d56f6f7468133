"""Whether a training ends before its last step, by the history of its ESS."""

from collections.abc import Sequence

import numpy as np

from sesamo_jax.config.schema import TrainingConfig


def why_stopped(ess: Sequence[np.ndarray], training: TrainingConfig) -> str | None:
    """Return why training ends with the last of some chunks; None where it goes on.

    It ends where all seeds agree, since they advance together.

    Args:
        ess: of every chunk so far, the mean over its steps, (seeds,) each; NaN where no
            step had one, which is never better than another.
        training: `stop_at_ess` and `stop_at_plateau`.
    """
    if not ess:
        return None
    known = np.nan_to_num(np.stack(ess), nan=0.0)
    goal, patience = training.stop_at_ess, training.stop_at_plateau
    if goal is not None and np.all(known[-1] >= goal):
        return f"every seed has reached an ESS of {goal:g}"
    since = len(known) - 1 - np.argmax(known, axis=0)
    if patience is not None and np.all(since >= patience) and np.all(known.any(axis=0)):
        return f"no seed has had a better ESS for {patience} lines of the history"
    return None

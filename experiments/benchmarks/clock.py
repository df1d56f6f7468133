"""Training against the clock, by the same code for every contender.

Nothing but the standard library: it also runs where only a peer is installed.
"""

import time
from collections.abc import Callable
from math import inf
from typing import Any


def follow(
    advance: Callable[[int], None],
    judge: Callable[[int], dict[str, Any]],
    *,
    batch: int,
    every: int,
    seconds: float,
    stop: float,
    steps: float = inf,
) -> list[dict[str, Any]]:
    """Return a training's course: one point after every few steps.

    The clock runs in `advance` only. The training ends at its last step, at an ESS, or
    when its seconds are over, whichever is first.

    Args:
        advance: takes so many steps, and returns when they are done.
        judge: from the steps done to estimates, with `ess` among them, None where it
            is not finite.
        batch: samples a step.
        every: steps between two points.
        seconds: budget.
        stop: ESS to stop at.
        steps: of the whole training.

    Returns:
        Points with `step`, `drawn` samples, `seconds` and what `judge` found.
    """
    points: list[dict[str, Any]] = []
    done, spent, ess = 0, 0.0, 0.0
    while done < steps and spent < seconds and ess < stop:
        count = int(min(every, steps - done))
        start = time.perf_counter()
        advance(count)
        spent += time.perf_counter() - start
        done += count
        found = judge(done)
        ess = found["ess"] or 0.0
        points.append({"step": done, "drawn": done * batch, "seconds": spent, **found})
    return points

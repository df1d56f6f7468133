"""Minima of an action, found by quenching many starts."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

from sesamo_jax.core import Array
from sesamo_jax.symmetries.wells.maps import Harmonic, Wells, expand, wells_at

SAME = 0.3  # distance of two ends in one well, in units of its width
DEEPEST = 12.0  # minima that lie this much higher than the lowest do not count
LONGEST = 10_000  # iterations of one start


def quench(action: Callable[[Array], Array], starts: Any) -> np.ndarray:
    """Return where L-BFGS comes to rest below each start, (n, *event_shape).

    Args:
        action: f of one configuration.
        starts: (n, *event_shape).
    """
    starts = np.asarray(starts, np.float64)
    shape = starts.shape[1:]

    @jax.jit
    def value_and_slope(flat: Array) -> tuple[Array, Array]:
        return jax.value_and_grad(lambda y: action(y.reshape(shape)))(flat)

    def on_host(flat: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = value_and_slope(jnp.asarray(flat))
        return float(value), np.asarray(slope, np.float64)

    precision = float(jnp.finfo(jnp.asarray(starts[0]).dtype).eps)
    options = {"maxiter": LONGEST, "ftol": precision, "gtol": 1e-6}
    ends = [
        minimize(on_host, start.ravel(), jac=True, method="L-BFGS-B", options=options).x
        for start in starts
    ]
    return np.array(ends).reshape(starts.shape)


def find_wells(
    action: Callable[[Array], Array], starts: Any, deepest: float = DEEPEST
) -> Wells:
    """Return the wells below many starts, the lowest minimum first.

    What is not found does not exist for a sampler that is made of them: starts should
    cover all of the space where exp(-f) has mass, and chains audit the report.

    Args:
        action: f of one configuration; in float64 minima are told apart best.
        starts: (n, *event_shape), for instance of a wide Gaussian.
        deepest: minima higher than the lowest by more are left out.

    Raises:
        ValueError: where no start comes to rest at a minimum.
    """
    ends = quench(action, starts)
    harmonic = expand(action, ends)
    kept = np.isfinite(harmonic.energies) & harmonic.rises
    if not kept.any():
        raise ValueError(
            f"none of {len(ends)} starts comes to rest at a minimum: give starts where "
            "the action is finite, and fix what a continuous symmetry moves"
        )
    kept &= harmonic.energies <= harmonic.energies[kept].min() + deepest
    rows = np.flatnonzero(kept)
    rows = rows[np.argsort(harmonic.energies[rows], kind="stable")]
    minima = ends[rows].reshape(len(rows), -1)
    inverses = np.linalg.inv(Harmonic(*(part[rows] for part in harmonic)).spreads)
    chosen: list[int] = []
    for index, end in enumerate(minima):
        inside = inverses[chosen] @ (end - minima[chosen])[:, :, None]
        if np.all(np.linalg.norm(inside, axis=(1, 2)) > SAME):
            chosen.append(index)
    return wells_at(action, ends[rows[chosen]])

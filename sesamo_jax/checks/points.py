"""Where to look, how near is equal, and how to say where something is wrong."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Target

POINTS = 4
# In units of the rounding of the numbers compared, and of what a step of so many
# roundings of x changes in a function of x.
ROUNDINGS, STEP = 1e3, 64
LARGEST_JACOBIAN = 32  # components of an event of which autodiff's is taken


def random_points(target: Target, shape: tuple[int, ...] | None = None) -> Array:
    """Return points of the spread of a target's base, always the same ones."""
    shape = target.event_shape if shape is None else shape
    noise = np.random.default_rng(0).normal(size=(POINTS, *shape))
    return jnp.asarray(target.prior_variance**0.5 * noise, target.dtype)


def apart(found: Any, expected: Any, slack: Any = 0.0) -> np.ndarray:
    """Return whether events differ by more than rounding, or are no numbers.

    Args:
        found: (..., n).
        expected: likewise.
        slack: allowed further, (...).
    """
    found, expected = np.asarray(found), np.asarray(expected)
    with np.errstate(invalid="ignore"):
        off = np.max(np.abs(found - expected), axis=-1, initial=0)
        size = 1 + np.max(np.abs(expected), axis=-1, initial=0)
        return ~(off <= ROUNDINGS * np.finfo(found.dtype).eps * size + slack)


def first(wrong: np.ndarray) -> tuple[int, ...] | None:
    """Return the index of the first true value, or None."""
    where = np.argwhere(wrong)
    return tuple(int(i) for i in where[0]) if len(where) else None


def show(point: Any) -> str:
    """Return an event in a few words."""
    flat = np.asarray(point).ravel()
    return np.array2string(flat, precision=4, threshold=8, edgeitems=3)

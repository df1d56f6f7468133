"""Symmetries of periodic lattices: translations, reflections, exchanges of axes."""

from typing import NamedTuple

import numpy as np


class Lattice(NamedTuple):
    """A field on a periodic lattice, whose symmetries leave its action as it is.

    Attributes:
        extents: of the first axes of an event; axes after them are components.
    """

    extents: tuple[int, ...]


def displacement_classes(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return which displacements, or momenta, the lattice's point group maps together.

    Reflections of every axis, and exchanges of axes where all extents are equal.

    Args:
        shape: extents of a periodic lattice.

    Returns:
        The class of every displacement, (*shape,), 0 for none; a flat member of each.
    """
    displacements = np.indices(shape).reshape(len(shape), -1)
    extents = np.array(shape)[:, None]
    nearest = np.minimum(displacements, extents - displacements)
    if len(set(shape)) == 1:
        nearest = np.sort(nearest, axis=0)
    _, first, classes = np.unique(
        nearest, axis=1, return_index=True, return_inverse=True
    )
    return classes.reshape(shape), first


def displacements(shape: tuple[int, ...]) -> np.ndarray:
    """Return the flat displacement j - k of every pair of sites, (sites, sites)."""
    positions = np.indices(shape).reshape(len(shape), -1)
    extents = np.array(shape)[:, None, None]
    difference = (positions[:, :, None] - positions[:, None, :]) % extents
    return np.ravel_multi_index(tuple(difference), shape)

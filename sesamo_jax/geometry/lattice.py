"""Periodic lattices and their symmetries: translations, reflections, exchanges."""

from dataclasses import dataclass

import numpy as np

from sesamo_jax.core import Array, Target


@dataclass(frozen=True)
class Lattice:
    """A field on a periodic lattice, whose symmetries leave its action as it is.

    Attributes:
        extents: of the first axes of an event; axes after them are components.
    """

    extents: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a field of one component."""
        return self.extents

    @property
    def share(self) -> float:
        """The share of the lattice's sites that the field lives on."""
        return 1.0

    @property
    def occupied(self) -> np.ndarray:
        """Where on the whole lattice the field has sites, (*extents)."""
        return np.ones(self.extents, bool)

    def embed(self, x: Array) -> Array:
        """Return the field on the whole lattice, 0 on sites that it does not have."""
        return x

    def restrict(self, x: Array) -> Array:
        """Return what a field on the whole lattice, (*extents, ...), is here."""
        return x

    def filled(self, x: Array) -> Array:
        """Return the field on the whole lattice, elsewhere the mean of neighbours."""
        return x

    def momentum_classes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return which momenta symmetries map together, as `displacement_classes`."""
        return displacement_classes(self.extents)


def lattice_of(target: Target, dimensions: int) -> Lattice:
    """Return where a target's field lives: on all sites unless its geometry says so.

    Args:
        target: of fields with this many axes before those of components.
        dimensions: of the lattice.
    """
    if isinstance(target.geometry, Lattice) and target.geometry.share < 1:
        return target.geometry
    return Lattice(target.event_shape[:dimensions])


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

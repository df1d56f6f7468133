"""The sites of one parity of a lattice, those whose coordinates sum to an even number.

They are a lattice of their own, with even displacements as translations and momenta k
and k + (pi, ..., pi) that are one. A field on them is an array of the lattice's
extents, the last of which is halved: two neighbours along the last axis share a place,
the even site of one array and the odd site of another.
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array
from sesamo_jax.geometry.lattice import Lattice, displacement_classes


@dataclass(frozen=True)
class EvenSites(Lattice):
    """A field on the even sites, of shape (*extents[:-1], extents[-1] / 2).

    Attributes:
        extents: of the whole lattice, all even.
    """

    def __post_init__(self) -> None:
        if any(extent % 2 for extent in self.extents):
            raise ValueError(
                f"a lattice of extents {self.extents} has no even and odd sites that "
                "alternate: its extents must be even"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a field of one component on the even sites."""
        return (*self.extents[:-1], self.extents[-1] // 2)

    @property
    def share(self) -> float:
        """One half."""
        return 0.5

    @property
    def occupied(self) -> np.ndarray:
        """Where the sum of coordinates is even, (*extents)."""
        return np.indices(self.extents).sum(axis=0) % 2 == 0

    def split(self, x: Array) -> tuple[Array, Array]:
        """Return a field (*extents, ...) on the even and on the odd sites."""
        axis = len(self.extents)
        pairs = x.reshape(*self.shape, 2, *x.shape[axis:])
        first, second = jnp.take(pairs, 0, axis), jnp.take(pairs, 1, axis)
        begins = self._begins_even(first.ndim)
        return jnp.where(begins, first, second), jnp.where(begins, second, first)

    def merge(self, even: Array, odd: Array) -> Array:
        """Return the field (*extents, ...) with these values on even and odd sites."""
        axis = len(self.extents)
        begins = self._begins_even(even.ndim)
        first, second = jnp.where(begins, even, odd), jnp.where(begins, odd, even)
        pairs = jnp.stack([first, second], axis=axis)
        return pairs.reshape(*self.extents, *even.shape[axis:])

    def embed(self, x: Array) -> Array:
        """Return the field on the whole lattice, 0 on the odd sites."""
        return self.merge(x, jnp.zeros_like(x))

    def restrict(self, x: Array) -> Array:
        """Return a field on the whole lattice, (*extents, ...), on the even sites."""
        return self.split(x)[0]

    def neighbour_sums(self, even: Array) -> Array:
        """Return the sum over the 2 d neighbours of each odd site.

        Across an extent of 2 a site is the same neighbour twice.
        """
        *others, last = range(len(self.extents))
        begins = self._begins_even(even.ndim)
        # Along the last axis one neighbour shares the odd site's place.
        beyond = jnp.where(begins, jnp.roll(even, -1, last), jnp.roll(even, 1, last))
        total = even + beyond
        for axis in others:
            total = total + jnp.roll(even, 1, axis) + jnp.roll(even, -1, axis)
        return total

    def filled(self, x: Array) -> Array:
        """Return the field with the mean of its neighbours on every odd site."""
        return self.merge(x, self.neighbour_sums(x) / (2 * len(self.extents)))

    def momentum_classes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the classes of the lattice's momenta, those of k and k + pi as one."""
        classes, _ = displacement_classes(self.extents)
        half = tuple(extent // 2 for extent in self.extents)
        shifted = np.roll(classes, half, axis=range(classes.ndim))
        _, first, merged = np.unique(
            np.minimum(classes, shifted), return_index=True, return_inverse=True
        )
        return merged.reshape(self.extents), first

    def _begins_even(self, dimensions: int) -> np.ndarray:
        """Return where the first of two neighbours along the last axis is even."""
        rows = np.indices(self.shape)[:-1].sum(axis=0) % 2 == 0
        return rows.reshape(*rows.shape, *(1,) * (dimensions - rows.ndim))

"""Orthogonal maps of n numbers as tables, one row per map."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array

ROUNDING = 1e-6  # of generators, and within which two maps are the same
DECIMALS = 6


@dataclass(frozen=True, eq=False)
class SignedPermutations:
    """Maps v -> signs * v[sources]; a gather in place of a product of matrices.

    Attributes:
        sources: (maps, n), int32.
        signs: (maps, n), int8, 1 or -1.
    """

    sources: np.ndarray
    signs: np.ndarray

    def __len__(self) -> int:
        """Return the number of maps."""
        return len(self.sources)

    def __getitem__(self, rows: Any) -> "SignedPermutations":
        """Return the maps of some rows."""
        return SignedPermutations(self.sources[rows], self.signs[rows])

    def act(self, g: Array, v: Array) -> Array:
        """Return map g of v, (n, rest)."""
        signs = jnp.asarray(self.signs)[g].astype(v.dtype)
        return signs[:, None] * jnp.asarray(v)[jnp.asarray(self.sources)[g]]

    def undo(self, g: Array, v: Array) -> Array:
        """Return the inverse of map g of v, (n, rest)."""
        return self.inverses.act(g, v)

    @cached_property
    def inverses(self) -> "SignedPermutations":
        """The inverse of every map."""
        sources = np.argsort(self.sources, axis=1).astype(np.int32)
        return SignedPermutations(
            sources, np.take_along_axis(self.signs, sources, axis=1)
        )

    def after(self, first: "SignedPermutations") -> "SignedPermutations":
        """Return every map of these after the one map `first`."""
        sources = first.sources[0][self.sources]
        return SignedPermutations(sources, self.signs * first.signs[0][self.sources])

    def of(self, point: np.ndarray) -> np.ndarray:
        """Return all images of a point (n, ...), maps first."""
        signs = self.signs.reshape(*self.signs.shape, *(1,) * (point.ndim - 1))
        return signs * point[self.sources]

    def matrices(self) -> np.ndarray:
        """Return the maps as matrices, (maps, n, n)."""
        return self.of(np.eye(self.sources.shape[1]))

    def keys(self) -> Iterator[bytes]:
        """Yield what tells the maps apart."""
        signed = np.where(self.signs > 0, self.sources, ~self.sources)
        return (row.tobytes() for row in signed)

    def joined(self, more: Sequence["SignedPermutations"]) -> "SignedPermutations":
        """Return these maps and more."""
        return SignedPermutations(
            np.concatenate([self.sources, *(part.sources for part in more)]),
            np.concatenate([self.signs, *(part.signs for part in more)]),
        )


@dataclass(frozen=True, eq=False)
class Matrices:
    """Maps v -> M v with orthogonal M.

    Attributes:
        table: (maps, n, n), float64.
    """

    table: np.ndarray

    def __len__(self) -> int:
        """Return the number of maps."""
        return len(self.table)

    def __getitem__(self, rows: Any) -> "Matrices":
        """Return the maps of some rows."""
        return Matrices(self.table[rows])

    def act(self, g: Array, v: Array) -> Array:
        """Return map g of v, (n, rest)."""
        return jnp.asarray(self.table, v.dtype)[g] @ v

    def undo(self, g: Array, v: Array) -> Array:
        """Return the inverse of map g of v, (n, rest)."""
        return jnp.asarray(self.table, v.dtype)[g].T @ v

    @cached_property
    def inverses(self) -> "Matrices":
        """The inverse of every map."""
        return Matrices(self.table.swapaxes(1, 2))

    def after(self, first: "Matrices") -> "Matrices":
        """Return every map of these after the one map `first`.

        Numerics: one step of Newton and Schulz keeps long products orthogonal.
        """
        product = self.table @ first.table[0]
        square = product.swapaxes(1, 2) @ product
        return Matrices(product @ (3 * np.eye(product.shape[1]) - square) / 2)

    def of(self, point: np.ndarray) -> np.ndarray:
        """Return all images of a point (n, ...), maps first."""
        return np.tensordot(self.table, point, 1)

    def matrices(self) -> np.ndarray:
        """Return the maps as matrices, (maps, n, n)."""
        return self.table

    def keys(self) -> Iterator[bytes]:
        """Yield what tells the maps apart."""
        return (row.tobytes() for row in np.round(self.table, DECIMALS) + 0.0)

    def joined(self, more: Sequence["Matrices"]) -> "Matrices":
        """Return these maps and more."""
        return Matrices(np.concatenate([self.table, *(part.table for part in more)]))


# SignedPermutations or Matrices, one kind throughout a group; a union would have to be
# taken apart wherever two of them meet.
Maps = Any


def read_generators(generators: Sequence[Any]) -> Maps:
    """Return the identity and the generators, as signed permutations if all are.

    Args:
        generators: each a permutation p of n indices, for v -> v[p], or an (n, n)
            matrix.

    Raises:
        ValueError: if there is none, for one that is neither, or no orthogonal map, or
            for maps of different sizes.
    """
    if not len(generators):
        raise ValueError("a group needs at least one generator, and got none")
    matrices, sizes = [], []
    for number, generator in enumerate(generators):
        given = np.asarray(generator)
        if given.ndim == 1 and sorted(given.tolist()) == list(range(len(given))):
            sizes.append(len(given))
            matrices.append(given.astype(np.int32))
            continue
        if given.ndim != 2 or given.shape[0] != given.shape[1]:
            raise ValueError(
                f"generator {number} of shape {given.shape} is neither a permutation "
                "of 0 .. n - 1 nor a matrix (n, n)"
            )
        off = float(np.max(np.abs(given.T @ given - np.eye(len(given)))))
        if not off < ROUNDING:
            raise ValueError(
                f"generator {number} is not orthogonal, M^T M is off 1 by {off:.2g}: "
                "give rotations, reflections or permutations, in coordinates of equal "
                "scale"
            )
        sizes.append(len(given))
        matrices.append(given.astype(np.float64))
    if len(set(sizes)) != 1:
        raise ValueError(
            f"generators act on different numbers of components, {sizes}: extend each "
            "to all of them"
        )
    signed = [_as_signed(matrix) for matrix in matrices]
    n = sizes[0]
    identity = SignedPermutations(
        np.arange(n, dtype=np.int32)[None], np.ones((1, n), np.int8)
    )
    known = [maps for maps in signed if maps is not None]
    if len(known) == len(signed):
        return identity.joined(known)
    dense = [
        matrix if maps is None else maps.matrices()[0]
        for maps, matrix in zip(signed, matrices, strict=True)
    ]
    return Matrices(np.stack([np.eye(n), *dense]))


def closure(generators: Maps, most: int) -> Maps:
    """Return all products of generators, the identity first, breadth first.

    Args:
        generators: from `read_generators`.
        most: elements that there may be.

    Raises:
        ValueError: if there are more.
    """
    frontier, layers = generators[:1], []
    known = set(frontier.keys())
    while len(frontier):
        fresh = []
        for index in range(1, len(generators)):
            images = frontier.after(generators[index : index + 1])
            rows = []
            for row, key in enumerate(images.keys()):
                if key not in known:
                    known.add(key)
                    rows.append(row)
            fresh.append(images[rows])
            if len(known) > most:
                raise ValueError(
                    f"the generators make more than {most} elements, {len(known)} so "
                    "far: a group without end, or one too large to be listed, for "
                    "which there is subgroup_chain"
                )
        layers.append(frontier)
        frontier = fresh[0].joined(fresh[1:])
    return layers[0].joined(layers[1:])


def _as_signed(matrix: np.ndarray) -> SignedPermutations | None:
    """Return a permutation, or a matrix of one 1 or -1 per row, as such."""
    if matrix.ndim == 1:
        return SignedPermutations(matrix[None], np.ones((1, len(matrix)), np.int8))
    sources = np.argmax(np.abs(matrix), axis=1)
    signs = np.sign(matrix[np.arange(len(matrix)), sources])
    exact = np.zeros_like(matrix)
    exact[np.arange(len(matrix)), sources] = signs
    if np.max(np.abs(exact - matrix)) > ROUNDING:
        return None
    return SignedPermutations(
        sources[None].astype(np.int32), signs[None].astype(np.int8)
    )

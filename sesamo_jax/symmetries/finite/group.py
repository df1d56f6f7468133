"""Any finite group of orthogonal maps, from generators."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Factor
from sesamo_jax.symmetries.finite.elements import (
    Maps,
    Matrices,
    closure,
    read_generators,
)
from sesamo_jax.symmetries.finite.reference_point import (
    ON_MIRROR,
    central_point,
    nearest_border,
)

MOST_ELEMENTS = 2**16
LARGEST_TABLE = 2**27  # numbers in the table of all maps


@dataclass(frozen=True)
class Along:
    """Where maps of n numbers act on an event: on all of it, or along one axis.

    Attributes:
        event_shape: shape of one configuration.
        axis: of the event, on which they act for every index of the other axes alike;
            None for the flattened event.
    """

    event_shape: tuple[int, ...]
    axis: int | None = None

    def check(self, n: int) -> None:
        """Raise ValueError unless maps of n numbers fit."""
        shape, axis = self.event_shape, self.axis
        if axis is not None and not -len(shape) <= axis < len(shape):
            raise ValueError(f"axis={axis} is none of an event of shape {shape}")
        found = prod(shape) if axis is None else shape[axis]
        if found != n:
            where = "" if axis is None else f" along axis {axis}"
            raise ValueError(
                f"the group acts on {n} numbers, and an event of shape {shape} has "
                f"{found}{where}: give event_shape, or the axis to act along"
            )

    def columns(self, x: Any) -> Any:
        """Return an event, of JAX or NumPy, as (n, rest)."""
        if self.axis is None:
            return x.reshape(-1, 1)
        return x.transpose(self._order).reshape(self.event_shape[self.axis], -1)

    def event(self, columns: Any) -> Any:
        """Return the event of columns (n, rest)."""
        if self.axis is None:
            return columns.reshape(self.event_shape)
        order = self._order
        turned = columns.reshape([self.event_shape[axis] for axis in order])
        return turned.transpose(tuple(map(int, np.argsort(order))))

    @property
    def _order(self) -> tuple[int, ...]:
        """The axes, the one that maps act along first."""
        assert self.axis is not None
        axes = list(range(len(self.event_shape)))
        return axes.pop(self.axis), *axes

    def rest(self, n: int) -> int:
        """Return the number of columns."""
        return prod(self.event_shape) // n


@dataclass(frozen=True, eq=False)
class FiniteGroup:
    """A finite group G of orthogonal maps T_g; made by `finite_group`.

    The cell is the Voronoi cell of a point c among its images, Omega = {y : <c, y> >=
    <T_g c, y> for all g}, a convex cone. Hence `sector` is the g of the image that is
    nearest to x, and margins are signed distances to the planes half way. Points on a
    border belong to the first of the g that tie, so every x has exactly one.

    Attributes:
        maps: of all elements, the identity first.
        along: where they act.
        reference: c, (n, rest).
        generators: of which `maps` are all products, the identity first.
        broken: whether the action changes under the group.
    """

    maps: Maps
    along: Along
    reference: np.ndarray
    generators: Maps
    broken: bool = False

    @property
    def order(self) -> int:
        """Number of elements."""
        return len(self.maps)

    @property
    def factors(self) -> tuple[Factor, ...]:
        """One factor."""
        return (Factor(self.order, self.broken),)

    def act(self, g: Array, y: Array) -> tuple[Array, Array]:
        """Return T_g y."""
        x = self.along.event(self.maps.act(g, self.along.columns(y)))
        return x, jnp.zeros((), y.dtype)

    def undo(self, g: Array, x: Array) -> Array:
        """Return T_g^-1 x."""
        return self.along.event(self.maps.undo(g, self.along.columns(x)))

    def sector(self, x: Array) -> Array:
        """Return the g of the image of c that is nearest to x."""
        return jnp.argmax(self._scores(x)).astype(jnp.int32)

    def margins(self, y: Array) -> Array:
        """Return the signed distances to the planes half way, (|G| - 1,)."""
        scores = self._scores(y)
        away = np.linalg.norm(self._images[1:] - self._images[0], axis=1)
        return (scores[1:] - scores[0]) / jnp.asarray(away, y.dtype)

    @cached_property
    def _images(self) -> np.ndarray:
        return self.maps.of(self.reference).reshape(self.order, -1)

    def _scores(self, x: Array) -> Array:
        """Return <T_g c, x> of all g, (|G|,)."""
        return jnp.asarray(self._images, x.dtype) @ self.along.columns(x).ravel()


def finite_group(
    generators: Sequence[Any],
    event_shape: tuple[int, ...] | None = None,
    axis: int | None = None,
    broken: bool = False,
    reference: Any = None,
) -> FiniteGroup:
    """Return the group that some orthogonal maps generate.

    Permutations, with signs or without, act by a gather; other maps as matrices.

    Args:
        generators: each a permutation p of 0 .. n - 1, for v -> v[p], or a matrix
            (n, n).
        event_shape: shape of one configuration; None for (n,).
        axis: along which they act, alike for every index of the others; None for the
            flattened event.
        broken: whether the action changes under the group.
        reference: c, the point in whose cell the flow lives, of the event's shape or
            (n,), the same for all indices of the other axes; None for one far from
            every border. The best choice is where a mode of the target is.

    Raises:
        ValueError: for what is no orthogonal map, more than `MOST_ELEMENTS` elements,
            a shape that does not fit, or a reference on a mirror.

    Examples:
        The square: a quarter turn, and a mirror.

        >>> square = finite_group([[[0, -1], [1, 0]], [[1, 0], [0, -1]]])
        >>> square.order
        8
        >>> finite_group([[1, 2, 0]]).order  # three coordinates, moved on by one
        3
    """
    start = read_generators(generators)
    n = start.matrices().shape[-1]
    along = Along((n,) if event_shape is None else tuple(event_shape), axis)
    along.check(n)
    numbers = start[:1].table.size if isinstance(start, Matrices) else n
    maps = closure(start, min(MOST_ELEMENTS, LARGEST_TABLE // numbers))
    return _with_reference(maps, along, start, broken, reference)


def joined(*groups: FiniteGroup, reference: Any = None) -> FiniteGroup:
    """Return the group that the elements of several groups generate, with one cell.

    Where groups leave each other's cells as they are, `Product` does without a list of
    all elements; this takes any, also those that do not commute.

    Args:
        groups: of the same event.
        reference: c, as of `finite_group`, of the event's shape.

    Raises:
        ValueError: for groups of different events, or as `finite_group`.
    """
    shapes = {group.along.event_shape for group in groups}
    if len(shapes) != 1:
        raise ValueError(
            f"groups of events of shapes {sorted(shapes)} cannot be joined: give each "
            "the same event_shape"
        )
    (shape,) = shapes
    broken = any(group.broken for group in groups)
    generators = [g for group in groups for g in _on_flat_event(group)]
    return finite_group(generators, shape, None, broken, reference)


def _with_reference(
    maps: Maps, along: Along, generators: Maps, broken: bool, reference: Any
) -> FiniteGroup:
    n = generators.matrices().shape[-1]
    rest = along.rest(n)
    if reference is None:
        c = np.repeat(central_point(maps, n)[:, None], rest, 1) / rest**0.5
        return FiniteGroup(maps, along, c, generators, broken)
    given = np.asarray(reference, np.float64)
    if given.shape == (n,):
        c = np.repeat(given[:, None], rest, 1)
    elif given.shape == along.event_shape:
        c = along.columns(given)
    else:
        raise ValueError(
            f"the reference point has shape {given.shape}: give one of shape "
            f"{along.event_shape}, as an event, or ({n},)"
        )
    size = float(np.linalg.norm(c))
    if not size > 0 or nearest_border(maps, c) < ON_MIRROR * size:
        away = np.sum((maps.of(c) - c)[1:] ** 2, axis=(1, 2))
        raise ValueError(
            f"element {int(np.argmin(away)) + 1} of the group keeps the reference "
            f"point {np.array2string(given.ravel(), threshold=8, precision=4)}, which "
            "lies on a mirror, the border of every cell: move it off, or leave it out"
        )
    return FiniteGroup(maps, along, c / size, generators, broken)


def _on_flat_event(group: FiniteGroup) -> list[np.ndarray]:
    """Return a group's generators as matrices of the flattened event."""
    shape, size = group.along.event_shape, prod(group.along.event_shape)
    units = np.eye(size).reshape(size, *shape)
    columns = [group.along.columns(unit) for unit in units]
    return [
        np.stack([group.along.event(matrix @ one).ravel() for one in columns], axis=1)
        for matrix in group.generators.matrices()[1:]
    ]

"""Groups beyond any list: a chain of subgroups, one level of cosets after the other.

G = G_0 > G_1 > ... > {1}, where G_i is what leaves the points c_1 ... c_i as they are.
Every element is t_1 t_2 ... with t_i one of each coset of G_i in G_(i-1), which are as
many as c_i has images under G_(i-1): the sum of a few indices in place of their
product. The random Schreier-Sims method finds it (Leon 1980,
doi:10.1145/567675.567683).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Factor
from sesamo_jax.symmetries.finite.elements import (
    DECIMALS,
    ROUNDING,
    Maps,
    read_generators,
)
from sesamo_jax.symmetries.finite.group import Along

LARGEST_INDEX = 2**12  # cosets of one level
LARGEST_ORDER = 2**31 - 1  # elements are int32
SIFTED = 30  # random elements in a row that the chain must hold to be complete
WALK = 60  # generators in a random element


@dataclass(frozen=True, eq=False)
class Cosets:
    """One level: an element t of each coset of the stabiliser of c.

    Attributes:
        maps: t, the identity first.
        images: t c, (index, n).
    """

    maps: Maps
    images: np.ndarray


@dataclass(frozen=True, eq=False)
class Chain:
    """A finite group as a chain of subgroups; made by `subgroup_chain`.

    x = t_1 t_2 ... y, and an element's index counts the t in mixed radix, the first
    slowest. The cell is the intersection over the levels of {y : <c_i, y> >= <t c_i, y>
    for all t}: what G_i does leaves <t c_i, y> as they are, up to their order, so that
    `sector` finds one t after the other.

    Attributes:
        levels: from the whole group down.
        along: where the maps act.
        broken: whether the action changes under the group.
    """

    levels: tuple[Cosets, ...]
    along: Along
    broken: bool = False

    @property
    def order(self) -> int:
        """Number of elements."""
        return prod(self.indices)

    @property
    def indices(self) -> tuple[int, ...]:
        """Number of cosets of every level."""
        return tuple(len(level.maps) for level in self.levels)

    @property
    def factors(self) -> tuple[Factor, ...]:
        """One factor: the levels are no groups."""
        return (Factor(self.order, self.broken),)

    def digits(self, g: Array) -> tuple[Array, ...]:
        """Return the t of every level, as its number there."""
        return jnp.unravel_index(g, self.indices)

    def lift(self, level: int, digit: Array, y: Array) -> Array:
        """Return t y for one t of a level."""
        maps = self.levels[level].maps
        return self.along.event(maps.act(digit, self.along.columns(y)))

    def act(self, g: Array, y: Array) -> tuple[Array, Array]:
        """Return T_g y, the last level's t first."""
        digits, x = self.digits(g), y
        for level in reversed(range(len(self.levels))):
            x = self.lift(level, digits[level], x)
        return x, jnp.zeros((), y.dtype)

    def undo(self, g: Array, x: Array) -> Array:
        """Return T_g^-1 x."""
        v = self.along.columns(x)
        for level, digit in zip(self.levels, self.digits(g), strict=True):
            v = level.maps.undo(digit, v)
        return self.along.event(v)

    def sector(self, x: Array) -> Array:
        """Find and undo the t of one level after the other."""
        g, v = jnp.zeros((), jnp.int32), self.along.columns(x)
        for level in self.levels:
            digit = jnp.argmax(self._scores(level, v)).astype(jnp.int32)
            v = level.maps.undo(digit, v)
            g = g * len(level.maps) + digit
        return g

    def margins(self, y: Array) -> Array:
        """Return the signed distances to the planes half way, of all levels."""
        v = self.along.columns(y)
        found = []
        for level in self.levels:
            scores = self._scores(level, v)
            away = level.images[1:] - level.images[0]
            distances = np.linalg.norm(away, axis=1) * self._rest**0.5
            found.append((scores[1:] - scores[0]) / jnp.asarray(distances, y.dtype))
        return jnp.concatenate(found)

    @cached_property
    def _rest(self) -> int:
        return self.along.rest(self.levels[0].images.shape[1])

    def _scores(self, level: Cosets, v: Array) -> Array:
        """Return <t c, v> of a level, c the same in all columns."""
        return jnp.asarray(level.images, v.dtype) @ jnp.sum(v, axis=1)


def subgroup_chain(
    generators: Sequence[Any],
    event_shape: tuple[int, ...] | None = None,
    axis: int | None = None,
    broken: bool = False,
    points: Any = None,
) -> Chain:
    """Return the chain of subgroups of the group that some orthogonal maps generate.

    Args:
        generators: as of `finite_group`.
        event_shape: likewise.
        axis: likewise.
        broken: likewise.
        points: c_1, c_2, ..., (levels, n), which no element but the identity leaves all
            as they are; None for the unit vectors, one after the other.

    Raises:
        ValueError: as `finite_group`; also for points that more than the identity
            keeps, one of more than `LARGEST_INDEX` images, or more than 2^31 - 1
            elements.
    """
    start = read_generators(generators)
    n = start.matrices().shape[-1]
    along = Along((n,) if event_shape is None else tuple(event_shape), axis)
    along.check(n)
    levels = _schreier_sims(start, np.eye(n) if points is None else np.asarray(points))
    levels = [level for level in levels if len(level.maps) > 1]
    if not levels:
        raise ValueError("subgroup_chain: every generator is the identity")
    order = prod(len(level.maps) for level in levels)
    if order > LARGEST_ORDER:
        raise ValueError(
            f"subgroup_chain: the group has {order} elements, and at most "
            f"{LARGEST_ORDER} can be numbered: use a subgroup, or products of several"
        )
    return Chain(tuple(levels), along, broken)


def _schreier_sims(generators: Maps, points: np.ndarray) -> list[Cosets]:
    """Return the levels, completed until random elements find nothing new."""
    rng = np.random.default_rng(0)
    of_level = [generators] + [generators[:1]] * (len(points) - 1)
    levels = [_cosets(own, c) for own, c in zip(of_level, points, strict=True)]
    passed = 0
    while passed < SIFTED:
        rest, depth = _sift(_random_element(generators, rng), levels, points)
        if _is_identity(rest):
            passed += 1
            continue
        if depth == len(points):
            raise ValueError(
                "subgroup_chain: an element other than the identity leaves every one "
                f"of the {len(points)} points as it is: give further points"
            )
        passed = 0
        for level in range(1, depth + 1):  # it keeps all points before c_depth
            of_level[level] = of_level[level].joined([rest])
            levels[level] = _cosets(of_level[level], points[level])
    return levels


def _cosets(generators: Maps, point: np.ndarray) -> Cosets:
    """Return the images of a point, and a product of generators that leads to each."""
    maps, images = generators[:1], [point]
    known = {_key(point)}
    at = 0
    while at < len(images):
        steps = generators.of(images[at])
        for index in range(1, len(generators)):
            if _key(steps[index]) in known:
                continue
            if len(images) == LARGEST_INDEX:
                raise ValueError(
                    f"subgroup_chain: the point {np.round(point, 4).tolist()} has more "
                    f"than {LARGEST_INDEX} images: give points that more elements "
                    "keep, or generators of a group that ends"
                )
            known.add(_key(steps[index]))
            images.append(steps[index])
            new = generators[index : index + 1].after(maps[at : at + 1])
            maps = maps.joined([new])
        at += 1
    return Cosets(maps, np.array(images))


def _sift(element: Maps, levels: list[Cosets], points: np.ndarray) -> tuple[Maps, int]:
    """Return what is left of an element after undoing a t per level, and where."""
    for depth, (level, point) in enumerate(zip(levels, points, strict=True)):
        image = element.of(point)[0]
        at = np.flatnonzero(np.max(np.abs(level.images - image), axis=1) < ROUNDING)
        if not len(at):
            return element, depth
        element = level.maps.inverses[at[:1]].after(element)
    return element, len(points)


def _random_element(generators: Maps, rng: np.random.Generator) -> Maps:
    """Return a product of many generators."""
    element = generators[:1]
    for index in rng.integers(0, len(generators), WALK):
        element = generators[index : index + 1].after(element)
    return element


def _is_identity(element: Maps) -> bool:
    matrix = element.matrices()[0]
    return bool(np.max(np.abs(matrix - np.eye(len(matrix)))) < ROUNDING)


def _key(point: np.ndarray) -> bytes:
    return (np.round(point, DECIMALS) + 0.0).tobytes()

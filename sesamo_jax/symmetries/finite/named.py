"""Finite groups by their names, each a row of generators.

Every function takes what `finite_group` takes beside the generators: `event_shape`,
`axis`, `broken`, `reference`.
"""

from math import cos, pi, sin
from typing import Any

import numpy as np

from sesamo_jax.geometry.particles import helmert
from sesamo_jax.symmetries.finite.group import FiniteGroup, finite_group


def dihedral(corners: int, **options: Any) -> FiniteGroup:
    """Return D_n, rotations and reflections of a regular polygon, order 2 n.

    Raises:
        ValueError: for fewer than two corners.
    """
    _at_least("dihedral", "corners", corners, 2)
    return finite_group([_turn(corners), np.diag([1, -1])], **options)


def rotations(corners: int, **options: Any) -> FiniteGroup:
    """Return Z_n, rotations of a plane, order n; `Cyclic` along any axis of an event.

    Raises:
        ValueError: for fewer than two corners.
    """
    _at_least("rotations", "corners", corners, 2)
    return finite_group([_turn(corners)], **options)


def symmetric(n: int, **options: Any) -> FiniteGroup:
    """Return S_n, all permutations of n components, order n!.

    Raises:
        ValueError: for n < 2, or one too large to be listed.
    """
    _at_least("symmetric", "n", n, 2)
    return finite_group(_permutations(n), **options)


def alternating(n: int, **options: Any) -> FiniteGroup:
    """Return A_n, the even permutations of n components, order n! / 2.

    Raises:
        ValueError: for n < 3, or one too large to be listed.
    """
    _at_least("alternating", "n", n, 3)
    generators = []
    for i in range(2, n):
        cycle = np.arange(n)
        cycle[[0, 1, i]] = [1, i, 0]
        generators.append(cycle)
    return finite_group(generators, **options)


def hyperoctahedral(n: int, **options: Any) -> FiniteGroup:
    """Return B_n, permutations and sign flips of n components, order 2^n n!.

    Raises:
        ValueError: for n < 1, or one too large to be listed.
    """
    _at_least("hyperoctahedral", "n", n, 1)
    return finite_group(_signed(n), **options)


def tetrahedral(reflections: bool = False, **options: Any) -> FiniteGroup:
    """Return the symmetries of a tetrahedron, T of order 12, with reflections T_d, 24.

    Its corners are (1, 1, 1), (1, -1, -1), (-1, 1, -1) and (-1, -1, 1).
    """
    generators = [np.array([1, 2, 0]), np.diag([1, -1, -1])]
    if reflections:
        generators.append(np.array([1, 0, 2]))
    return finite_group(generators, **options)


def octahedral(reflections: bool = False, **options: Any) -> FiniteGroup:
    """Return the symmetries of a cube, O of order 24, with reflections O_h, 48."""
    quarter = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    generators = [np.array([1, 2, 0]), quarter]
    if reflections:
        generators.append(-np.eye(3))
    return finite_group(generators, **options)


def icosahedral(reflections: bool = False, **options: Any) -> FiniteGroup:
    """Return the symmetries of an icosahedron, I of order 60, with reflections I_h.

    Its corners are the cyclic permutations of (0, +-golden ratio, +-1).
    """
    golden = (1 + 5**0.5) / 2
    fifth = 0.5 * np.array(
        [[1, -golden, golden - 1], [golden, golden - 1, -1], [golden - 1, 1, golden]]
    )
    generators = [np.array([1, 2, 0]), np.diag([1, -1, -1]), fifth]
    if reflections:
        generators.append(-np.eye(3))
    return finite_group(generators, **options)


def particle_permutations(
    particles: int, dimension: int, broken: bool = False, reference: Any = None
) -> FiniteGroup:
    """Return S_N acting on N particles in coordinates (N - 1, D), order N!.

    Those of `geometry.particles`, without the centre of mass.

    Raises:
        ValueError: for fewer than two particles, or too many to be listed.
    """
    _at_least("particle_permutations", "particles", particles, 2)
    rows = helmert(particles)
    generators = [rows[:, p] @ rows.T for p in _permutations(particles)]
    shape = (particles - 1, dimension)
    return finite_group(generators, shape, 0, broken, reference)


def lattice_moves(
    event_shape: tuple[int, ...],
    axes: tuple[int, ...],
    reflections: bool = False,
    broken: bool = False,
    reference: Any = None,
) -> FiniteGroup:
    """Return the translations of a periodic lattice, with or without reflections.

    Args:
        event_shape: of a field, with components or without.
        axes: of the lattice.
        reflections: of each axis, too.
        broken: as of `finite_group`.
        reference: as of `finite_group`.

    Raises:
        ValueError: for axes that the event has not.
    """
    if not axes or not set(axes) <= set(range(len(event_shape))):
        raise ValueError(
            f"lattice_moves: axes={axes} must be some of 0..{len(event_shape) - 1}, "
            f"those of an event of shape {event_shape}"
        )
    sites = np.arange(np.prod(event_shape)).reshape(event_shape)
    generators = [np.roll(sites, 1, axis).ravel() for axis in axes]
    if reflections:
        generators += [np.flip(sites, axis).ravel() for axis in axes]
    return finite_group(generators, event_shape, None, broken, reference)


def _turn(corners: int) -> np.ndarray:
    """Return the rotation by 2 pi / n."""
    angle = 2 * pi / corners
    return np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])


def _permutations(n: int) -> list[np.ndarray]:
    """Return the exchanges of neighbours, which generate S_n."""
    exchanges = []
    for i in range(n - 1):
        exchange = np.arange(n)
        exchange[[i, i + 1]] = [i + 1, i]
        exchanges.append(exchange)
    return exchanges


def _signed(n: int) -> list[np.ndarray]:
    """Return generators of B_n."""
    flip = np.diag([-1] + [1] * (n - 1))
    return [flip, *_permutations(n)]


def _at_least(group: str, name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{group}: {name}={value} must be at least {least}")

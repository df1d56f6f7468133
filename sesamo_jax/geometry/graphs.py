"""Lattices and user graphs as lists of edges, each once, (i, j) with i < j."""

from itertools import product

import numpy as np

Edges = tuple[tuple[int, int], ...]
LATTICES = ("chain", "ring", "square", "honeycomb")


def lattice_edges(lattice: str, extents: tuple[int, ...], periodic: bool) -> Edges:
    """Return the edges of a named lattice.

    Args:
        lattice: `chain` or `ring` of extents (sites,), `square` of (rows, columns),
            `honeycomb` of (rows, columns) cells of two sites each.
        extents: as above.
        periodic: whether `square` and `honeycomb` close; across an extent of 2 that
            joins sites that are neighbours already, which stay joined once.

    Raises:
        ValueError: for an unknown name or extents that are too small.
    """
    if lattice not in LATTICES:
        raise ValueError(
            f"unknown target.lattice {lattice!r}; known: {', '.join(LATTICES)}"
        )
    wanted = 1 if lattice in ("chain", "ring") else 2
    if len(extents) != wanted or min(extents) < 1:
        raise ValueError(
            f"target.extents={extents} does not fit target.lattice={lattice!r}: it "
            f"needs {wanted} positive number(s)"
        )
    if lattice == "honeycomb":
        pairs = _honeycomb(extents, periodic)
    else:
        pairs = _grid(extents, lattice == "ring" or (periodic and lattice == "square"))
    return tuple(sorted({(min(p), max(p)) for p in pairs if p[0] != p[1]}))


def _grid(extents: tuple[int, ...], periodic: bool) -> list[tuple[int, int]]:
    numbers = np.arange(np.prod(extents)).reshape(extents)
    pairs = []
    for axis, extent in enumerate(extents):
        ahead = np.roll(numbers, -1, axis)
        kept = slice(None) if periodic else slice(extent - 1)
        both = np.stack([numbers, ahead], -1)
        pairs += np.take(both, range(extent)[kept], axis).reshape(-1, 2).tolist()
    return [(i, j) for i, j in pairs]


def _honeycomb(cells: tuple[int, ...], periodic: bool) -> list[tuple[int, int]]:
    rows, columns = cells
    pairs = []
    for row, column in product(range(rows), range(columns)):
        for down, right in ((0, 0), (-1, 0), (0, -1)):
            other = row + down, column + right
            if periodic or min(other) >= 0:
                cell = other[0] % rows * columns + other[1] % columns
                pairs.append((2 * (row * columns + column), 2 * cell + 1))
    return pairs


def user_edges(edges: tuple[tuple[int, int], ...], sites: int) -> Edges:
    """Return a user's edges, each once, checked.

    All edges may be given in one direction, or all in both.

    Raises:
        ValueError: for an edge out of range, from a site to itself, given twice, or
            given both ways where others are not.
    """
    given = set()
    for i, j in edges:
        if not (0 <= i < sites and 0 <= j < sites):
            raise ValueError(
                f"target.edges: {i}-{j} is out of range for {sites} sites, 0 to "
                f"{sites - 1}"
            )
        if i == j:
            raise ValueError(f"target.edges: {i}-{j} joins a site to itself: drop it")
        if (i, j) in given:
            raise ValueError(f"target.edges: {i}-{j} is given twice: drop one")
        given.add((i, j))
    one_way = [pair for pair in given if pair[::-1] not in given]
    if one_way and len(one_way) < len(given):
        i, j = min(one_way)
        raise ValueError(
            f"target.edges: {i}-{j} goes one way and others both ways: give all edges "
            "one way, or all both ways"
        )
    return tuple(sorted({(min(pair), max(pair)) for pair in given}))


def adjacency(edges: Edges, sites: int) -> np.ndarray:
    """Return the symmetric 0/1 matrix of the edges, (sites, sites)."""
    matrix = np.zeros((sites, sites))
    for i, j in edges:
        matrix[i, j] = matrix[j, i] = 1
    return matrix


def sublattices(edges: Edges, sites: int) -> np.ndarray | None:
    """Return +1 and -1 such that every edge joins both, (sites,); None if impossible.

    Each connected part starts with +1 at its first site.
    """
    matrix = adjacency(edges, sites)
    signs = np.zeros(sites)
    for start in range(sites):
        if signs[start]:
            continue
        signs[start] = 1
        reached = [start]
        for site in reached:
            for neighbour in np.flatnonzero(matrix[site]):
                if signs[neighbour] == 0:
                    signs[neighbour] = -signs[site]
                    reached.append(int(neighbour))
                elif signs[neighbour] == signs[site]:
                    return None
    return signs

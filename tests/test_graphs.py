"""Lattices as edges, and the checks of a user's own."""

import numpy as np
import pytest

from sesamo_jax.geometry.graphs import (
    adjacency,
    lattice_edges,
    sublattices,
    user_edges,
)


def spectrum(edges, sites):
    return np.linalg.eigvalsh(adjacency(edges, sites))


def test_open_rectangle_and_chain():
    assert lattice_edges("chain", (3,), periodic=False) == ((0, 1), (1, 2))
    edges = lattice_edges("square", (2, 3), periodic=False)
    assert edges == ((0, 1), (0, 3), (1, 2), (1, 4), (2, 5), (3, 4), (4, 5))


def test_periodic_square_has_the_band_of_its_momenta():
    edges = lattice_edges("square", (3, 4), periodic=True)
    k, q = np.meshgrid(2 * np.pi * np.arange(3) / 3, np.pi * np.arange(4) / 2)
    band = np.sort((2 * np.cos(k) + 2 * np.cos(q)).ravel())
    np.testing.assert_allclose(spectrum(edges, 12), band, atol=1e-12)


def test_periodic_honeycomb_has_the_band_of_its_momenta():
    edges = lattice_edges("honeycomb", (3, 4), periodic=True)
    k, q = np.meshgrid(2 * np.pi * np.arange(3) / 3, np.pi * np.arange(4) / 2)
    band = np.abs(1 + np.exp(1j * k) + np.exp(1j * q)).ravel()
    expected = np.sort(np.concatenate([band, -band]))
    np.testing.assert_allclose(spectrum(edges, 24), expected, atol=1e-12)


def test_the_18_sites_of_the_paper():
    edges = lattice_edges("honeycomb", (3, 3), periodic=True)
    assert len(edges) == 27
    assert set(adjacency(edges, 18).sum(axis=0)) == {3}


@pytest.mark.parametrize("periodic", [True, False])
def test_sublattices(periodic):
    edges = lattice_edges("honeycomb", (3, 2), periodic)
    signs = sublattices(edges, 12)
    assert all(signs[i] == -signs[j] for i, j in edges)
    assert sublattices(lattice_edges("ring", (5,), periodic=True), 5) is None
    np.testing.assert_array_equal(sublattices(((2, 3),), 4), [1, 1, 1, -1])


def test_user_edges_both_ways_are_those_one_way():
    one_way = ((2, 0), (0, 1))
    both = (*one_way, (0, 2), (1, 0))
    assert user_edges(one_way, 3) == user_edges(both, 3) == ((0, 1), (0, 2))


WRONG = {
    "out of range": (((0, 3),), "0-3 is out of range for 3 sites"),
    "negative": (((-1, 0),), "-1-0 is out of range"),
    "self-loop": (((0, 1), (2, 2)), "2-2 joins a site to itself"),
    "duplicate": (((0, 1), (0, 1)), "0-1 is given twice"),
    "one way": (((0, 1), (1, 0), (1, 2)), "1-2 goes one way and others both ways"),
}


@pytest.mark.parametrize(("edges", "words"), WRONG.values(), ids=WRONG)
def test_wrong_edges_are_refused(edges, words):
    with pytest.raises(ValueError, match=words):
        user_edges(edges, 3)


def test_wrong_lattices_are_refused():
    with pytest.raises(ValueError, match=r"unknown target.lattice 'kagome'"):
        lattice_edges("kagome", (2, 2), periodic=True)
    with pytest.raises(ValueError, match=r"needs 2 positive number"):
        lattice_edges("square", (4,), periodic=True)

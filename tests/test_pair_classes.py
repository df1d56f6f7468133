"""Classes of pairs of sites that a graph's symmetries do not tell apart."""

import numpy as np

from sesamo_jax.geometry.graphs import adjacency, lattice_edges
from sesamo_jax.samplers.worldlines.pair_classes import pair_classes


def test_pair_classes_of_a_periodic_lattice_are_its_distances():
    """On the 3x3 honeycomb: itself, three neighbours, and farther pairs."""
    edges = lattice_edges("honeycomb", (3, 3), True)
    classes = pair_classes(edges, 18)
    matrix = adjacency(edges, 18).astype(int)
    walks = [np.linalg.matrix_power(matrix, n) for n in range(6)]
    keys = np.stack(walks, axis=-1).reshape(-1, 6)
    same_walks = np.unique(keys, axis=0, return_inverse=True)[1].reshape(18, 18)
    for values in np.unique(classes):
        assert len(np.unique(same_walks[classes == values])) == 1
    assert classes.max() == 4
    assert set(np.diag(classes)) == {0}
    np.testing.assert_array_equal(np.bincount(classes[0]), np.bincount(classes[7]))


def test_pair_classes_tell_the_ends_of_a_chain_from_its_middle():
    classes = pair_classes(lattice_edges("chain", (4,), False), 4)
    assert classes[0, 0] == classes[3, 3] != classes[1, 1] == classes[2, 2]
    assert classes[0, 1] == classes[3, 2] != classes[1, 2]
    assert classes[0, 1] != classes[1, 0]  # from an end, or to it


def test_pair_classes_respect_permutations_of_the_sites(rng):
    edges = ((0, 1), (1, 2), (2, 3), (3, 0), (3, 4))
    order = rng.permutation(5)
    moved = tuple((int(order[i]), int(order[j])) for i, j in edges)
    one, two = pair_classes(edges, 5), pair_classes(moved, 5)
    pairs = set(zip(one.ravel(), two[np.ix_(order, order)].ravel(), strict=True))
    assert len(pairs) == len(np.unique(one)) == len(np.unique(two))

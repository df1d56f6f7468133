"""The space without the centre of mass, its basis, and pairs of particles."""

import jax
import numpy as np
import pytest
from tolerances import F64

from sesamo_jax.particles import (
    SMALLEST_DISTANCE,
    coordinates,
    helmert,
    lengths,
    pair_distances,
    pair_vectors,
    positions,
)

SIZES = [(2, 1), (2, 3), (3, 2), (5, 3), (13, 3)]
every_size = pytest.mark.parametrize(("particles", "dimension"), SIZES)


@pytest.mark.parametrize("particles", [2, 3, 5, 13])
def test_rows_of_the_basis_are_orthonormal_and_sum_to_zero(particles):
    rows = helmert(particles)
    assert rows.shape == (particles - 1, particles)
    np.testing.assert_allclose(rows @ rows.T, np.eye(particles - 1), atol=1e-15)
    np.testing.assert_allclose(rows.sum(axis=1), 0, atol=1e-15)


@every_size
def test_coordinates_forget_the_centre_of_mass_and_nothing_else(
    particles, dimension, rng
):
    x = rng.normal(size=(particles, dimension))
    y = coordinates(x)
    assert y.shape == (particles - 1, dimension)
    centred = x - x.mean(axis=0)
    np.testing.assert_allclose(positions(y), centred, atol=1e-14)
    np.testing.assert_allclose(coordinates(x + rng.normal(size=dimension)), y, atol=F64)
    np.testing.assert_allclose(np.sum(y**2), np.sum(centred**2), rtol=1e-13)


@every_size
def test_pairs_are_those_of_the_positions(particles, dimension, rng):
    x = rng.normal(size=(particles, dimension))
    vectors = [x[i] - x[j] for i in range(particles) for j in range(i + 1, particles)]
    y = coordinates(x)
    np.testing.assert_allclose(pair_vectors(y), vectors, atol=1e-14)
    expected = np.linalg.norm(vectors, axis=1)
    np.testing.assert_allclose(pair_distances(y), expected, rtol=1e-12)


def test_lengths_have_finite_gradients_everywhere():
    vectors = np.array([[0.0, 0.0], [3.0, -4.0], [1e-9, 0.0]])
    np.testing.assert_allclose(lengths(vectors), [SMALLEST_DISTANCE, 5, 1e-9])
    gradient = jax.grad(lambda v: lengths(v).sum())(vectors)
    np.testing.assert_allclose(gradient, [[0, 0], [0.6, -0.8], [1, 0]], atol=1e-15)

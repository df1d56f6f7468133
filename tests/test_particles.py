"""The space without the centre of mass, its basis, and pairs of particles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_counts, assert_mean
from tolerances import F64

from sesamo_jax.geometry.particles import (
    SMALLEST_DISTANCE,
    coordinates,
    helmert,
    lengths,
    pair_distances,
    pair_vectors,
    positions,
    random_motion,
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


# Random motions


@every_size
def test_a_random_motion_keeps_all_distances(particles, dimension, key, rng):
    y = jnp.asarray(rng.normal(size=(particles - 1, dimension)))
    before, after = pair_distances(y), pair_distances(random_motion(key, y))
    np.testing.assert_allclose(np.sort(after), np.sort(before), rtol=F64)


def test_a_random_motion_takes_particles_and_directions_alike(key):
    """All six orders of three particles, all directions, both orientations."""
    x = jnp.array([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]])
    y = coordinates(x)
    n = 30_000
    moved = jax.vmap(random_motion, (0, None))(jax.random.split(key, n), y)
    distances = np.asarray(jax.vmap(pair_distances)(moved))  # (1, 2), (1, 3), (2, 3)
    # The pair of distance 1, and that of distance 3, say which particle is which.
    near, far = np.abs(distances - 1), np.abs(distances - 3)
    order = 3 * near.argmin(axis=1) + far.argmin(axis=1)
    counts = np.bincount(order, minlength=9).reshape(3, 3)
    assert_counts(counts[~np.eye(3, dtype=bool)], np.full(6, 1 / 6))
    # Uniform angles of one vector, in all harmonics up to the fourth.
    first = np.asarray(moved[:, 0])
    angles = np.arctan2(first[:, 1], first[:, 0])
    for harmonic in range(1, 5):
        assert_mean(np.cos(harmonic * angles), 0.0)
        assert_mean(np.sin(harmonic * angles), 0.0)
    # Renumbering mirrors (N - 1, D) coordinates as often as not; so may O(D) alone.
    same = order == order[0]
    mirrored = np.linalg.det(np.asarray(moved)[same]) < 0
    assert_counts([mirrored.sum()], [0.5], total=same.sum())

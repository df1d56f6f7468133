"""Identical particles with their centre of mass at the origin, and their pairs.

N particles x_i in D dimensions have (N - 1) D coordinates there: y = H x, of shape
(N - 1, D), with the orthonormal rows of Helmert's matrix H. Hence |y|^2 =
sum_i |x_i - mean|^2, a density of y is one on all of R^((N-1)D), normalised with its
volume, and rotations of space act on y as they do on x. Permutations of the particles
act on y as orthogonal matrices.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Key

# Below it a distance counts as this one, with gradient 0: where particles coincide the
# direction of the gradient is undefined.
SMALLEST_DISTANCE = 1e-12


class Particles(NamedTuple):
    """A system of identical particles, whose `coordinates` x are.

    Attributes:
        number: N.
        dimension: D.
    """

    number: int
    dimension: int


def helmert(particles: int) -> np.ndarray:
    """Return H, (N - 1, N): orthonormal rows, each of which sums to 0."""
    below = np.tril(np.ones((particles - 1, particles)))
    count = np.arange(1, particles)
    below[count - 1, count] = -count
    return below / np.sqrt(count * (count + 1))[:, None]


def pair_matrix(particles: int) -> np.ndarray:
    """Return the matrix from y to x_i - x_j of the pairs i < j, (pairs, N - 1)."""
    first, second = np.triu_indices(particles, 1)
    columns = helmert(particles).T
    return columns[first] - columns[second]


def positions(y: Array) -> Array:
    """Return the particles x, (N, D), of coordinates y, (N - 1, D)."""
    return jnp.asarray(helmert(y.shape[0] + 1).T, y.dtype) @ y


def coordinates(x: Array) -> Array:
    """Return the coordinates y, (N - 1, D), of particles x, (N, D), wherever they are.

    The inverse of `positions`, but for the centre of mass, which is lost.
    """
    return jnp.asarray(helmert(x.shape[0]), x.dtype) @ x


def pair_vectors(y: Array) -> Array:
    """Return x_i - x_j of the pairs i < j, (N (N - 1) / 2, D)."""
    return jnp.asarray(pair_matrix(y.shape[0] + 1), y.dtype) @ y


def lengths(vectors: Array) -> Array:
    """Return the lengths of vectors (pairs, D), at least `SMALLEST_DISTANCE`."""
    squares = jnp.sum(vectors**2, axis=-1)
    return jnp.sqrt(jnp.maximum(squares, SMALLEST_DISTANCE**2))


def pair_distances(y: Array) -> Array:
    """Return |x_i - x_j| of the pairs i < j, (N (N - 1) / 2,)."""
    return lengths(pair_vectors(y))


def random_motion(key: Key, y: Array) -> Array:
    """Return y, (N - 1, D), after a random permutation, rotation and reflection.

    Uniform over the permutations of N particles and over O(D).
    """
    order_key, turn_key = jax.random.split(key)
    x = jax.random.permutation(order_key, positions(y))
    return coordinates(x @ _random_orthogonal(turn_key, y.shape[1], y.dtype))


def _random_orthogonal(key: Key, dimension: int, dtype: jnp.dtype) -> Array:
    """Return a matrix (D, D) drawn from the uniform measure on O(D).

    Gram and Schmidt's method on Gaussian vectors, whose law knows no direction; JAX's
    QR decomposition would call LAPACK for every small matrix.
    """
    rows: list[Array] = []
    for vector in jax.random.normal(key, (dimension, dimension), dtype):
        for _ in range(2):  # once leaves what rounding makes of nearly parallel vectors
            for row in rows:
                vector = vector - jnp.dot(row, vector) * row
        rows.append(vector / jnp.linalg.norm(vector))
    return jnp.stack(rows)

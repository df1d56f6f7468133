"""Determinants, inverses and QR factors against NumPy, and that they always end."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import run_program
from tolerances import F64

from sesamo_jax.targets.hubbard.factorize import (
    LARGEST_ELIMINATED,
    graded,
    inverse,
    log_abs_det,
    orthogonal,
    qr,
    solve,
)

SIZES = (1, 2, 5, LARGEST_ELIMINATED, LARGEST_ELIMINATED + 3)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_values_and_gradients_are_those_of_numpy(size, rng):
    """For a batch that needs its rows exchanged: the first pivots are 0."""
    matrices = rng.normal(size=(4, size, size))
    if size > 1:
        matrices[:, 0, 0] = 0
    right = rng.normal(size=(4, size, 3))
    batch = jnp.asarray(matrices)
    found = jax.jit(jax.vmap(jax.value_and_grad(log_abs_det)))(batch)
    np.testing.assert_allclose(found[0], np.linalg.slogdet(matrices)[1], atol=F64)
    inverses = np.linalg.inv(matrices)
    np.testing.assert_allclose(found[1], np.swapaxes(inverses, 1, 2), rtol=1e-8)
    np.testing.assert_allclose(jax.vmap(log_abs_det)(batch), found[0], atol=F64)
    np.testing.assert_allclose(jax.vmap(inverse)(batch), inverses, rtol=1e-8)
    solved = jax.jit(jax.vmap(solve))(batch, jnp.asarray(right))
    np.testing.assert_allclose(matrices @ np.asarray(solved), right, atol=F64)
    q, r = jax.vmap(qr)(batch)
    np.testing.assert_allclose(q @ r, matrices, atol=F64)
    np.testing.assert_allclose(np.swapaxes(q, 1, 2) @ q, [np.eye(size)] * 4, atol=F64)


@pytest.mark.parametrize("size", SIZES[1:])
def test_q_stays_orthogonal_where_columns_are_nearly_parallel(size, rng):
    matrix = rng.normal(size=(size, 1)) + 1e-7 * rng.normal(size=(size, size))
    q, r = qr(jnp.asarray(matrix))
    np.testing.assert_allclose(q.T @ q, np.eye(size), atol=F64)
    np.testing.assert_allclose(q @ r, matrix, atol=F64)
    assert np.all(np.tril(r, -1) == 0)


@pytest.mark.parametrize("size", SIZES[1:])
def test_a_singular_matrix_has_no_determinant(size):
    assert log_abs_det(jnp.zeros((size, size))) == -np.inf


@pytest.mark.parametrize("factors", [graded, orthogonal])
@pytest.mark.parametrize("size", SIZES)
def test_graded_factors_multiply_to_the_matrix(factors, size, rng):
    matrix, rows, columns = rng.normal(size=(size, size)), *rng.normal(size=(2, size))
    found = jax.jit(factors)(jnp.asarray(matrix), 5 * rows, 5 * columns)
    scaled = np.exp(5 * rows)[:, None] * matrix * np.exp(5 * columns)
    product = found.left * np.exp(found.logs) @ found.right
    np.testing.assert_allclose(product, scaled, rtol=1e-9, atol=1e-10 * scaled.max())
    np.testing.assert_allclose(found.left @ found.inverse, np.eye(size), atol=F64)
    # Every permutation's term of the determinant is of one size but for its scale.
    logs = np.sum(5 * rows + 5 * columns) + np.linalg.slogdet(matrix)[1]
    right = np.linalg.slogdet(found.right)[1]
    np.testing.assert_allclose(np.sum(found.logs) + right, logs, atol=1e-8)


@pytest.mark.parametrize("size", SIZES[1:])
def test_graded_scales_may_lie_beyond_all_floats(size, rng):
    """A permutation of scales, with a large scale where the matrix is 0."""
    matrix = np.eye(size)[::-1] * rng.uniform(0.5, 2, size)
    rows = np.linspace(3000, -3000, size)
    found = jax.jit(graded)(jnp.asarray(matrix), rows, 2 * rows)
    expected = rows - 2 * rows + np.log(matrix.sum(axis=1))
    np.testing.assert_allclose(np.sort(found.logs), np.sort(expected), rtol=1e-12)
    assert np.all(np.isfinite(jax.tree.leaves(found)[0]))


def test_what_cancels_to_rounding_is_no_pivot():
    """The third row is the sum of others, but for a last place that scales lift."""
    matrix = np.array([[0.1, 0.7, 0.3], [0.2, 0.1, 0.9], [0.1 + 0.2, 0.7 + 0.1, 2.0]])
    rows, columns = np.zeros(3), np.array([0.0, -1.0, -80.0])
    found = graded(jnp.asarray(matrix), jnp.asarray(rows), jnp.asarray(columns))
    expected = np.linalg.slogdet(matrix)[1] - 81
    assert float(jnp.sum(found.logs)) == pytest.approx(expected, abs=1e-12)


PROGRAM = """
import jax.numpy as jnp
from sesamo_jax.targets.hubbard.factorize import inverse, log_abs_det
def f(a):
    return sum(jnp.sum(jax.vmap(log_abs_det)(a + n)) for n in range(4))
a = jax.random.normal(jax.random.key(0), (2000, 12, 12))
step = jax.jit(lambda a: (*jax.value_and_grad(f)(a), jax.vmap(inverse)(a)))
for _ in range(5):
    value = step(a)[0].block_until_ready()
print(float(value))
"""


@pytest.mark.slow  # compiles much
def test_independent_factorisations_in_one_program_end():
    """Batched LAPACK calls do not, where they outnumber the threads."""
    assert np.isfinite(float(run_program(PROGRAM, timeout=300)))

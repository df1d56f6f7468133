"""Determinants, inverses and QR factors of many small matrices, safely on CPUs.

A batched LAPACK call of JAX hands its parts to the threads that run the program, and
waits for them in one of these threads. Two independent calls can take all threads of a
small machine and wait for good (seen with jaxlib 0.10). Here no such call is batched:
matrices up to `LARGEST_ELIMINATED` are eliminated in operations over the whole batch,
which is also faster, and LAPACK takes larger ones one after the other.
"""

import jax
import jax.numpy as jnp
from jax.custom_batching import sequential_vmap

from sesamo_jax.core import Array

LARGEST_ELIMINATED = 8


@jax.custom_vjp
def log_abs_det(matrix: Array) -> Array:
    """Return log|det| of a matrix, (N, N); -inf if it is singular."""
    if len(matrix) <= LARGEST_ELIMINATED:
        return _eliminate(matrix, matrix[:, :0])[0]
    return _lapack_log_abs_det(matrix)


def _forward(matrix: Array) -> tuple[Array, Array]:
    if len(matrix) <= LARGEST_ELIMINATED:
        return _eliminate(matrix, jnp.eye(len(matrix), dtype=matrix.dtype))
    return log_abs_det(matrix), _lapack_inverse(matrix)


def _backward(inverse: Array, cotangent: Array) -> tuple[Array]:
    return (cotangent * inverse.T,)


log_abs_det.defvjp(_forward, _backward)


def solve(matrix: Array, right: Array) -> Array:
    """Return matrix^{-1} right, (N, N) and (N, M); not to be differentiated."""
    if len(matrix) <= LARGEST_ELIMINATED:
        return _eliminate(matrix, right)[1]
    return _lapack_solve(matrix, right)


def inverse(matrix: Array) -> Array:
    """Return the inverse of a matrix, (N, N); not to be differentiated."""
    return solve(matrix, jnp.eye(len(matrix), dtype=matrix.dtype))


def qr(matrix: Array) -> tuple[Array, Array]:
    """Return Q and R of a matrix, (N, N); not to be differentiated."""
    if len(matrix) <= LARGEST_ELIMINATED:
        return _orthogonalize(matrix)
    return _lapack_qr(matrix)


@sequential_vmap
def _lapack_qr(matrix: Array) -> tuple[Array, Array]:
    return jnp.linalg.qr(matrix)


@sequential_vmap
def _lapack_log_abs_det(matrix: Array) -> Array:
    return jnp.linalg.slogdet(matrix)[1]


@sequential_vmap
def _lapack_inverse(matrix: Array) -> Array:
    return jnp.linalg.inv(matrix)


@sequential_vmap
def _lapack_solve(matrix: Array, right: Array) -> Array:
    return jnp.linalg.solve(matrix, right)


def _eliminate(matrix: Array, right: Array) -> tuple[Array, Array]:
    """Return log|det| and matrix^{-1} right by Gauss and Jordan with pivoted rows."""
    size = len(matrix)
    rows = jnp.concatenate([matrix, right], axis=1)
    log_det = jnp.zeros((), matrix.dtype)
    for k in range(size):
        candidates = jnp.abs(rows[:, k]).at[:k].set(-1.0)
        chosen = jax.nn.one_hot(jnp.argmax(candidates), size, dtype=matrix.dtype)
        pivot = chosen @ rows
        rows = rows + chosen[:, None] * (rows[k] - pivot)
        log_det = log_det + jnp.log(jnp.abs(pivot[k]))
        pivot = pivot / jnp.where(pivot[k] == 0, 1.0, pivot[k])
        rows = (rows - rows[:, k : k + 1] * pivot).at[k].set(pivot)
    return log_det, rows[:, size:]


def _orthogonalize(matrix: Array) -> tuple[Array, Array]:
    """Return Q and R by Householder, orthogonal even if columns are dependent."""
    size = len(matrix)
    q, r = jnp.eye(size, dtype=matrix.dtype), matrix
    for k in range(size - 1):
        below = jnp.arange(size) >= k
        column = jnp.where(below, r[:, k], 0.0)
        norm = jnp.sqrt(jnp.sum(column**2))
        # Away from the column's own sign, so that nothing cancels.
        normal = column.at[k].add(jnp.where(column[k] < 0, -norm, norm))
        square = jnp.sum(normal**2)
        normal = normal * jnp.sqrt(2 / jnp.where(square == 0, 1.0, square))
        r = r - normal[:, None] * jnp.sum(normal[:, None] * r, axis=0)
        q = q - jnp.sum(q * normal, axis=1)[:, None] * normal
    return q, jnp.triu(r)

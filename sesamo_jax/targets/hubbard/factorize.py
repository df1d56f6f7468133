"""Determinants, inverses and QR factors of many small matrices, safely on CPUs.

A batched LAPACK call of JAX hands its parts to the threads that run the program, and
waits for them in one of these threads. Two independent calls can take all threads of a
small machine and wait for good (seen with jaxlib 0.10). Here no such call is batched:
matrices up to `LARGEST_ELIMINATED` are eliminated in operations over the whole batch,
which is also faster, and LAPACK takes larger ones one after the other.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_batching import sequential_vmap

from sesamo_jax.core import Array

LARGEST_ELIMINATED = 8
ROUNDING = 1e-13  # of a difference beside its terms
SMALLEST_SCALE = 1e-300  # of a singular value beside the largest
ZERO_LOG = -1e30  # in place of log 0


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


class Graded(NamedTuple):
    """A matrix X e^D Y of many scales, X and Y well-conditioned.

    Attributes:
        left: X, (N, N).
        inverse: X^{-1}.
        logs: D, (N,).
        right: Y, (N, N).
    """

    left: Array
    inverse: Array
    logs: Array
    right: Array


def graded(matrix: Array, rows: Array, columns: Array) -> Graded:
    """Return the factors of e^rows matrix e^columns, at fixed pivots if differentiated.

    Elimination with pivots that are the largest with their scales (Demmel et al. 1999).
    The scales drop out of the elimination itself, and only multipliers, at most 1, see
    them: no exponential over- or underflows. What cancels down to rounding is set to 0;
    else a scale could make it a pivot.

    Args:
        matrix: without large or small scales, (N, N).
        rows: logs of the scales of rows, (N,).
        columns: logs of the scales of columns, (N,).
    """
    size = len(matrix)
    one = jnp.eye(size, dtype=matrix.dtype)
    place = jnp.arange(size)

    def step(state: tuple, _: None) -> tuple:
        rest, turned, free_row, free_column = state
        free = free_row[:, None] & free_column
        logs = jnp.log(jnp.abs(jnp.where(rest == 0, 1.0, rest)))
        logs = jnp.where(rest == 0, ZERO_LOG, logs) + rows[:, None] + columns
        logs = jax.lax.stop_gradient(jnp.where(free, logs, -jnp.inf))
        at_column = place == jnp.argmax(jnp.max(logs, axis=0))
        at_row = place == jnp.argmax(
            jnp.max(jnp.where(at_column, logs, -jnp.inf), axis=1)
        )
        column = jnp.sum(jnp.where(at_column, rest, 0), axis=1)
        row = jnp.sum(jnp.where(at_row[:, None], rest, 0), axis=0)
        own = jnp.sum(jnp.where(at_row[:, None], turned, 0), axis=0)
        pivot = jnp.sum(jnp.where(at_row, column, 0))
        row_log = jnp.sum(jnp.where(at_row, rows, 0))
        column_log = jnp.sum(jnp.where(at_column, columns, 0))
        lost = pivot == 0
        pivot = jnp.where(lost, 1.0, pivot)
        log = jnp.where(lost, ZERO_LOG, row_log + column_log + jnp.log(jnp.abs(pivot)))
        free_row, free_column = free_row & ~at_row, free_column & ~at_column
        below = jnp.where(free_row, _exp(rows - row_log, column) * column / pivot, 0.0)
        across = _exp(columns - column_log, row) * row / pivot
        beside = jnp.where(free_column, across, 0.0)
        change = column[:, None] * (row / pivot)
        rest = jnp.where(free_row[:, None] & free_column, rest - change, 0.0)
        cancelled = jnp.abs(rest) <= ROUNDING * jnp.abs(change)
        # What is 0 here need not stay so: it keeps its derivative.
        rest = rest - jax.lax.stop_gradient(jnp.where(cancelled, rest, 0.0))
        turned = turned - below[:, None] * own
        sign = jnp.where(pivot < 0, -1.0, 1.0)
        out = Graded(below + at_row, own, log, sign * (beside + at_column))
        return (rest, turned, free_row, free_column), out

    state = matrix, one, place >= 0, place >= 0
    parts: Graded = jax.lax.scan(step, state, length=size)[1]
    return parts._replace(left=parts.left.T)


def orthogonal(matrix: Array, rows: Array, columns: Array) -> Graded:
    """Return the factors of `graded` for moderate scales, with orthogonal X.

    By QR with rows and columns sorted by size (Cox and Higham 1998), which is less
    work for large matrices. A scale below `SMALLEST_SCALE` of the largest is lost.
    """
    top = jnp.max(columns), jnp.max(rows)
    scaled = jnp.exp(rows - top[1])[:, None] * matrix * jnp.exp(columns - top[0])
    order = jnp.argsort(-jnp.sum(scaled**2, axis=0))
    steepest = jnp.argsort(-rows)
    q, r = qr(scaled[steepest][:, order])
    diagonal = jnp.diag(r)
    scale = jnp.maximum(jnp.abs(diagonal), SMALLEST_SCALE)
    signs = jnp.diag(jnp.where(diagonal < 0, -1.0, 1.0))
    mixing = jnp.triu(r, 1) / scale[:, None] + signs
    left = jnp.zeros_like(q).at[steepest].set(q)
    right = jnp.zeros_like(r).at[order].set(mixing.T).T
    return Graded(left, left.T, top[0] + top[1] + jnp.log(scale), right)


def _exp(x: Array, factor: Array) -> Array:
    """Return e^x; beside a factor 0 at most e^100, for a finite slope of both."""
    return jnp.exp(jnp.minimum(x, jnp.where(factor == 0, 100.0, 700.0)))


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
        chosen = (jnp.arange(size) == jnp.argmax(candidates))[:, None]
        pivot = jnp.sum(jnp.where(chosen, rows, 0), axis=0)
        rows = jnp.where(chosen, rows[k], rows)
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

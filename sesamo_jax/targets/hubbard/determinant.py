"""log det(1 + B_T ... B_1) of a chain of matrices B_t = e^h e^{x_t}, stably.

The product's singular values spread over many orders of magnitude, and the plain
product keeps only the largest. It is therefore held as X e^D Y with logs of scales D
between well-conditioned X and Y, with one factorisation for every few slices, so that
large and small scales never meet in one sum (Loh et al. 1992; Bai, Lee, Li, Xu 2011).
A slice that is steep by itself multiplies X by e^{x_t}, and by e^h in the eigenbasis
of h, as scales of rows. O(T N^3).
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array
from sesamo_jax.targets.hubbard.factorize import (
    Graded,
    graded,
    log_abs_det,
    orthogonal,
    solve,
)
from sesamo_jax.targets.hubbard.fermion_matrix import require_float64
from sesamo_jax.targets.hubbard.hopping import Hopping

LARGEST_EXPONENT = 6.0


def slices_per_factor(slices: int, exponent: float) -> int:
    """Return how many slices may be multiplied before a factorisation.

    Args:
        slices: T; the answer divides it.
        exponent: typical size of h + x_t, in the exponent, of one slice.
    """
    return max(
        n
        for n in range(1, slices + 1)
        if slices % n == 0 and (n == 1 or n * exponent <= LARGEST_EXPONENT)
    )


@dataclass(frozen=True, eq=False)
class Chain:
    """What a chain is made of, but the fields.

    Attributes:
        hopping: e^h.
        per_factor: slices between factorisations, a divisor of T; 1 where e^h is steep.
        steep: whether e^h or e^{x_t} may be so steep that scales need be kept as logs.
    """

    hopping: Hopping
    per_factor: int
    steep: bool


def _scale_rows(chain: Chain, rows: Array, matrix: Array, state: Graded) -> Graded:
    """Return the factors of e^rows matrix e^D Y, with D and Y those of a state."""
    factors = graded if chain.steep else orthogonal
    parts = factors(matrix, rows, state.logs)
    return parts._replace(right=parts.right @ state.right)


def _hop(chain: Chain, state: Graded) -> Graded:
    """Return the factors of e^h X e^D Y."""
    if chain.hopping.steep:
        waves = jnp.asarray(chain.hopping.waves)
        levels = jnp.asarray(chain.hopping.levels)
        state = _scale_rows(chain, levels, waves.T @ state.left, state)
        before, back = waves, waves.T
    else:
        before, back = (jnp.asarray(chain.hopping.matrix(sign)) for sign in (1, -1))
    return state._replace(left=before @ state.left, inverse=state.inverse @ back)


def _step(chain: Chain, state: Graded, fields: Array, *, hop_first: bool) -> Graded:
    """Return the factors of a state after one more block of slices.

    Args:
        chain: hopping, and slices of a block.
        state: factors of the product of all blocks before.
        fields: x in the order in which it acts, (per_factor, N).
        hop_first: whether slices are e^{x_t} e^h in place of e^h e^{x_t}.
    """
    if hop_first:
        state = _hop(chain, state)
    matrix, rows = state.left, fields[-1]
    if len(fields) > 1:
        hop = jnp.asarray(chain.hopping.matrix())
        largest = jnp.max(fields[:-1], axis=1)
        for field in jnp.exp(fields[:-1] - largest[:, None]):
            matrix = hop @ (field[:, None] * matrix)
        rows += jnp.sum(largest)
    state = _scale_rows(chain, rows, matrix, state)
    return state if hop_first else _hop(chain, state)


def _one(x: Array) -> Graded:
    """Return the factors of 1, of as many sites as a field has."""
    one = jnp.eye(x.shape[1], dtype=x.dtype)
    return Graded(one, one, jnp.zeros_like(one[0]), one)


def log_det_chain(x: Array, chain: Chain) -> Array:
    """Return log|det(1 + B_T ... B_1)|, B_t = e^h e^{x_t}.

    Args:
        x: (T, N), float64.
        chain: the rest.

    Raises:
        TypeError: if x is not float64.
    """
    require_float64(x)
    return _steep_log_det(x, chain) if chain.steep else _mild_log_det(x, chain)


def _steep_log_det(x: Array, chain: Chain) -> Array:
    """Return log|det|, whose gradient differentiates the elimination itself.

    That is as good as the value also where Green's functions are not.
    """
    step = jax.checkpoint(partial(_step, chain, hop_first=False))
    blocks = x.reshape(-1, chain.per_factor, x.shape[1])
    state = jax.lax.scan(lambda s, f: (step(s, f), None), _one(x), blocks)[0]
    return _log_det(chain, state)


def _log_det(chain: Chain, state: Graded) -> Array:
    """Return log|det(1 + X e^D Y)| of a state that ends with a hopping."""
    large, small = jnp.maximum(state.logs, 0), jnp.minimum(state.logs, 0)
    inner = jnp.exp(-large)[:, None] * state.inverse
    inner += jnp.exp(small)[:, None] * state.right
    # The other factor of X is orthogonal, or a permuted triangle of determinant 1.
    log_det_left = 0.0 if chain.hopping.steep else np.sum(chain.hopping.levels)
    return jnp.sum(large) + log_abs_det(inner) + log_det_left


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _mild_log_det(x: Array, chain: Chain) -> Array:
    """Return log|det|, with the gradient from Green's functions: less work."""
    blocks = x.reshape(-1, chain.per_factor, x.shape[1])
    step = partial(_step, chain, hop_first=False)
    state = jax.lax.scan(lambda s, f: (step(s, f), None), _one(x), blocks)[0]
    return _log_det(chain, state)


class _Borders(NamedTuple):
    """Green's functions at the borders of blocks.

    Attributes:
        last: factors of the product of all slices.
        inner: with scaled rows and columns, (blocks + 1, N, N), as are the others.
        left: G = left inner^{-1} right.
        right: as above.
        left_ahead: G(t, 0) = left_ahead inner^{-1} right_ahead.
        right_ahead: as above.
    """

    last: Graded
    inner: Array
    left: Array
    right: Array
    left_ahead: Array
    right_ahead: Array


def _products(x: Array, chain: Chain, *, hop_first: bool) -> Graded:
    """Return the factors of products of 0, 1, 2, ..., all blocks, (blocks + 1, ...)."""

    def step(state: Graded, fields: Array) -> tuple[Graded, Graded]:
        state = _step(chain, state, fields, hop_first=hop_first)
        return state, state

    first = _one(x)
    blocks = x.reshape(-1, chain.per_factor, x.shape[1])
    rest: Graded = jax.lax.scan(step, first, blocks)[1]
    return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), first, rest)


def _borders(x: Array, chain: Chain) -> _Borders:
    """Return the factors of Green's functions.

    With products B_t ... B_1 = X e^D Y before a border and, transposed, A e^F C after
    it, G = (1 + X e^D Y C^T e^F A^T)^{-1} = A^{-T} M^{-1} X^{-1} where
    M = X^{-1} A^{-T} + e^D Y C^T e^F, here with scaled rows and columns.
    """
    before = _products(x, chain, hop_first=False)
    after = jax.tree.map(
        lambda leaf: leaf[::-1], _products(x[::-1], chain, hop_first=True)
    )
    turned = jnp.swapaxes(after.inverse, 1, 2)
    large0, large1 = jnp.maximum(before.logs, 0), jnp.maximum(after.logs, 0)
    small0, small1 = jnp.minimum(before.logs, 0), jnp.minimum(after.logs, 0)
    rows, columns = jnp.zeros_like(large0), jnp.zeros_like(large1)
    if chain.steep:
        ones = -(large0[:, :, None] + large1[:, None, :])
        products = small0[:, :, None] + small1[:, None, :]
        largest = jnp.maximum(ones, products)
        rows = jnp.max(largest, axis=2)
        columns = jnp.max(largest - rows[:, :, None], axis=1)
    # With these shifts no scale of the two products is above 1.
    shift = jnp.max(-large0 - rows, axis=1, keepdims=True)
    right = jnp.exp(-large0 - rows - shift)[:, :, None] * before.inverse
    left = turned * jnp.exp(-large1 - columns + shift)[:, None, :]
    shift = jnp.max(small0 - rows, axis=1, keepdims=True)
    right_ahead = jnp.exp(small0 - rows - shift)[:, :, None] * before.right
    behind = jnp.swapaxes(after.right, 1, 2)
    behind = behind * jnp.exp(small1 - columns + shift)[:, None, :]
    left_ahead = turned * jnp.exp(-large1 - columns + shift)[:, None, :]
    inner = right @ left + right_ahead @ behind
    last = jax.tree.map(lambda leaf: leaf[-1], before)
    return _Borders(last, inner, left, right, left_ahead, right_ahead)


def green_functions(x: Array, chain: Chain) -> tuple[Array, Array]:
    """Return <a_i a_j^+> at equal times and <a_i(t) a_j^+(0)>, each (blocks + 1, N, N).

    At t = 0, per_factor, ..., T, just after the hopping of slice t.

    Args:
        x: (T, N), float64.
        chain: the rest.
    """
    parts = _borders(x, chain)
    size = x.shape[1]
    right = jnp.concatenate([parts.right, parts.right_ahead], axis=2)
    both = jax.vmap(solve)(parts.inner, right)
    return parts.left @ both[..., :size], parts.left_ahead @ both[..., size:]


def _forward(x: Array, chain: Chain) -> tuple[Array, Array]:
    """Return log|det| and its gradient, 1 - the diagonal of Green's functions.

    d log det / d x_t = diag(1 - G_t), G_t = (1 + B_{t-1} ... B_1 B_T ... B_t)^{-1}: at
    borders of blocks from the factorised products before and after, and by
    G -> B G B^{-1} inside.
    """
    parts = _borders(x, chain)
    green = (parts.left @ jax.vmap(solve)(parts.inner, parts.right))[:-1]
    steps = jnp.exp(x - jnp.max(x, axis=1, keepdims=True))
    steps = steps.reshape(-1, chain.per_factor, x.shape[1])
    hop, back = (jnp.asarray(chain.hopping.matrix(sign)) for sign in (1, -1))
    out = [1 - jnp.diagonal(green, axis1=1, axis2=2)]
    for t in range(chain.per_factor - 1):
        field = steps[:, t]
        green = hop @ (field[:, :, None] * green / field[:, None, :]) @ back
        out.append(1 - jnp.diagonal(green, axis1=1, axis2=2))
    return _log_det(chain, parts.last), jnp.stack(out, axis=1).reshape(x.shape)


def _backward(_: Chain, gradient: Array, cotangent: Array) -> tuple[Array]:
    return (cotangent * gradient,)


_mild_log_det.defvjp(_forward, _backward)

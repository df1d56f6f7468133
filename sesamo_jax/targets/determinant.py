"""log det(1 + B_T ... B_1) of a chain of matrices B_t = e^h e^{x_t}, stably.

The product's singular values spread over many orders of magnitude, and the plain
product keeps only the largest. It is therefore held as e^h U e^D W with orthogonal U,
scales D and a well-conditioned W, with one QR factorisation for every few slices, so
that large and small scales never meet in one sum (Loh et al. 1992; Bai, Lee, Li, Xu
2011). What is factorised has the form e^{x_t} (e^h U) e^D, rows and columns of many
scales around a well-conditioned matrix; with both sorted by size QR is stable there
too (Cox and Higham 1998), however steep a slice is. O(T N^3).
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array
from sesamo_jax.targets.factorize import inverse, log_abs_det, qr, solve
from sesamo_jax.targets.fermion_matrix import require_float64

LARGEST_EXPONENT = 6.0
SMALLEST_SCALE = 1e-300  # of a singular value beside the largest


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


def _chain(blocks: Array, hop: Array, start: Array) -> tuple[Array, Array, Array]:
    """Return U, D, W with e^{x_t} e^h ... e^{x_1} e^h start = U e^D W at all borders.

    Args:
        blocks: x in the order in which it acts, (blocks, slices, N).
        hop: e^h, (N, N).
        start: well-conditioned, (N, N).

    Returns:
        (blocks + 1, N, N), (blocks + 1, N) and (blocks + 1, N, N): at all borders, the
        first of them before all blocks.
    """
    size = hop.shape[0]
    first = start, jnp.zeros(size, hop.dtype), jnp.eye(size, dtype=hop.dtype)

    def step(state: tuple, fields: Array) -> tuple:
        u, d, w = state
        largest, top = jnp.max(fields, axis=1), jnp.max(d)
        for field in jnp.exp(fields - largest[:, None]):
            u = field[:, None] * (hop @ u)
        columns = u * jnp.exp(d - top)
        order = jnp.argsort(-jnp.sum(columns**2, axis=0))
        rows = jnp.argsort(-fields[-1])
        q, r = qr(columns[rows][:, order])
        # In a field far from all modes a scale may be lost, which leaves a 0.
        scale = jnp.maximum(jnp.abs(jnp.diag(r)), SMALLEST_SCALE)
        mixing = jnp.triu(r, 1) / scale[:, None] + jnp.diag(_sign(jnp.diag(r)))
        d = top + jnp.sum(largest) + jnp.log(scale)
        state = jnp.zeros_like(q).at[rows].set(q), d, mixing @ w[order]
        return state, state

    states: tuple[Array, Array, Array] = jax.lax.scan(step, first, blocks)[1]
    u, d, w = (
        jnp.concatenate([leaf[None], rest])
        for leaf, rest in zip(first, states, strict=True)
    )
    return u, d, w


def _sign(x: Array) -> Array:
    """Return -1 or 1, also of 0."""
    return jnp.where(x < 0, -1.0, 1.0)


def _forward_chain(
    x: Array, hop: np.ndarray, per_factor: int
) -> tuple[Array, Array, Array]:
    """Return V, D, W with B_t ... B_1 = V^-1 e^D W at all borders, as in `_chain`."""
    require_float64(x)
    hopping = jnp.asarray(hop)
    back = inverse(hopping)
    u, d, w = _chain(x.reshape(-1, per_factor, x.shape[1]), hopping, back)
    v = jnp.swapaxes(u, 1, 2).at[0].set(hopping) @ back
    return v, d, w


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def log_det_chain(x: Array, hop: np.ndarray, per_factor: int) -> Array:
    """Return log|det(1 + B_T ... B_1)|, B_t = hop e^{x_t}.

    Args:
        x: (T, N), float64.
        hop: e^h, symmetric, (N, N).
        per_factor: slices between factorisations, a divisor of T.

    Raises:
        TypeError: if x is not float64.
    """
    v, d, w = (leaf[-1] for leaf in _forward_chain(x, hop, per_factor))
    large, small = jnp.maximum(d, 0), jnp.minimum(d, 0)
    inner = jnp.exp(-large)[:, None] * v + jnp.exp(small)[:, None] * w
    return jnp.sum(large) + log_abs_det(inner) + log_abs_det(jnp.asarray(hop))


class _Factorised(NamedTuple):
    """Green's functions at the borders of blocks, G = left inner^{-1} right.

    Attributes:
        log_det: log|det(1 + B_T ... B_1)|.
        left: (blocks + 1, N, N), as are the others.
        inner: well-conditioned.
        right: for equal times.
        ahead: in its place for G(t, 0) = B_t ... B_1 G(0, 0).
    """

    log_det: Array
    left: Array
    inner: Array
    right: Array
    ahead: Array

    def solve(self, right: Array) -> Array:
        """Return left inner^{-1} right."""
        return self.left @ jax.vmap(solve)(self.inner, right)


def _factorise(x: Array, hop: np.ndarray, per_factor: int) -> _Factorised:
    v0, d0, w0 = _forward_chain(x, hop, per_factor)
    # Border b has blocks 1..b before it, and the rest after it, here transposed.
    after = x[::-1].reshape(-1, per_factor, x.shape[1])
    chain = _chain(after, jnp.asarray(hop), jnp.eye(x.shape[1], dtype=x.dtype))
    u1, d1, w1 = (leaf[::-1] for leaf in chain)
    large0, large1 = jnp.maximum(d0, 0), jnp.maximum(d1, 0)
    small0, small1 = jnp.minimum(d0, 0), jnp.minimum(d1, 0)
    right = jnp.exp(-large0)[:, :, None] * v0
    left = u1 * jnp.exp(-large1)[:, None, :]
    ahead = jnp.exp(small0)[:, :, None] * w0
    behind = jnp.swapaxes(w1, 1, 2) * jnp.exp(small1)[:, None, :]
    inner = right @ left + ahead @ behind
    log_det = jnp.sum(large0[-1]) + log_abs_det(inner[-1])
    log_det = log_det + log_abs_det(jnp.asarray(hop))
    return _Factorised(log_det, left, inner, right, ahead)


def green_functions(x: Array, hop: np.ndarray, per_factor: int) -> tuple[Array, Array]:
    """Return <a_i a_j^+> at equal times and <a_i(t) a_j^+(0)>, each (blocks + 1, N, N).

    At t = 0, per_factor, ..., T, just after the hopping of slice t.

    Args:
        x: (T, N), float64.
        hop: e^h, symmetric, (N, N).
        per_factor: slices between factorisations, a divisor of T.
    """
    parts = _factorise(x, hop, per_factor)
    size = x.shape[1]
    both = parts.solve(jnp.concatenate([parts.right, parts.ahead], axis=2))
    return both[..., :size], both[..., size:]


def _forward(x: Array, hop: np.ndarray, per_factor: int) -> tuple[Array, Array]:
    """Return log|det| and its gradient, 1 - the diagonal of Green's functions.

    d log det / d x_t = diag(1 - G_t), G_t = (1 + B_{t-1} ... B_1 B_T ... B_t)^{-1}: at
    borders of blocks from the factorised products before and after, and by
    G -> B G B^{-1} inside.
    """
    parts = _factorise(x, hop, per_factor)
    green = parts.solve(parts.right)
    steps = jnp.exp(x - jnp.max(x, axis=1, keepdims=True))
    steps = steps.reshape(-1, per_factor, x.shape[1])
    back = np.linalg.inv(hop)
    green, out = green[:-1], []
    for t in range(per_factor):
        out.append(1 - jnp.diagonal(green, axis1=1, axis2=2))
        field = steps[:, t]
        moved = field[:, :, None] * green / field[:, None, :]
        green = jnp.asarray(hop) @ moved @ back
    return parts.log_det, jnp.stack(out, axis=1).reshape(x.shape)


def _backward(per_factor: int, gradient: Array, cotangent: Array) -> tuple:
    return cotangent * gradient, None


log_det_chain.defvjp(_forward, _backward)

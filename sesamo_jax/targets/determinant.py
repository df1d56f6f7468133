"""log det(1 + B_T ... B_1) of a chain of matrices B_t = e^h e^{x_t}, stably.

The product's singular values spread over many orders of magnitude, and the plain
product keeps only the largest. It is therefore held as U e^D W with orthogonal U,
scales D and a well-conditioned W, with one QR factorisation of sorted columns for every
few slices, so that large and small scales never meet in one sum (Loh et al. 1992; Bai,
Lee, Li, Xu 2011). O(T N^3). One slice must not be steep by itself: where e^{x_t} spans
more than ten orders of magnitude, `fermion_matrix` is the one to use.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array
from sesamo_jax.targets.factorize import log_abs_det, qr, solve
from sesamo_jax.targets.fermion_matrix import require_float64

LARGEST_EXPONENT = 12.0


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


def _chain(factors: Array) -> tuple[Array, Array, Array]:
    """Return U, D, W with F_b ... F_1 = U e^D W for b = 0, ..., blocks.

    Args:
        factors: (blocks, N, N).
    """
    size = factors.shape[-1]
    identity = jnp.eye(size, dtype=factors.dtype)
    start = identity, jnp.zeros(size, factors.dtype), identity

    def step(state: tuple, factor: Array) -> tuple:
        u, d, w = state
        top = jnp.max(d)
        columns = (factor @ u) * jnp.exp(d - top)
        order = jnp.argsort(-jnp.sum(columns**2, axis=0))
        q, r = qr(columns[:, order])
        scale = jnp.abs(jnp.diag(r))
        w = (r / scale[:, None]) @ w[order]
        state = q, top + jnp.log(scale), w
        return state, state

    states: tuple[Array, Array, Array] = jax.lax.scan(step, start, factors)[1]
    u, d, w = (
        jnp.concatenate([first[None], rest])
        for first, rest in zip(start, states, strict=True)
    )
    return u, d, w


def _blocks(x: Array, hop: Array, per_factor: int) -> Array:
    """Return the products of B_t within blocks, (blocks, N, N)."""
    require_float64(x)
    slices, size = x.shape
    steps = hop * jnp.exp(x)[:, None, :]
    grouped = steps.reshape(slices // per_factor, per_factor, size, size)
    product = grouped[:, 0]
    for t in range(1, per_factor):
        product = grouped[:, t] @ product
    return product


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
    u, d, w = (leaf[-1] for leaf in _chain(_blocks(x, jnp.asarray(hop), per_factor)))
    large, small = jnp.maximum(d, 0), jnp.minimum(d, 0)
    inner = jnp.exp(-large)[:, None] * u.T + jnp.exp(small)[:, None] * w
    return jnp.sum(large) + log_abs_det(inner)


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
    blocks = _blocks(x, jnp.asarray(hop), per_factor)
    both = jnp.stack([blocks, jnp.swapaxes(blocks, 1, 2)[::-1]])
    u, d, w = jax.vmap(_chain)(both)
    # Border b has blocks 1..b before it, and the rest after it.
    (u0, u1), (d0, d1), (w0, w1) = ((leaf[0], leaf[1][::-1]) for leaf in (u, d, w))
    large0, large1 = jnp.maximum(d0, 0), jnp.maximum(d1, 0)
    small0, small1 = jnp.minimum(d0, 0), jnp.minimum(d1, 0)
    right = jnp.exp(-large0)[:, :, None] * jnp.swapaxes(u0, 1, 2)
    left = u1 * jnp.exp(-large1)[:, None, :]
    ahead = jnp.exp(small0)[:, :, None] * w0
    behind = jnp.swapaxes(w1, 1, 2) * jnp.exp(small1)[:, None, :]
    inner = right @ left + ahead @ behind
    log_det = jnp.sum(large0[-1]) + log_abs_det(inner[-1])
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
    steps = jnp.exp(x).reshape(-1, per_factor, x.shape[1])
    inverse = np.linalg.inv(hop)
    green, out = green[:-1], []
    for t in range(per_factor):
        out.append(1 - jnp.diagonal(green, axis1=1, axis2=2))
        field = steps[:, t]
        moved = field[:, :, None] * green / field[:, None, :]
        green = jnp.asarray(hop) @ moved @ inverse
    return parts.log_det, jnp.stack(out, axis=1).reshape(x.shape)


def _backward(per_factor: int, gradient: Array, cotangent: Array) -> tuple:
    return cotangent * gradient, None


log_det_chain.defvjp(_forward, _backward)

"""The fermion matrix of the Hubbard model on space-time, for small systems.

M[x] of eq. 50 is of size N_t N_x. Larger systems take `determinant`, which needs the
space's size only, and so do those whose hopping is steep: e^h as one matrix has no
digits of its small eigenvalues then.
"""

import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array
from sesamo_jax.targets.hubbard.factorize import inverse, log_abs_det


def require_float64(x: Array) -> None:
    """Raise TypeError unless a field has the digits that its determinant needs."""
    if x.dtype != jnp.float64:
        raise TypeError(
            f"the fermion determinant needs a float64 field, got {x.dtype}: set "
            "jax_enable_x64 and pass float64 arrays"
        )


def fermion_matrix(x: Array, hop: np.ndarray) -> tuple[Array, Array]:
    """Return M[x] of eq. 50 on space-time with scaled columns, and the scale's log.

    det M[x] = det(scaled) exp(log_scale). Column (t, j) holds a 1 and multiples of
    e^{x_tj}; divided by e^{max(x_tj, 0)} no entry exceeds those of e^h, so that fields
    far from the modes, as early training makes them, cannot overflow.

    Args:
        x: auxiliary field, (N_t, N_x), float64.
        hop: e^h, (N_x, N_x).

    Raises:
        TypeError: if x is not float64.
    """
    require_float64(x)
    slices, sites = x.shape
    step = -np.eye(slices, k=-1)
    step[0, -1] += 1.0  # antiperiodic, and the plus sign of a single slice
    positive = jnp.maximum(x, 0.0)
    blocks = jnp.einsum("st,ij,tj->sitj", step, hop, jnp.exp(x - positive))
    scaled = jnp.diag(jnp.exp(-positive).ravel()) + blocks.reshape(x.size, x.size)
    return scaled, jnp.sum(positive)


def fermion_log_det(x: Array, hop: np.ndarray) -> Array:
    """Return log|det M| of a field, (N_t, N_x).

    At half filling on a bipartite graph det M[-x] = e^{-sum x} det M[x], so the two
    determinants of the action have one sign and their product is positive.
    """
    scaled, log_scale = fermion_matrix(x, hop)
    return log_abs_det(scaled) + log_scale


def space_time_green_functions(x: Array, hop: np.ndarray) -> tuple[Array, Array]:
    """Return <a_i a_j^+> at equal times and <a_i(t) a_j^+(0)>, (N_t + 1, N_x, N_x).

    Blocks of M^{-1}, at t = 0, ..., N_t just after the hopping of slice t.

    Args:
        x: auxiliary field, (N_t, N_x), float64.
        hop: e^h, (N_x, N_x).
    """
    slices, sites = x.shape
    scaled, _ = fermion_matrix(x, hop)
    green = inverse(scaled).reshape(slices, sites, slices, sites)
    green = jnp.exp(-jnp.maximum(x, 0.0))[:, :, None, None] * green
    times = np.arange(slices)
    equal, ahead = green[times, :, times], green[:, :, 0]
    around = jnp.eye(sites) - equal[:1]  # once around time
    return jnp.concatenate([equal, equal[:1]]), jnp.concatenate([ahead, around])

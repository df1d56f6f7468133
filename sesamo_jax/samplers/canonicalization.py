"""Canonicalization, the baseline: C maps a base sample into the cell (eqs. 7-10).

z -> z_c = C z in Omega -> y = g(z_c) -> x = C^-1 y, with the sector of z kept
explicitly between C and its inverse. For an invariant base density the sector is
uniform and independent of z_c, so the model is an `exact` modulation of a flow whose
base C maps into Omega, and its density follows the same accounting.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, FiniteSymmetry

# In units of the rounding of |z|: more than what a flow's inverse loses.
BORDER_WIDTH = 64
DIRECTIONS = 32


def canonicalize(symmetry: FiniteSymmetry, z: Array) -> tuple[Array, Array]:
    """Return z_c = C z in Omega and the sector u with z = T_u z_c (eq. 9)."""
    sector = symmetry.sector(z)
    return symmetry.undo(sector, z), sector


def canonical_log_prob(
    symmetry: FiniteSymmetry,
    base_log_prob: Callable[[Array], Array],
    z: Array,
    drawn: Array | bool = False,
) -> Array:
    """Return the log density of z_c = C z' at z: |G| q_0 inside Omega, 0 outside.

    Args:
        symmetry: the group.
        base_log_prob: log q_0, invariant under the group.
        z: one event.
        drawn: whether z is known to be such a z_c, on whatever side rounding puts it.

    Numerics: of the images of a point at a border rounding could put all outside, which
    leaves a hole where the density is finite. So Omega reaches across its border by a
    few units of rounding, and in a strip of that width images count twice.
    """
    nearly = z + _step_inside(symmetry, z)
    inside = (symmetry.sector(z) == 0) | (symmetry.sector(nearly) == 0) | drawn
    return jnp.where(inside, base_log_prob(z) + jnp.log(symmetry.order), -jnp.inf)


def _step_inside(symmetry: FiniteSymmetry, z: Array) -> Array:
    """Return a step of the size of rounding, away from all borders of a convex Omega.

    The mean of any points of a convex cell lies in its interior, here of canonicalized
    noise; where Omega is a cone, as in all groups of `symmetries`, a step in that
    direction leaves no point outside that was inside.
    """
    noise = np.random.default_rng(0).normal(size=(DIRECTIONS, *z.shape))
    points, _ = jax.vmap(lambda x: canonicalize(symmetry, x))(noise.astype(z.dtype))
    centre = jnp.mean(points, axis=0)
    scale = jnp.sqrt(jnp.mean(z**2) / jnp.mean(centre**2))
    return BORDER_WIDTH * jnp.finfo(z.dtype).eps * scale * centre

"""Canonicalization, the baseline: C maps a base sample into the cell (eqs. 7-10).

z -> z_c = C z in Omega -> y = g(z_c) -> x = C^-1 y, with the sector of z kept
explicitly between C and its inverse. For an invariant base density the sector is
uniform and independent of z_c, so the model is an `exact` modulation of a flow whose
base is folded into Omega, and its density follows the same accounting.
"""

from collections.abc import Callable

import jax.numpy as jnp

from sesamo_jax.core import Array, FiniteSymmetry


def canonicalize(symmetry: FiniteSymmetry, z: Array) -> tuple[Array, Array]:
    """Return z_c = C z in Omega and the sector u with z = T_u z_c (eq. 9)."""
    sector = symmetry.sector(z)
    return symmetry.undo(sector, z), sector


def folded_log_prob(
    symmetry: FiniteSymmetry, base_log_prob: Callable[[Array], Array], z: Array
) -> Array:
    """Return the log density of z_c = C z' at z: |G| q_0 inside Omega, 0 outside.

    Args:
        symmetry: the group.
        base_log_prob: log q_0, invariant under the group.
        z: one event.
    """
    inside = symmetry.sector(z) == 0
    return jnp.where(inside, base_log_prob(z) + jnp.log(symmetry.order), -jnp.inf)

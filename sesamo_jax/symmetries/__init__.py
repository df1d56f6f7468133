"""Symmetry groups: T_u, the canonical cell Omega and its margins lambda; and wells."""

from sesamo_jax.symmetries.cyclic import Cyclic
from sesamo_jax.symmetries.finite.chain import Chain, subgroup_chain
from sesamo_jax.symmetries.finite.group import FiniteGroup, finite_group, joined
from sesamo_jax.symmetries.finite.named import (
    alternating,
    dihedral,
    hyperoctahedral,
    icosahedral,
    lattice_moves,
    octahedral,
    particle_permutations,
    rotations,
    symmetric,
    tetrahedral,
)
from sesamo_jax.symmetries.on import ON
from sesamo_jax.symmetries.product import Product, sign_flips
from sesamo_jax.symmetries.trivial import Trivial
from sesamo_jax.symmetries.u1 import U1, AlignedU1
from sesamo_jax.symmetries.wells.maps import Wells, wells_at
from sesamo_jax.symmetries.wells.minima import find_wells
from sesamo_jax.symmetries.z2 import Z2

__all__ = [
    "ON",
    "U1",
    "Z2",
    "AlignedU1",
    "Chain",
    "Cyclic",
    "FiniteGroup",
    "Product",
    "Trivial",
    "Wells",
    "alternating",
    "dihedral",
    "find_wells",
    "finite_group",
    "hyperoctahedral",
    "icosahedral",
    "joined",
    "lattice_moves",
    "octahedral",
    "particle_permutations",
    "rotations",
    "sign_flips",
    "subgroup_chain",
    "symmetric",
    "tetrahedral",
    "wells_at",
]

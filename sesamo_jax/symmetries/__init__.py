"""Symmetry groups: T_u, the canonical cell Omega and its margins lambda."""

from sesamo_jax.symmetries.cyclic import Cyclic
from sesamo_jax.symmetries.product import Product, sign_flips
from sesamo_jax.symmetries.trivial import Trivial
from sesamo_jax.symmetries.u1 import U1, AlignedU1
from sesamo_jax.symmetries.z2 import Z2

__all__ = ["AlignedU1", "Cyclic", "Product", "Trivial", "U1", "Z2", "sign_flips"]

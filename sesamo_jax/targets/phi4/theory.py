"""The O(N) scalar theory on a periodic lattice, which the targets here are names of.

f(x) = sum_j [-c sum_mu x_j . x_{j+mu} + q |x_j|^2 + lambda |x_j|^4 - b . x_j], each
bond counted once; across an extent of 2 there are two. In the paper's convention (eqs.
20, 48, 53) c = 2 kappa and q = 1 - 2 lambda; in the other common one,
sum_j [-2 sum_mu phi_j . phi_{j+mu} + (2 d + m^2) |phi_j|^2 + lambda |phi_j|^4], c = 2,
q = 2 d + m^2 and phi = sqrt(kappa) x; `hopping_from_mass` gives the map.
"""

from math import hypot
from typing import NamedTuple

import jax.numpy as jnp

from sesamo_jax.core import Array, Symmetry, Target
from sesamo_jax.geometry.neighbours import NearestNeighbours
from sesamo_jax.targets.phi4.field import check_field
from sesamo_jax.targets.phi4.observables import derived_observables, field_observables


class Couplings(NamedTuple):
    """The couplings of the action.

    Attributes:
        hopping: c.
        quadratic: q.
        quartic: lambda.
        field: b, one entry per component.
    """

    hopping: float
    quadratic: float
    quartic: float
    field: tuple[float, ...]


def couplings(
    dimensions: int,
    kappa: float,
    lam: float,
    mass2: float | None,
    field: tuple[float, ...],
) -> Couplings:
    """Return the couplings of either convention; that of m^2 where it is given."""
    if mass2 is None:
        return Couplings(2 * kappa, 1 - 2 * lam, lam, field)
    return Couplings(2.0, 2 * dimensions + mass2, lam, field)


def build_theory(
    name: str,
    shape: tuple[int, ...],
    couplings: Couplings,
    symmetry: Symmetry,
    dtype: str,
) -> Target:
    """Return the target of fields (*shape), or (*shape, N) of several components.

    Args:
        name: what reports call it.
        shape: lattice extents.
        couplings: of the action, by which N is known too.
        symmetry: its rotations, or the sign.
        dtype: float32 or float64.

    Raises:
        ValueError: for an action without a lower bound.
    """
    hopping, quadratic, quartic, field = couplings
    components = len(field)
    constant = quadratic - abs(hopping) * len(shape)
    check_field(shape, dtype, hypot(*field), constant, quartic)

    def potential(x: Array) -> Array:
        square = x**2 if components == 1 else (x**2).sum(axis=-1)
        return quadratic * square + quartic * square**2

    lattice = NearestNeighbours(shape, potential, hopping, field)
    return Target(
        name=name,
        event_shape=shape if components == 1 else (*shape, components),
        action=lattice.action,
        symmetry=symmetry,
        dtype=jnp.dtype(dtype),
        observables=field_observables(shape, components, lattice.action),
        derived=derived_observables(shape, components),
        geometry=lattice,
    )


def hopping_from_mass(mass2: float, lam: float, dimensions: int) -> tuple[float, float]:
    """Return (kappa, lambda) of eq. 53 for couplings of the (m^2, lambda) convention.

    With phi = sqrt(kappa) x the terms match if (2 d + m^2) kappa = 1 - 2 lambda_x and
    lambda kappa^2 = lambda_x: a quadratic equation for kappa with one positive root.
    The densities differ by the constant Jacobian, log Z_phi = log Z_x + N V/2 log kappa
    for N components.
    """
    quadratic = 2 * dimensions + mass2
    kappa = (-quadratic + (quadratic**2 + 8 * lam) ** 0.5) / (4 * lam)
    return kappa, lam * kappa**2

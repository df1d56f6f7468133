"""Actions of nearest neighbours: the potential of a site, a coupling, a field.

Where all extents are even, the odd sites are independent given the even ones: see
`samplers.conditionals`, which takes nothing but this record of a target.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from sesamo_jax.core import Array
from sesamo_jax.geometry.lattice import Lattice


@dataclass(frozen=True)
class NearestNeighbours(Lattice):
    """f(x) = sum_j [V(x_j) - b . x_j] - c sum_<jk> x_j . x_k, each bond once.

    Across an extent of 2 there are two bonds between the same sites.

    Attributes:
        extents: of the lattice.
        potential: V, site by site: maps a field, (*extents) or, of several components,
            (*extents, N), to (*extents). It depends on |x_j| alone, and is called with
            arrays of NumPy as with those of JAX.
        coupling: c.
        field: b, one entry per component.
    """

    potential: Callable[[Any], Any]
    coupling: float
    field: tuple[float, ...] = (0.0,)

    def action(self, x: Array) -> Array:
        """Return f of one event, a scalar."""
        components = x.reshape(*self.extents, -1)
        bonds = jnp.sum(components * forward_sum(components, len(self.extents)))
        linear = jnp.sum(components * jnp.asarray(self.field, x.dtype))
        return jnp.sum(self.potential(x)) - self.coupling * bonds - linear


def forward_sum(x: Array, dimensions: int) -> Array:
    """Return sum_mu x_{j+mu} over the forward neighbours, periodic, shape of x.

    Args:
        x: field; its first `dimensions` axes are the lattice.
        dimensions: number of lattice axes.
    """
    ahead = (jnp.roll(x, -1, axis) for axis in range(dimensions))
    return sum(ahead, jnp.zeros_like(x))

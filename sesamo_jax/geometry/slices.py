"""Densities on a slice of the space of configurations."""

from typing import NamedTuple

from sesamo_jax.core import Target


class Slice(NamedTuple):
    """The space of (u, y), whose image under the symmetry a density lives on.

    It is not one on all of x, which has more dimensions (eq. 45).

    Attributes:
        shape: of the y that the symmetry acts on.
    """

    shape: tuple[int, ...]


def shape_before_symmetry(target: Target) -> tuple[int, ...]:
    """Return the shape of the y with x = T_u y."""
    geometry = target.geometry
    return geometry.shape if isinstance(geometry, Slice) else target.event_shape

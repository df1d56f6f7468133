"""Products of symmetries, and the groups (Z2)^N of sign flips."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod
from operator import mul

import jax.numpy as jnp

from sesamo_jax.core import Array, Factor, FiniteSymmetry
from sesamo_jax.symmetries.z2 import Z2


@dataclass(frozen=True)
class Product:
    """Direct product of commuting symmetries, x = T_1 T_2 ... T_n y.

    An element's index counts in mixed radix, the first (outermost) part slowest. The
    cell is the intersection of the parts' cells; for `sector` to find it, no part may
    change the cell condition of a part listed before it. Of finite groups that do,
    `joined` makes one.

    Attributes:
        parts: the symmetries, outermost first.

    Raises:
        ValueError: if there is none.
    """

    parts: tuple[FiniteSymmetry, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("Product: needs at least one symmetry")

    @property
    def order(self) -> int:
        """Product of the parts' orders."""
        return reduce(mul, (part.order for part in self.parts))

    @property
    def broken(self) -> bool:
        """Whether any part is."""
        return any(part.broken for part in self.parts)

    @property
    def factors(self) -> tuple[Factor, ...]:
        """The parts' factors, in order."""
        return tuple(factor for part in self.parts for factor in part.factors)

    def _digits(self, g: Array) -> tuple[Array, ...]:
        return jnp.unravel_index(g, tuple(part.order for part in self.parts))

    def act(self, g: Array, y: Array) -> tuple[Array, Array]:
        """Apply the parts, innermost first."""
        x, log_vol = y, jnp.zeros((), y.dtype)
        for part, digit in zip(self.parts[::-1], self._digits(g)[::-1], strict=True):
            x, added = part.act(digit, x)
            log_vol = log_vol + added
        return x, log_vol

    def undo(self, g: Array, x: Array) -> Array:
        """Undo the parts, outermost first."""
        for part, digit in zip(self.parts, self._digits(g), strict=True):
            x = part.undo(digit, x)
        return x

    def sector(self, x: Array) -> Array:
        """Find and undo one part after the other, outermost first."""
        g = jnp.zeros((), jnp.int32)
        for part in self.parts:
            digit = part.sector(x)
            x = part.undo(digit, x)
            g = g * part.order + digit
        return g

    def margins(self, y: Array) -> Array:
        """Return the margins of all parts, one after the other."""
        return jnp.concatenate([part.margins(y) for part in self.parts])


def sign_flips(
    event_shape: tuple[int, ...],
    blocks: Sequence[Sequence[int]],
    exact_global_flip: bool = False,
) -> Product:
    """Return (Z2)^N: the sign of each of N disjoint blocks of components flips.

    The cell is the orthant in which every block's sum is positive.

    Args:
        event_shape: shape of one configuration.
        blocks: N disjoint lists of flat indices, together all components.
        exact_global_flip: write the group as (global flip, exact) x (flips of the
            first N - 1 blocks, broken), as the Hubbard action has it; else all N
            flips are broken.

    Raises:
        ValueError: if the blocks overlap or leave components out.
    """
    indices = [index for block in blocks for index in block]
    if sorted(indices) != list(range(prod(event_shape))):
        raise ValueError(
            f"sign_flips: blocks {blocks} must hold each flat index of an event of "
            f"shape {event_shape} exactly once"
        )
    flips = [Z2(event_shape, tuple(block), broken=True) for block in blocks]
    if not exact_global_flip:
        return Product(tuple(flips))
    everything = Z2(event_shape, tuple(sorted(indices)), cell=tuple(blocks[-1]))
    return Product((everything, *flips[:-1]))

"""Sign flips of all, or of chosen, components."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Factor


@dataclass(frozen=True)
class Z2:
    """The group {1, T} with T flipping the sign of chosen components (eqs. 6, 36).

    The cell is the half space where the sum of the `cell` components is positive,
    lambda(x) = -sum (eq. 38).

    Attributes:
        event_shape: shape of one configuration.
        flips: flat indices of the components that T flips; None means all.
        cell: flat indices, a subset of `flips`, whose sum defines the cell; None
            means all of `flips`.
        broken: whether the action changes under T.

    Raises:
        ValueError: if an index is out of range, or `cell` is not within `flips`.
    """

    event_shape: tuple[int, ...]
    flips: tuple[int, ...] | None = None
    cell: tuple[int, ...] | None = None
    broken: bool = False

    def __post_init__(self) -> None:
        size, flips = prod(self.event_shape), self._flips()
        if not flips or not all(index in range(size) for index in self.flips or ()):
            raise ValueError(
                f"Z2: flips={self.flips} must be flat indices in 0..{size - 1} "
                f"of an event of shape {self.event_shape}"
            )
        cell = self.cell
        if cell is not None and not (cell and set(cell) <= set(flips)):
            raise ValueError(f"Z2: cell={cell} must be some of flips={self.flips}")

    def _flips(self) -> Sequence[int]:
        return range(prod(self.event_shape)) if self.flips is None else self.flips

    def _cell(self) -> Sequence[int]:
        return self._flips() if self.cell is None else self.cell

    def _mask(self, indices: Sequence[int]) -> np.ndarray:
        mask = np.zeros(prod(self.event_shape), bool)
        mask[list(indices)] = True
        return mask.reshape(self.event_shape)

    @property
    def order(self) -> int:
        """Number of elements."""
        return 2

    @property
    def factors(self) -> tuple[Factor, ...]:
        """One factor of order two."""
        return (Factor(2, self.broken),)

    def on_shape(self, event_shape: tuple[int, ...]) -> "Z2 | None":
        """Return the flip of all components of such events; None if it is of some."""
        if self.flips is not None or self.cell is not None:
            return None
        return Z2(event_shape, broken=self.broken)

    def act(self, g: Array, y: Array) -> tuple[Array, Array]:
        """Flip the sign if g = 1."""
        flip = self._mask(self._flips()) & (jnp.asarray(g) == 1)
        return jnp.where(flip, -y, y), jnp.zeros((), y.dtype)

    def undo(self, g: Array, x: Array) -> Array:
        """T is its own inverse."""
        return self.act(g, x)[0]

    def sector(self, x: Array) -> Array:
        """Return 1 where the cell sum is negative."""
        return (self.margins(x)[0] > 0).astype(jnp.int32)

    def margins(self, y: Array) -> Array:
        """Return lambda(y) = -sum over the cell's components, shape (1,)."""
        return -jnp.sum(y, where=self._mask(self._cell()))[None]

"""Rotations of a two-dimensional vector by multiples of 2 pi / M."""

from dataclasses import dataclass
from math import cos, pi, sin, tan

import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Factor

BORDERS = ("true", "eq35")


@dataclass(frozen=True)
class Cyclic:
    """Z_M acting on R^2 by rotations through 2 pi u / M (eq. 33).

    The cell is the sector |angle| < pi / M around the first axis. Its true borders
    give the margins -sin(pi/M) x1 +- cos(pi/M) x2, the signed distances to the two
    rays. The paper's eq. 35, `borders="eq35"`, vanishes on other rays (at 39.6 instead
    of 22.5 degrees for M = 8), so it overlaps its neighbours; it exists to reproduce
    the paper's penalty.

    Attributes:
        rotations: M, at least 2.
        broken: whether the action changes under the rotations.
        borders: `true` or `eq35`.

    Raises:
        ValueError: for M < 2 or unknown borders.
    """

    rotations: int
    broken: bool = False
    borders: str = "true"

    def __post_init__(self) -> None:
        if self.rotations < 2:
            raise ValueError(f"Cyclic: rotations={self.rotations} must be at least 2")
        if self.borders not in BORDERS:
            raise ValueError(f"Cyclic: borders={self.borders!r}; known: {BORDERS}")

    @property
    def order(self) -> int:
        """Number of rotations M."""
        return self.rotations

    @property
    def factors(self) -> tuple[Factor, ...]:
        """One factor of order M."""
        return (Factor(self.rotations, self.broken),)

    def _rotate(self, turns: Array, v: Array) -> Array:
        # A table of the M angles, rather than cos(2 pi g / M) of a traced float,
        # keeps T_0 the exact identity.
        angles = 2 * np.pi * np.arange(self.rotations) / self.rotations
        cos = jnp.asarray(np.cos(angles), v.dtype)[turns]
        sin = jnp.asarray(np.sin(angles), v.dtype)[turns]
        return jnp.stack([cos * v[0] - sin * v[1], sin * v[0] + cos * v[1]])

    def act(self, g: Array, y: Array) -> tuple[Array, Array]:
        """Rotate by 2 pi g / M."""
        return self._rotate(jnp.asarray(g), y), jnp.zeros((), y.dtype)

    def undo(self, g: Array, x: Array) -> Array:
        """Rotate back."""
        return self._rotate(-jnp.asarray(g) % self.rotations, x)

    def sector(self, x: Array) -> Array:
        """Return the number of the nearest ray."""
        turns = jnp.arctan2(x[1], x[0]) * self.rotations / (2 * np.pi)
        return jnp.round(turns).astype(jnp.int32) % self.rotations

    def margins(self, y: Array) -> Array:
        """Return lambda_-, lambda_+ (eqs. 34, 35), shape (2,)."""
        half = pi / self.rotations
        if self.borders == "eq35":
            along, across = tan(half), 1 / (1 + tan(half)) ** 2
        else:
            along, across = sin(half), cos(half)
        sides = np.array([-across, across])
        return -along * y[0] + jnp.asarray(sides, y.dtype) * y[1]

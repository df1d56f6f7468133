"""The group of one element, for models without modulation."""

from dataclasses import dataclass

import jax.numpy as jnp

from sesamo_jax.core import Array, Factor


@dataclass(frozen=True)
class Trivial:
    """{1}: the cell is all of space, and there is no border to leak across."""

    @property
    def order(self) -> int:
        """Number of elements."""
        return 1

    @property
    def broken(self) -> bool:
        """Nothing is invariant under less."""
        return False

    @property
    def factors(self) -> tuple[Factor, ...]:
        """One factor of order one."""
        return (Factor(1, False),)

    def act(self, g: Array, y: Array) -> tuple[Array, Array]:
        """Return y."""
        return y, jnp.zeros((), y.dtype)

    def undo(self, g: Array, x: Array) -> Array:
        """Return x."""
        return x

    def sector(self, x: Array) -> Array:
        """Return 0."""
        return jnp.zeros((), jnp.int32)

    def margins(self, y: Array) -> Array:
        """Return no margins, shape (0,)."""
        return jnp.zeros((0,), y.dtype)

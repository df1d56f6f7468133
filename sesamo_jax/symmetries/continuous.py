"""What continuous groups that turn all sites of a field alike share."""

from typing import Self

from sesamo_jax.core import Array, Factor


class GlobalRotations:
    """No list of elements, one way to every x, and fields of any number of sites."""

    @property
    def order(self) -> None:
        """A continuous group has no number of elements."""
        return

    @property
    def factors(self) -> tuple[Factor, ...]:
        """None of finite order."""
        return ()

    def on_shape(self, event_shape: tuple[int, ...]) -> Self:
        """Return itself: rotations turn any number of sites."""
        return self

    def sector(self, x: Array) -> Array:
        """Return the g with T_g^-1 x on the slice."""
        raise NotImplementedError

    def ways(self, x: Array) -> Array:
        """Return the g of all ways to reach x as T_g y, here one, (1, *element)."""
        return self.sector(x)[None]

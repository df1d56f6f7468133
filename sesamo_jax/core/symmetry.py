"""What a symmetry of configurations is, as a protocol; see `symmetries` for groups."""

from typing import NamedTuple, Protocol, cast, runtime_checkable

from sesamo_jax.core.types import Array


class Factor(NamedTuple):
    """One direct factor of a finite group: its order, and whether f breaks it."""

    order: int
    broken: bool


class Symmetry(Protocol):
    """A group acting on configurations, with a canonical cell or slice Omega.

    Every x is T_g y for exactly one g and y in Omega (up to a set of measure zero).
    Elements of a finite group are integers 0 .. order - 1, element 0 is the identity;
    those of a continuous one are what its `act` takes.
    """

    @property
    def order(self) -> int | None:
        """Number of elements |G|; None for a continuous group."""
        ...

    @property
    def broken(self) -> bool:
        """Whether the action changes under the group."""
        ...

    @property
    def factors(self) -> tuple[Factor, ...]:
        """Direct factors in the order of the mixed-radix index of an element."""
        ...

    def act(self, g: Array, y: Array) -> tuple[Array, Array]:
        """Return x = T_g y and the log volume factor of y -> x (0 for isometries)."""
        ...

    def undo(self, g: Array, x: Array) -> Array:
        """Return y = T_g^-1 x."""
        ...

    def sector(self, x: Array) -> Array:
        """Return the g with T_g^-1 x in Omega, int32 for a finite group."""
        ...

    def margins(self, y: Array) -> Array:
        """Return lambda(y) (eq. 11), one entry per border: < 0 inside, 0 on it.

        The penalty's borders; what leaves a finite group's cell, `sector` decides.
        """
        ...


class FiniteSymmetry(Symmetry, Protocol):
    """A symmetry whose elements can be listed."""

    @property
    def order(self) -> int:
        """Number of elements |G|."""
        ...


@runtime_checkable
class ContinuousSymmetry(Symmetry, Protocol):
    """A symmetry that acts freely on slices of the same space."""

    def ways(self, x: Array) -> Array:
        """Return the elements of all ways to reach x as T_g y, along the first axis."""
        ...

    def agree(self, ways: Array, g: Array) -> Array:
        """Return which of these ways are those of g, truth values (ways,)."""
        ...


@runtime_checkable
class SitewiseSymmetry(Symmetry, Protocol):
    """A symmetry that does the same at every site of a field."""

    def on_shape(self, event_shape: tuple[int, ...]) -> Symmetry | None:
        """Return it for fields on other sites; None where it singles some out."""
        ...


def as_finite(symmetry: Symmetry) -> FiniteSymmetry:
    """Return the symmetry, now known to be finite.

    Raises:
        TypeError: if it is not.
    """
    if symmetry.order is None:
        raise TypeError(f"{symmetry} is continuous: its elements cannot be listed")
    return cast(FiniteSymmetry, symmetry)

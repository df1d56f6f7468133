"""Global rotations of a field of N components, and the slice they act freely on."""

from dataclasses import dataclass

import jax.numpy as jnp

from sesamo_jax.core import Array
from sesamo_jax.geometry.sphere import COMPONENTS, polar, turn
from sesamo_jax.symmetries.continuous import GlobalRotations


@dataclass(frozen=True)
class ON(GlobalRotations):
    """x = R(omega) y for fields of shape (*lattice, N): O(N) by directions omega.

    Elements are unit vectors omega in S^{N-1}, R(omega) one rotation that takes the
    first axis to omega. The slice takes the place of the cell: M = sum_j y_j / sqrt(V)
    has the direction of the first axis, m = M_1 > 0. Every x with a non-zero sum is
    R(omega) y for one omega, that of its M, and one y on the slice. With orthonormal
    coordinates there the volume element is d^{N V} x = m^{N-1} dy domega: d^N M in
    spherical coordinates, everything else is turned. N = 2 is U(1), with directions in
    place of angles.

    Attributes:
        components: N, 2 to 4.
        broken: whether the action changes under rotations.
        linear: whether it does so by a linear term at most, so that f(R(omega) y) is
            a - b . omega; then the heat bath is a von Mises-Fisher density. A wrong
            claim costs efficiency, not correctness.

    Raises:
        ValueError: for other N.
    """

    components: int
    broken: bool = False
    linear: bool = False

    def __post_init__(self) -> None:
        if self.components not in COMPONENTS:
            raise ValueError(
                f"ON(components={self.components!r}) must have 2, 3 or 4 components: "
                "of a field of one component use Z2"
            )

    def act(self, g: Array, y: Array) -> tuple[Array, Array]:
        """Return R(g) y and (N - 1) log m."""
        m = jnp.abs(self._zero_mode(y)[0])
        return turn(g, y), (self.components - 1) * jnp.log(m)

    def undo(self, g: Array, x: Array) -> Array:
        """Return R(g)^-1 x."""
        return turn(g, x, back=True)

    def sector(self, x: Array) -> Array:
        """Return the direction of sum_j x_j, (N,); the first axis where that is 0."""
        return polar(self._zero_mode(x))[1]

    def agree(self, ways: Array, g: Array) -> Array:
        """Return which ways are those of g, (ways,)."""
        return ways @ g > 0

    def margins(self, y: Array) -> Array:
        """Return -m, shape (1,)."""
        return -self._zero_mode(y)[:1]

    def _zero_mode(self, x: Array) -> Array:
        vectors = x.reshape(-1, self.components)
        return jnp.sum(vectors, axis=0) / len(vectors) ** 0.5

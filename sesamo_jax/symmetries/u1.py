"""Global phase rotations of a complex field, and the slice they act freely on."""

from dataclasses import dataclass
from math import pi

import jax.numpy as jnp

from sesamo_jax.core import Array
from sesamo_jax.symmetries.continuous import GlobalRotations


@dataclass(frozen=True)
class U1(GlobalRotations):
    """x = e^{i theta} y for fields of shape (*lattice, 2), real and imaginary part.

    Elements are angles theta in [0, 2 pi). The slice takes the place of the cell:
    Im sum_j y_j = 0 and m = Re sum_j y_j / sqrt(N) > 0. Every x with a non-zero sum is
    e^{i theta} y for one theta and one y on it, and with orthonormal coordinates on the
    slice the volume element is d^{2N} x = m dy dtheta, since a rotation by dtheta moves
    x by m dtheta in the one direction that the slice leaves out.

    Attributes:
        broken: whether the action changes under rotations.
        linear: whether it does so by a linear term at most, so that f(e^{i theta} y) is
            a + b cos(theta - theta_0); then the heat bath is a von Mises density. A
            wrong claim costs efficiency, not correctness.
    """

    broken: bool = False
    linear: bool = False

    def act(self, g: Array, y: Array) -> tuple[Array, Array]:
        """Return e^{i g} y and log m."""
        return self._rotate(g, y), jnp.log(jnp.abs(self._zero_mode(y)[0]))

    def undo(self, g: Array, x: Array) -> Array:
        """Return e^{-i g} x."""
        return self._rotate(-g, x)

    def sector(self, x: Array) -> Array:
        """Return the angle of sum_j x_j in [0, 2 pi)."""
        real, imaginary = self._zero_mode(x)
        return jnp.arctan2(imaginary, real) % (2 * pi)

    def agree(self, ways: Array, g: Array) -> Array:
        """Return which ways are those of g, (ways,)."""
        return jnp.cos(ways - g) > 0

    def margins(self, y: Array) -> Array:
        """Return -m, shape (1,)."""
        return -self._zero_mode(y)[:1]

    def _zero_mode(self, x: Array) -> Array:
        sites = x.size // 2
        return jnp.sum(x.reshape(sites, 2), axis=0) / sites**0.5

    def _rotate(self, angle: Array, x: Array) -> Array:
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        real, imaginary = x[..., 0], x[..., 1]
        return jnp.stack(
            [cos * real - sin * imaginary, sin * real + cos * imaginary], axis=-1
        )


@dataclass(frozen=True)
class AlignedU1(U1):
    """Eq. 45 of the paper: x = e^{i theta} r with a *real* field r of shape (*lattice).

    The samples fill a set of N + 1 dimensions in the 2 N of the complex theory, and the
    density is one in (r, theta), without a volume factor: this is not the complex
    theory but a real one with a spectator angle. For comparison with the paper only.
    """

    def act(self, g: Array, y: Array) -> tuple[Array, Array]:
        """Return e^{i g} y, (*lattice, 2), and 0."""
        return jnp.stack([jnp.cos(g) * y, jnp.sin(g) * y], axis=-1), jnp.zeros(())

    def undo(self, g: Array, x: Array) -> Array:
        """Return Re e^{-i g} x, (*lattice)."""
        return jnp.cos(g) * x[..., 0] + jnp.sin(g) * x[..., 1]

    def ways(self, x: Array) -> Array:
        """Return the g of r and of -r, half a turn apart, shape (2,)."""
        g = self.sector(x)
        return jnp.stack([g, (g + pi) % (2 * pi)])

    def margins(self, y: Array) -> Array:
        """Return -sum y, shape (1,): r and -r are the same field, half a turn apart."""
        return -jnp.sum(y)[None]

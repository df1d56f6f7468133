"""The heat bath on the sphere in closed form, for actions linear in the direction."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Key
from sesamo_jax.geometry.sphere import log_mean_exp_on_sphere, polar, turn
from sesamo_jax.modulation.sphere.law import SphereLaw


class VonMisesFisherLaw(SphereLaw):
    """p_S(omega | y) = exp(-f(R(omega) y)) over its integral, by N + 1 values of f.

    For f(R(omega) y) = a - b . omega, as with a linear breaking term, this is the von
    Mises-Fisher density of concentration kappa = |b| around b / kappa. The weight of a
    sample then does not depend on its direction. For any other action it is still a
    density, if not the target's.

    Attributes:
        action: f of the target.
    """

    action: Callable[[Array], Array]

    @property
    def evaluations(self) -> int:
        """Number of evaluations of f that the density at a direction takes."""
        return self.symmetry.components + 1

    def _concentration(self, y: Array) -> Array:
        """Return b, (N,), from f at the corners of a simplex, differences first."""
        corners = jnp.asarray(_simplex(self.symmetry.components), y.dtype)
        f = jax.vmap(lambda g: self.action(self.symmetry.act(g, y)[0]))(corners)
        share = self.symmetry.components / len(corners)
        return -share * ((f - f[0]) @ corners)

    def log_prob(self, direction: Array, y: Array) -> Array:
        """Return log p_S(omega | y).

        Numerics: kappa is a norm, whose derivative at 0 does not exist, but that of the
        logarithm of the integral is 0 there, as that of `polar` is.
        """
        b = self._concentration(y)
        kappa, _ = polar(b)
        log_mean = log_mean_exp_on_sphere(kappa, self.symmetry.components)
        return jnp.dot(b, direction) - kappa - log_mean - self.log_surface

    def draw(self, key: Key, y: Array) -> Array:
        """Return a direction drawn given y."""
        # Reverse mode cannot pass the loop of a rejection sampler.
        return draw_von_mises_fisher(key, jax.lax.stop_gradient(self._concentration(y)))


def _simplex(dimensions: int) -> np.ndarray:
    """Return the corners of a regular simplex on the unit sphere, (N + 1, N)."""
    corners = np.zeros((dimensions + 1, dimensions))
    for row in range(dimensions):
        corners[row, row] = np.sqrt(1 - np.sum(corners[row, :row] ** 2))
        for later in range(row + 1, dimensions + 1):
            overlap = corners[row, :row] @ corners[later, :row]
            corners[later, row] = (-1 / dimensions - overlap) / corners[row, row]
    return corners


def draw_von_mises_fisher(key: Key, b: Array) -> Array:
    """Return a unit vector with density proportional to exp(b . omega) on the sphere.

    Rejection of the cosine (Wood 1994, doi:10.1080/03610919408813161).

    Args:
        key: random key.
        b: concentration times mean direction, (N,).

    Numerics: everything is in terms of the gap 1 - cos, which is small at large
    concentrations and then has all of its digits. A not-a-number is accepted, or the
    loop would never end.
    """
    dimensions = b.size - 1
    kappa, mean = polar(b)
    beta = dimensions / (2 * kappa + jnp.sqrt(4 * kappa**2 + dimensions**2))
    centre = 2 * beta / (1 + beta)
    gap_key, turn_key = jax.random.split(key)

    def propose(state: tuple[Key, Array, Array]) -> tuple[Key, Array, Array]:
        key, normal_key, accept_key = jax.random.split(state[0], 3)
        squares = jax.random.normal(normal_key, (2, dimensions), b.dtype) ** 2
        first, second = jnp.sum(squares, axis=1)
        z = first / (first + second)  # Beta(dimensions / 2, dimensions / 2)
        gap = 2 * beta * z / (1 - (1 - beta) * z)
        ratio = (centre + gap - centre * gap) / (centre * (2 - centre))
        log_ratio = kappa * (centre - gap) + dimensions * jnp.log(ratio)
        level = jax.random.uniform(accept_key, (), b.dtype)
        return key, gap, ~(jnp.exp(log_ratio) < level)

    start = gap_key, jnp.zeros_like(kappa), jnp.zeros((), bool)
    gap = jax.lax.while_loop(lambda state: ~state[2], propose, start)[1]
    _, around = polar(jax.random.normal(turn_key, (dimensions,), b.dtype))
    from_pole = jnp.concatenate([(1 - gap)[None], jnp.sqrt(gap * (2 - gap)) * around])
    return turn(mean, from_pole)

"""The heat bath on the circle in closed form, for actions of one harmonic."""

from collections.abc import Callable
from math import log, pi, sqrt

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import i0e

from sesamo_jax.core import Array, Key
from sesamo_jax.modulation.continuous import ContinuousLaw


class VonMisesLaw(ContinuousLaw):
    """p_S(theta | y) = exp(-f(e^{i theta} y)) over its integral, by three values of f.

    For f(e^{i theta} y) = a + c cos theta + s sin theta, as with a linear breaking
    term, this is the von Mises density exp(kappa cos(theta - theta_0)) / (2 pi
    I_0(kappa)) with kappa = |(c, s)|. The weight of a sample then does not depend on
    its angle. For any other action it is still a density, if not the target's.

    Attributes:
        action: f of the target.
    """

    action: Callable[[Array], Array]

    @property
    def evaluations(self) -> int:
        """Number of evaluations of f that the density at an angle takes."""
        return 3

    def _harmonic(self, y: Array) -> tuple[Array, Array]:
        """Return c and s from f at 0 and +-2 pi / 3, differences before all else."""
        angles = jnp.asarray(2 * np.pi / 3 * np.arange(3), y.dtype)
        f = jax.vmap(lambda g: self.action(self.symmetry.act(g, y)[0]))(angles)
        return ((f[0] - f[1]) + (f[0] - f[2])) / 3, (f[1] - f[2]) / sqrt(3)

    def log_prob(self, angle: Array, y: Array) -> Array:
        """Return log p_S(angle | y).

        Numerics: log I_0 = kappa + log i0e(kappa) does not overflow. kappa is a norm,
        whose derivative at 0 does not exist, but that of log I_0(kappa) is 0.
        """
        c, s = self._harmonic(y)
        square = c**2 + s**2
        kappa = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
        exponent = -c * jnp.cos(angle) - s * jnp.sin(angle) - kappa
        return exponent - jnp.log(i0e(kappa)) - log(2 * pi)

    def draw(self, key: Key, y: Array) -> Array:
        """Return an angle drawn given y."""
        # Reverse mode cannot pass the loop of a rejection sampler.
        c, s = jax.lax.stop_gradient(self._harmonic(y))
        return (jnp.arctan2(-s, -c) + draw_von_mises(key, jnp.hypot(c, s))) % (2 * pi)


def draw_von_mises(key: Key, kappa: Array) -> Array:
    """Return an angle in [-pi, pi] with density proportional to exp(kappa cos(angle)).

    Rejection from a wrapped Cauchy density (Best and Fisher 1979); at least 65 % of the
    proposals are accepted.

    Args:
        key: random key.
        kappa: concentration >= 0, a scalar.

    Numerics: in terms of half the angle, whose tangent is t tan(turn) for a uniform
    turn, no term cancels for any kappa. A not-a-number is accepted, or the loop would
    never end.
    """
    # distrax.VonMises draws the cosine of the angle. In float32 at kappa = 1,000 that
    # leaves one sample in 120 at exactly 0; its log_prob overflows from kappa = 89.
    root = jnp.sqrt(1 + 4 * kappa**2)
    q = (1 + root) / 2
    t = jnp.sqrt(q) / (q + kappa)
    gap = (1 + 1 / (root + 2 * kappa)) / 2  # q - kappa

    def propose(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        key, angle_key, accept_key = jax.random.split(state[0], 3)
        turn = jax.random.uniform(angle_key, (), kappa.dtype, -pi / 2, pi / 2)
        half = jnp.arctan2(t * jnp.sin(turn), jnp.cos(turn))
        excess = gap + 2 * kappa * jnp.sin(half) ** 2
        level = jax.random.uniform(accept_key, (), kappa.dtype)
        return key, 2 * half, ~(excess * jnp.exp(1 - excess) < level)

    start = key, jnp.zeros_like(kappa), jnp.zeros((), bool)
    return jax.lax.while_loop(lambda state: ~state[2], propose, start)[1]

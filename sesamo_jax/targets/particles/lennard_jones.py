"""Lennard-Jones particles in a harmonic trap (Koehler, Klein, Noe 2020, 7.1).

u_2(d) = epsilon ((r_m / d)^12 - 2 (r_m / d)^6), and to u is added
k/2 sum_i |x_i - mean|^2, without which the particles would evaporate. The paper's
energies of 13 particles, the lowest -83.09, are those of `pairs=twice` and k = 1.

Below r_m / 2 a pair's energy goes on as a straight line, from 3968 epsilon to 52352
epsilon where particles coincide. Action and gradient are finite there, and the density
is the same in all digits at temperatures below 100 epsilon.
"""

from dataclasses import dataclass

import jax.numpy as jnp

from sesamo_jax.core import Array, Exact, Target
from sesamo_jax.core.bounds import check_fields, choice, positive, size
from sesamo_jax.targets.particles.system import (
    ALONE,
    MOST_PARTICLES,
    PAIRS,
    ParticleSystem,
)

CORE = 0.5  # of r_m


@dataclass(frozen=True)
class LennardJones(ParticleSystem):
    """Configuration of the system.

    Attributes:
        epsilon: depth of the energy of a pair.
        radius: r_m, the distance where it is lowest.
        oscillator: k of the trap.
    """

    particles: int = size(13, least=2, most=MOST_PARTICLES, why=ALONE)
    dimension: int = size(3, most=100)
    pairs: str = choice("twice", PAIRS)
    epsilon: float = positive(1.0)
    radius: float = positive(1.0)
    oscillator: float = positive(1.0)

    def pair_energy(self, d: Array) -> Array:
        """Return u_2 at distances d."""
        core = CORE * self.radius
        sixth = (self.radius / jnp.maximum(d, core)) ** 6
        slope = -12 / CORE * (CORE**-12 - CORE**-6) / self.radius
        energy = sixth**2 - 2 * sixth + slope * jnp.minimum(d - core, 0)
        return self.epsilon * energy

    def build(self, name: str = "lj13") -> Target:
        """Return the target, of events (N - 1, D).

        Raises:
            ValueError: for a field out of its range, or float32 at a temperature that
                needs float64.
        """
        check_fields(self, "target")
        self._check(name, self.epsilon, "target.epsilon")

        def trap(y: Array) -> Array:
            return self.oscillator / 2 * jnp.sum(y**2)

        return self._target(
            name,
            lambda y: self._pair_sum(self.pair_energy, y) + trap(y),
            {"trap_energy": trap},
            Exact(),
        )

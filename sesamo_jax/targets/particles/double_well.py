"""Particles whose pairs have two preferred distances (Koehler, Klein, Noe 2020, 7.1).

u_2(d) = a (d - d_0) + b (d - d_0)^2 + c (d - d_0)^4. With a = 0, b = -4, c = 0.9 the
wells lie 1.49 to either side of d_0 = 4 and are 4.44 deep. Four particles in the plane
then have five minima, up to rotations, reflections and permutations.
"""

from dataclasses import dataclass
from math import lgamma, log, pi
from typing import Any

import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Exact, Target
from sesamo_jax.core.bounds import bounded, check_fields, positive
from sesamo_jax.geometry.particles import pair_distances
from sesamo_jax.targets.particles.system import PAIRS, ParticleSystem
from sesamo_jax.targets.phi4.field import lowest

NEGLIGIBLE = 60.0  # an action so far above the wells has no mass in float64
PANELS, ORDER = 1000, 12
LARGEST_OFFSET = 1e4  # float32 has steps of 0.001 in x there


@dataclass(frozen=True)
class DoubleWell(ParticleSystem):
    """Configuration of the system.

    Attributes:
        linear: a.
        quadratic: b; the wells need it to be negative.
        quartic: c.
        offset: d_0.
    """

    linear: float = bounded(0.0)
    quadratic: float = bounded(-4.0)
    quartic: float = positive(0.9)
    offset: float = positive(4.0, most=LARGEST_OFFSET)

    def pair_energy(self, d: Any) -> Any:
        """Return u_2 at distances d, an array of JAX or of NumPy."""
        shift = d - self.offset
        square = shift**2
        return self.linear * shift + self.quadratic * square + self.quartic * square**2

    def build(self, name: str = "dw4") -> Target:
        """Return the target, of events (N - 1, D).

        For two particles log Z and means are known by quadrature over the distance.

        Raises:
            ValueError: for a field out of its range, or float32 at a temperature that
                needs float64.
        """
        check_fields(self, "target")
        depth = -lowest(self.linear, self.quadratic, self.quartic)
        self._check(name, depth, "target.linear, target.quadratic, target.quartic")
        return self._target(
            name,
            lambda y: self._pair_sum(self.pair_energy, y),
            {"left_well": self._left_share},
            self._two_particles() if self.particles == 2 else Exact(),
        )

    def _left_share(self, y: Array) -> Array:
        """Return the share of pairs at distances below d_0."""
        return jnp.mean(pair_distances(y) < self.offset, dtype=y.dtype)

    def _two_particles(self) -> Exact:
        """Return what the density p(d) ~ d^(D-1) exp(-f(d)) of the distance gives.

        y = (x_1 - x_2) / sqrt(2), so d^D y = |S^(D-1)| d^(D-1) dd / 2^(D/2).
        """
        nodes, weights = self._distance_nodes()
        energies = PAIRS[self.pairs] * self.pair_energy(nodes)
        log_mass = (self.dimension - 1) * np.log(nodes) - energies / self.temperature
        mass = weights * np.exp(log_mass - log_mass.max())
        p = mass / mass.sum()
        half = self.dimension / 2
        log_sphere = log(2) + half * log(pi) - lgamma(half)
        log_z = log(mass.sum()) + log_mass.max() + log_sphere - half * log(2)
        return Exact(
            log_z=float(log_z),
            observables={
                "energy": float(p @ energies),
                "distance": float(p @ nodes),
                "left_well": float(p @ (nodes < self.offset)),
            },
            source="quadrature over the distance",
        )

    def _distance_nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return Gauss-Legendre nodes and weights on either side of d_0.

        Beyond the last, half of c s^4 outweighs b s^2, a quarter a s and the volume
        d^(D-1), which grows by less than exp((D-1) s / d_0), and the last quarter the
        largest action that counts. So it is below the first, if that is not 0.
        """
        c, unit = self.quartic, self.temperature / PAIRS[self.pairs]
        linear = abs(self.linear) + (self.dimension - 1) * unit / self.offset
        farthest = max(
            (2 * abs(self.quadratic) / c) ** 0.5,
            (4 * linear / c) ** (1 / 3),
            (4 * NEGLIGIBLE * unit / c) ** 0.25,
        )
        nearest = max(0.0, self.offset - farthest)
        below = np.linspace(nearest, self.offset, PANELS + 1)
        above = np.linspace(self.offset, self.offset + farthest, PANELS + 1)
        edges = np.concatenate([below, above[1:]])
        points, weights = np.polynomial.legendre.leggauss(ORDER)
        half = np.diff(edges)[:, None] / 2
        nodes = edges[:-1, None] + half * (1 + points)
        return nodes.ravel(), (half * weights).ravel()

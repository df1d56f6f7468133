"""What systems of identical particles share: their target, observables, checks.

f(y) = u(x) / temperature on the space without the centre of mass, in the coordinates
of `particles`. In u a pair counts `once`, u = sum_{i<j} u_2(d_ij), or `twice`, as the
sum over i != j that has no factor 1/2: codes for the same system differ in it, and with
it in everything that is measured (Koehler, Klein, Noe 2020, who print the first and
have the energies of the second for Lennard-Jones particles).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import DTYPES, Array, Exact, Target, require_precision
from sesamo_jax.core.bounds import choice, positive, size
from sesamo_jax.geometry.particles import Particles, pair_distances
from sesamo_jax.symmetries import Z2

PAIRS = {"once": 1, "twice": 2}
# Numbers of that size have steps of 0.001, too coarse for the weights of samples.
LARGEST_ACTIONS = {"float32": 1e4, "float64": 5e12}
MOST_PARTICLES = 500  # the matrix of all pairs has N^3 / 2 numbers
ALONE = "without the centre of mass a single particle has no coordinates"
KNOWN_OF_ALL = "sectors by symmetry, the virial by its theorem"


@dataclass(frozen=True)
class ParticleSystem:
    """The parameters of any system of identical particles.

    Attributes:
        particles: N.
        dimension: D of space.
        pairs: whether u counts a pair `once` or `twice`.
        temperature: in units of energy.
        dtype: float32 or float64.
    """

    particles: int = size(4, least=2, most=MOST_PARTICLES, why=ALONE)
    dimension: int = size(2, most=100)
    pairs: str = choice("once", PAIRS)
    temperature: float = positive(1.0)
    dtype: str = choice("float32", DTYPES)

    @property
    def degrees(self) -> int:
        """Number of coordinates, (N - 1) D."""
        return (self.particles - 1) * self.dimension

    def _check(self, name: str, depth: float, deep: str) -> None:
        """Raise ValueError unless actions are ones that the floating type resolves.

        Args:
            name: of the target.
            depth: of the energy of a pair.
            deep: names of the fields that make it so.
        """
        require_precision(name, self.dtype)
        count = PAIRS[self.pairs] * self.particles * (self.particles - 1) / 2
        deepest = count * depth / self.temperature
        if deepest > LARGEST_ACTIONS[self.dtype]:
            finer = "use float64, or " if self.dtype == "float32" else "set "
            raise ValueError(
                f"target.dtype={self.dtype!r} is too coarse for actions as low as "
                f"-{deepest:.2g}: {finer}a higher target.temperature, or shallower "
                f"pairs ({deep}) of fewer target.particles"
            )

    def _pair_sum(self, of_pair: Callable[[Array], Array], y: Array) -> Array:
        """Return the sum over pairs of a function of their distance."""
        return PAIRS[self.pairs] * jnp.sum(of_pair(pair_distances(y)))

    def _target(
        self,
        name: str,
        energy: Callable[[Array], Array],
        observables: Mapping[str, Callable[[Array], Array]],
        exact: Exact,
    ) -> Target:
        """Return the target of an energy u(y).

        u is invariant under permutations, rotations and reflections. For modulation the
        target declares y -> -y, which is among them in every dimension.

        Args:
            name: of the target.
            energy: of one configuration y, (N - 1, D).
            observables: of y, beside those that all systems have.
            exact: reference values, beside those of all systems.
        """
        shape = (self.particles - 1, self.dimension)

        def action(y: Array) -> Array:
            return energy(y) / self.temperature

        return Target(
            name=name,
            event_shape=shape,
            action=action,
            symmetry=Z2(shape),
            dtype=jnp.dtype(self.dtype),
            geometry=Particles(self.particles, self.dimension),
            observables={
                "energy": energy,
                "virial": lambda y: jnp.sum(y * jax.grad(action)(y)),
                "distance": lambda y: jnp.mean(pair_distances(y)),
                **observables,
            },
            exact=exact._replace(
                sectors=np.array([0.5, 0.5]),
                observables={**exact.observables, "virial": float(self.degrees)},
                source="; ".join(filter(None, [exact.source, KNOWN_OF_ALL])),
            ),
        )

"""Densities on the sphere S^{N-1} between the values of a grid: heat bath and learned.

Points of the sphere have coordinates in the unit cube whose measure is that of the
sphere: an angle for N = 2; for N = 3 the height omega_1, evenly distributed as
Archimedes found, and an angle; for N = 4 omega_1^2 + omega_2^2 and the angles of both
planes (Hopf). The density is linear in each coordinate between the middles of cells.
"""

from collections.abc import Callable
from math import log, pi, prod
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Key
from sesamo_jax.modulation.discrete.heat_bath import log_shares
from sesamo_jax.modulation.sphere.law import SphereLaw


class SphereGrid(NamedTuple):
    """The cells of the unit cube of a sphere's coordinates.

    Attributes:
        bins: cells along each coordinate; the angles, the last ones, close up.
        angles: number of angles.
    """

    bins: tuple[int, ...]
    angles: int

    def middles(self) -> np.ndarray:
        """Return the middles of all cells, (cells, N - 1)."""
        axes = [(np.arange(bins) + 0.5) / bins for bins in self.bins]
        return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))

    def to_sphere(self, place: Array) -> Array:
        """Return the unit vector (N,) of coordinates (N - 1,)."""
        turns = 2 * pi * place[len(self.bins) - self.angles :]
        cos, sin = jnp.cos(turns), jnp.sin(turns)
        if len(self.bins) == self.angles:
            return jnp.concatenate([cos, sin])
        if self.angles == 1:
            height = 2 * place[:1] - 1
            radius = jnp.sqrt(1 - height**2)
            return jnp.concatenate([height, radius * cos, radius * sin])
        radii = jnp.sqrt(jnp.stack([place[0], 1 - place[0]]))
        return jnp.stack([radii * cos, radii * sin], axis=-1).ravel()

    def from_sphere(self, direction: Array) -> Array:
        """Return the coordinates (N - 1,) in [0, 1] of a unit vector (N,)."""
        planes = direction[direction.size - 2 * self.angles :].reshape(self.angles, 2)
        turns = jnp.arctan2(planes[:, 1], planes[:, 0]) / (2 * pi) % 1
        if len(self.bins) == self.angles:
            return turns
        first = (1 + direction[0]) / 2 if self.angles == 1 else jnp.sum(planes[0] ** 2)
        return jnp.concatenate([jnp.clip(first, 0, 1)[None], turns])

    def log_density(self, log_share: Array, direction: Array) -> Array:
        """Return the log density, relative to the uniform one, at a direction.

        Args:
            log_share: log probabilities of the cells' hats, (cells,).
            direction: (N,).
        """
        position = self.from_sphere(direction) * np.array(self.bins) - 0.5
        below = jnp.floor(position)
        rest = position - below
        below = below.astype(jnp.int32)
        total = jnp.zeros((), log_share.dtype)
        shares = jnp.exp(log_share).reshape(self.bins)
        for corner in np.ndindex(*(2,) * len(self.bins)):
            step = np.array(corner)
            weight = jnp.prod(jnp.where(step == 1, rest, 1 - rest))
            total += weight * shares[tuple(self._inside(below + step))]
        return jnp.log(total) + log(prod(self.bins))

    def draw(self, key: Key, log_share: Array) -> Array:
        """Return a direction (N,), by a cell and a place under its hat."""
        cell_key, place_key = jax.random.split(key)
        cell = jax.random.categorical(cell_key, log_share)
        shape = 2, len(self.bins)
        offset = jnp.sum(jax.random.uniform(place_key, shape, log_share.dtype), 0) - 1
        index = jnp.stack(jnp.unravel_index(cell, self.bins))
        place = (index + 0.5 + offset) / np.array(self.bins)
        reflected = 1 - jnp.abs(1 - jnp.abs(place))  # at both ends of a height
        closes = np.arange(len(self.bins)) >= len(self.bins) - self.angles
        return self.to_sphere(jnp.where(closes, place % 1, reflected))

    def _inside(self, index: Array) -> Array:
        """Return indices of cells, of which those beyond an end are continued."""
        bins = np.array(self.bins)
        closes = np.arange(len(self.bins)) >= len(self.bins) - self.angles
        return jnp.where(closes, index % bins, jnp.clip(index, 0, bins - 1))


GRIDS = {
    2: SphereGrid((32,), 1),
    3: SphereGrid((12, 16), 1),
    4: SphereGrid((6, 8, 8), 2),
}


class SphereGridLaw(SphereLaw):
    """A law whose density is that of a grid's cells; subclasses give their shares."""

    @property
    def grid(self) -> SphereGrid:
        """Return the cells."""
        return GRIDS[self.symmetry.components]

    def log_shares(self, y: Array) -> Array:
        """Return the log probabilities of all cells, (cells,)."""
        raise NotImplementedError

    def log_prob(self, direction: Array, y: Array) -> Array:
        """Return log p_S(omega | y)."""
        return self.grid.log_density(self.log_shares(y), direction) - self.log_surface

    def draw(self, key: Key, y: Array) -> Array:
        """Return a direction drawn given y."""
        return self.grid.draw(key, self.log_shares(y))


class SphereHeatBathLaw(SphereGridLaw):
    """The target's own conditional along the sphere, exp(-f(R(omega) y)) on a grid.

    What is sampled is exactly the density that `log_prob` reports, however coarse the
    grid: coarseness costs efficiency, not correctness.

    Attributes:
        action: f of the target.
    """

    action: Callable[[Array], Array]

    @property
    def evaluations(self) -> int:
        """Number of evaluations of f that the density at a direction takes."""
        return prod(self.grid.bins)

    def log_shares(self, y: Array) -> Array:
        """Return the log probabilities of all cells, (cells,)."""
        middles = jnp.asarray(self.grid.middles(), y.dtype)
        directions = jax.vmap(self.grid.to_sphere)(middles)
        actions = jax.vmap(lambda g: self.action(self.symmetry.act(g, y)[0]))(
            directions
        )
        return log_shares(actions)


class SphereLearnedLaw(SphereGridLaw):
    """A learned density on the sphere, the same for all y; it starts uniform.

    Attributes:
        dtype: floating type of the parameters, one per cell.
    """

    dtype: Any = jnp.float32

    def setup(self) -> None:
        """Create the logarithms of the cells' shares, up to a constant."""
        size = (prod(self.grid.bins),)
        self.logits = self.param("logits", nn.initializers.zeros, size, self.dtype)

    def log_shares(self, y: Array) -> Array:
        """Return the log probabilities of all cells, (cells,)."""
        return jax.nn.log_softmax(self.logits)

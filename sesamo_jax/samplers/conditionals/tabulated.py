"""Laws of one number in a table, by a parameter, sampled as they are reported."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Key

FLOOR = 1e-36  # of densities as reported: what is never drawn, but not impossible
TAIL = 80.0  # how far the log density falls over another length of the grid


class TabulatedLaw(NamedTuple):
    """Densities on an interval, linear between the values of a grid.

    Between two parameters of the table the density is the mixture of both, beyond the
    last it is the last.

    Attributes:
        start: first value of the grid.
        step: between values.
        spacing: between parameters, which start at 0.
        density: normalised, (parameters, values).
        cumulative: its integral from the start, (parameters, values).
    """

    start: float
    step: float
    spacing: float
    density: np.ndarray
    cumulative: np.ndarray

    def draw(self, key: Key, parameter: Array) -> Array:
        """Return a value drawn given a parameter >= 0, without gradients.

        Numerics: a cell with heights a, b is drawn by its mass (a + b) / 2; inside, the
        quantile t of a + (b - a) t is solved in the form that does not cancel at a = b.
        """
        keys = jax.random.split(key, 3)
        turns = jax.vmap(lambda k: jax.random.uniform(k, (), parameter.dtype))(keys)
        row, rest = self._row(parameter)
        row = row + (turns[0] < rest)
        cell = self._cell_of_mass(row, turns[1])
        a, b = self._at(self.density, row, cell), self._at(self.density, row, cell + 1)
        mass = turns[2] * (a + b)
        root = jnp.sqrt(a**2 + (b - a) * mass)
        t = jnp.where(mass > 0, mass / jnp.where(mass > 0, a + root, 1), 0)
        return self.start + self.step * (cell + t)

    def log_prob(self, value: Array, parameter: Array) -> Array:
        """Return the log density of a value given a parameter >= 0.

        Numerics: it falls linearly outside of the grid, where it never draws, and is at
        least that of `FLOOR` inside, so that it is finite at every finite value.
        """
        cells = self.density.shape[1] - 1
        position = (value - self.start) / self.step
        inside = jnp.clip(position, 0, cells)
        cell = jnp.minimum(inside.astype(jnp.int32), cells - 1)
        t = inside - cell
        row, rest = self._row(parameter)

        def height(row: Array) -> Array:
            left = self._at(self.density, row, cell)
            return left + t * (self._at(self.density, row, cell + 1) - left)

        mixture = (1 - rest) * height(row) + rest * height(row + 1)
        outside = jnp.abs(position - inside) / cells
        return jnp.log(jnp.maximum(mixture, FLOOR)) - TAIL * outside

    def _row(self, parameter: Array) -> tuple[Array, Array]:
        """Return the parameter below, and the share of the one after it."""
        last = self.density.shape[0] - 1
        position = jnp.minimum(parameter / self.spacing, last)
        row = jnp.minimum(position.astype(jnp.int32), last - 1)
        return row, position - row

    def _at(self, table: np.ndarray, row: Array, column: Array) -> Array:
        return jnp.asarray(table.ravel())[row * table.shape[1] + column]

    def _cell_of_mass(self, row: Array, mass: Array) -> Array:
        """Return the cell in which the cumulative distribution reaches a mass."""
        cells = self.density.shape[1] - 1
        cell = jnp.zeros_like(row)
        stride = 1 << (cells - 1).bit_length()
        while stride := stride // 2:
            ahead = jnp.minimum(cell + stride, cells - 1)
            reached = self._at(self.cumulative, row, ahead) <= mass
            cell = jnp.where(reached, ahead, cell)
        return cell


def tabulate(
    start: float, step: float, spacing: float, heights: np.ndarray, dtype: np.dtype
) -> TabulatedLaw:
    """Return the laws of densities up to a factor, (parameters, values)."""
    masses = step * (heights[:, 1:] + heights[:, :-1]) / 2
    total = masses.sum(axis=1, keepdims=True)
    sums = np.cumsum(masses, axis=1) / total
    cumulative = np.concatenate([np.zeros_like(total), sums], axis=1)
    return TabulatedLaw(
        start, step, spacing, (heights / total).astype(dtype), cumulative.astype(dtype)
    )

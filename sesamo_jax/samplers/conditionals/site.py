"""The law of one site given its neighbours, p(x | h) = exp(-V(|x|) + h . x) / zeta(h).

x has N components. Its part a along h has the density exp(h a) Phi(a) / zeta(h) with
Phi(a) = |S^{N-2}| int rho^{N-2} exp(-V(sqrt(a^2 + rho^2))) drho, the rest has the
length rho with a law that knows nothing of h, and any direction. zeta is a smooth
function of h^2. All three are tabulated by sums over even grids, which converge
exponentially.
"""

from collections.abc import Callable
from math import log
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Key
from sesamo_jax.geometry.sphere import polar, surface, turn
from sesamo_jax.samplers.conditionals.tabulated import TabulatedLaw, tabulate

Potential = Callable[[np.ndarray], np.ndarray]

ROWS = 512  # of parameters in a table
VALUES = 513  # of a grid, an odd number, so that 0 is one
NODES = 256  # of quadrature
SCALES = np.geomspace(1e-6, 1e6, 4000)  # lengths at which a potential is looked at
# In units of the action: to where laws are tabulated above their lowest point, and the
# field in whose neighbourhood they are, above that of a constant field.
LAW_DEPTH = 50.0
FIELD_DEPTH = 60.0
LARGEST_ERROR = 1e-7  # of log zeta, from half of the grid


class SiteConditional(NamedTuple):
    """p(x | h) for x and h of N components.

    Attributes:
        components: N.
        spacing: between the |h| of the table.
        log_zeta_values: log zeta there, (|h|,).
        slopes: its derivatives by h^2, (|h|,).
        along: law of a, by |h|.
        across: law of rho, by |a|; None for one component.
    """

    components: int
    spacing: float
    log_zeta_values: np.ndarray
    slopes: np.ndarray
    along: TabulatedLaw
    across: TabulatedLaw | None

    def log_zeta(self, square: Array) -> Array:
        """Return log zeta as a function of h^2, of any shape.

        Cubic between the table's values; beyond the last, linear, by its slope.
        """
        last = len(self.slopes) - 1
        norm = jnp.sqrt(jax.lax.stop_gradient(square)) / self.spacing
        row = jnp.minimum(norm, last - 1).astype(jnp.int32)
        squares = (self.spacing * np.arange(last + 1)) ** 2

        def at(values: np.ndarray, row: Array) -> Array:
            return jnp.asarray(values, square.dtype)[row]

        width = at(np.diff(squares), row)
        t = (square - at(squares, row)) / width
        low, high = at(self.log_zeta_values, row), at(self.log_zeta_values, row + 1)
        rise = at(self.slopes, row) * width
        end_rise = at(self.slopes, row + 1) * width
        jump = high - low
        bend = (3 - 2 * t) * jump - (2 - t) * rise - (1 - t) * end_rise
        inside = low + t * (rise + t * bend)
        return jnp.where(t <= 1, inside, high + (t - 1) * end_rise)

    def draw(self, key: Key, h: Array) -> Array:
        """Return x, (N,), drawn given h, (N,), without gradients.

        Where |h| is beyond the table, the law of its last row is drawn from, and
        `log_prob` is that of what is drawn.
        """
        along_key, across_key, turn_key = jax.random.split(key, 3)
        norm, direction = polar(h)
        a = self.along.draw(along_key, norm)
        if self.across is None:
            return a * direction
        rho = self.across.draw(across_key, jnp.abs(a))
        normal = jax.random.normal(turn_key, (self.components - 1,), h.dtype)
        return turn(direction, jnp.concatenate([a[None], rho * polar(normal)[1]]))

    def log_prob(self, x: Array, h: Array) -> Array:
        """Return the log density of x, (N,), given h, (N,), as `draw` has it."""
        norm, direction = polar(h)
        a = jnp.dot(x, direction)
        log_p = self.along.log_prob(a, norm)
        if self.across is None:
            return log_p
        rest = x - a * direction
        square = jnp.sum(rest**2)
        least = self.across.step * jnp.finfo(x.dtype).eps
        rho = jnp.sqrt(jnp.maximum(square, least**2))
        sphere = log(surface(self.components - 1))
        log_p = log_p + self.across.log_prob(rho, jnp.abs(a)) - sphere
        return log_p - (self.components - 2) * jnp.log(rho)


def site_conditional(
    potential: Potential,
    components: int,
    bonds: float,
    field: float,
    dtype: np.dtype,
) -> SiteConditional:
    """Return the law of one site.

    The table reaches to the h of a constant neighbourhood that costs `FIELD_DEPTH` per
    site.

    Args:
        potential: V of |x|, for arrays.
        components: N.
        bonds: |c| times the number of neighbours.
        field: |b|.
        dtype: of x.

    Raises:
        ValueError: for a potential that leaves the action without a lower bound, or
            with finer structure than the table's grid.
    """
    at_scales = np.asarray(potential(SCALES), np.float64)

    def reach(energy: np.ndarray, depth: float) -> float:
        near = np.flatnonzero(~(energy > np.nanmin(energy) + depth))
        if not np.isfinite(energy[near]).all() or near[-1] == len(SCALES) - 1:
            raise ValueError(
                "the potential of a site leaves the action, with its bonds, without a "
                "lower bound: it must grow faster than they, or sites=all be set"
            )
        return float(SCALES[near[-1] + 1])

    with np.errstate(over="ignore", invalid="ignore"):
        constant = at_scales - bonds * SCALES**2 / 2 - field * SCALES
        largest = bonds * reach(constant, FIELD_DEPTH) + field
        limit = max(reach(at_scales - h * SCALES, LAW_DEPTH) for h in (0.0, largest))
    grid, step = np.linspace(-limit, limit, VALUES, retstep=True)
    log_phi, across = -np.asarray(potential(np.abs(grid)), np.float64), None
    if components > 1:
        lengths = grid[VALUES // 2 :]
        half = _log_phi(potential, components, lengths, limit)
        log_phi = np.concatenate([half[:0:-1], half])
        action = np.asarray(potential(np.hypot(lengths[:, None], lengths)), np.float64)
        shares = _scaled(-action) * lengths ** (components - 2)
        across = tabulate(0.0, step, step, shares, dtype)
    spacing = max(largest, 1 / limit) / ROWS
    norms = spacing * np.arange(ROWS + 1)
    exponents = log_phi + norms[:, None] * grid
    heights = _scaled(exponents)
    total = step * heights.sum(axis=1)
    doubt = np.abs(np.log(2 * step * heights[:, ::2].sum(axis=1) / total)).max()
    if not doubt < LARGEST_ERROR:
        raise ValueError(
            f"the potential of a site varies too much within {step:.2g}, the spacing "
            "of the grid of its table: make it smoother, or set sites=all"
        )
    mean = heights @ grid / heights.sum(axis=1)
    mean_square = heights[0] @ grid**2 / heights[0].sum()
    return SiteConditional(
        components,
        spacing,
        exponents.max(axis=1) + np.log(total),
        np.append(mean_square, mean[1:] / norms[1:]) / 2,
        tabulate(-limit, step, spacing, heights, dtype),
        across,
    )


def _log_phi(
    potential: Potential, components: int, a: np.ndarray, limit: float
) -> np.ndarray:
    """Return log Phi by Gauss-Legendre quadrature: odd powers of rho need it."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    rho, weights = limit * (1 + nodes) / 2, limit * weights / 2
    action = np.asarray(potential(np.hypot(a[:, None], rho)), np.float64)
    sums = _scaled(-action) @ (weights * rho ** (components - 2))
    return np.log(surface(components - 1) * sums) - action.min(axis=1)


def _scaled(exponents: np.ndarray) -> np.ndarray:
    """Return exponentials of rows, the largest of each 1."""
    return np.exp(exponents - exponents.max(axis=1, keepdims=True))

"""Draw the cells and orbits of `docs/symmetries.md`, from the package's own maps."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from drawing import FLOW, HMC, LINE, row_of_panels
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from reading import ROOT

from sesamo_jax.core import Symmetry
from sesamo_jax.geometry.particles import helmert
from sesamo_jax.symmetries import dihedral, symmetric, wells_at

PICTURES = ROOT / "docs" / "symmetries"
EDGE, PIXELS = 3.0, 400
AXIS = np.linspace(-EDGE, EDGE, PIXELS)
PLANE = np.stack(np.meshgrid(AXIS, AXIS), -1).reshape(-1, 2)
MINIMA = np.array([[-1.6, -1.2], [1.5, -1.4], [1.2, 1.5], [-1.4, 1.3]])
CURVATURES = np.array([[4.0, 1.0], [1.5, 6.0], [2.0, 2.0], [8.0, 2.0]])


def four_wells(x: jax.Array) -> jax.Array:
    """Return the action of four harmonic wells of different widths and depths."""
    squares = jnp.sum(CURVATURES * (x - MINIMA) ** 2, axis=1)
    return -jax.nn.logsumexp(-squares / 2 - jnp.array([0.0, 0.3, 0.6, 0.2]))


def sectors(panel: Axes, symmetry: Symmetry, lift: Callable | None = None) -> None:
    """Colour the plane by sector, the cell darker, with borders between."""
    points = PLANE if lift is None else lift(PLANE)
    found = np.asarray(jax.vmap(symmetry.sector)(jnp.asarray(points)))
    found = found.reshape(PIXELS, PIXELS)
    extent = (-EDGE, EDGE, -EDGE, EDGE)
    colours = ListedColormap(["#bcd7df", "#f4f4f4"])
    panel.imshow(found > 0, origin="lower", extent=extent, cmap=colours)
    jumps = (np.diff(found, axis=0)[:, 1:] != 0) | (np.diff(found, axis=1)[1:] != 0)
    rows, columns = np.nonzero(jumps)
    panel.plot(AXIS[columns + 1], AXIS[rows + 1], ",", color=LINE)
    panel.set(xticks=[], yticks=[], xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE))


def orbit(symmetry: Symmetry, y: np.ndarray) -> np.ndarray:
    """Return T_u y of all elements."""
    every = jnp.arange(symmetry.order)
    return np.asarray(jax.vmap(symmetry.act, (0, None))(every, jnp.asarray(y))[0])


def cells() -> Figure:
    """Return the figure."""
    figure, (left, middle, right) = row_of_panels(3, (9.0, 3.2))
    group = dihedral(5)
    sectors(left, group)
    star = 2 * group.reference[:, 0]
    images = orbit(group, star + np.array([0.25, -0.1]))
    left.plot(*images.T, ".", color=FLOW)
    left.plot(*star, "*", color=HMC, ms=9)
    left.set_title("$D_5$, 10 cells")

    permutations, rows = symmetric(3), helmert(3)
    sectors(middle, permutations, lambda plane: plane @ rows)
    star = 2 * permutations.reference[:, 0]
    images = orbit(permutations, star + np.array([0.3, -0.4, 0.1])) @ rows.T
    middle.plot(*images.T, ".", color=FLOW)
    middle.plot(*(rows @ star), "*", color=HMC, ms=9)
    middle.set_title("permutations of three, 6 cells")

    wells = wells_at(four_wells, MINIMA)
    height = np.exp(-np.asarray(jax.vmap(four_wells)(jnp.asarray(PLANE))))
    right.contourf(AXIS, AXIS, height.reshape(PIXELS, PIXELS), cmap="Blues")
    circle = 2 * np.pi * np.arange(60) / 60
    ring = np.stack([np.cos(circle), np.sin(circle)], axis=1)
    for u in range(wells.order):
        moved = jax.vmap(lambda y, u=u: wells.act(u, y)[0])(jnp.asarray(ring))
        right.plot(*np.asarray(moved).T, color=LINE, lw=0.8)
    right.plot(*orbit(wells, np.array([0.8, 0.3])).T, ".", color=FLOW)
    right.plot(*wells.minima.T, "*", color=HMC, ms=9)
    right.set(title="four wells, no cells", xticks=[], yticks=[], aspect="equal")
    return figure


FIGURES = {"cells.png": cells}

"""Reference values of two-component targets by composite Gauss-Legendre quadrature."""

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Exact, Target

# The edge may hold this share of the mass, and half as many panels change it by so
# much: the error of all panels is then about its square.
UNSETTLED = 1e-4


def nodes_and_weights(
    half_width: float, panels: int = 40, order: int = 12
) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights on [-half_width, half_width].

    Equal panels of Gauss-Legendre points; an even number of panels puts a border at 0,
    where the cells of sign flips end.
    """
    points, weights = np.polynomial.legendre.leggauss(order)
    edges = np.linspace(-half_width, half_width, panels + 1)
    half = np.diff(edges) / 2
    nodes = (edges[:-1] + half)[:, None] + half[:, None] * points
    return nodes.ravel(), (half[:, None] * weights).ravel()


def quadrature(
    target: Target,
    half_width: float,
    panels: int = 40,
    order: int = 12,
) -> Exact:
    """Return log Z, sector probabilities and means of a target of two components.

    Args:
        target: with an event of two components; float64 gives the full accuracy.
        half_width: the square [-half_width, half_width]^2 must hold all the mass.
        panels: per axis; sector borders that are not on panel borders limit the
            accuracy of the sectors to about the mass within one node spacing.
        order: points per panel and axis.

    Raises:
        ValueError: if the event does not have two components, the square does not hold
            the mass, or the panels do not resolve it.
    """
    if int(np.prod(target.event_shape)) != 2:
        raise ValueError(
            f"quadrature needs two components, target {target.name!r} has event shape "
            f"{target.event_shape}"
        )
    x, log_mass = _log_masses(target, half_width, panels, order)
    log_z = _log_sum(log_mass)
    p = np.exp(log_mass - log_z)
    edge = 1 - p[order:-order, order:-order].sum()
    if not edge < UNSETTLED:
        raise ValueError(
            f"half_width={half_width} leaves a share of {edge:.2g} of the mass of "
            f"{target.name!r} in the outermost panels, and more beyond: raise it"
        )
    coarse = _log_sum(_log_masses(target, half_width, panels // 2, order)[1])
    if not abs(coarse - log_z) < UNSETTLED:
        raise ValueError(
            f"panels={panels} of half_width={half_width} do not resolve "
            f"{target.name!r}: half as many change log Z by {coarse - log_z:.2g}. "
            "Raise panels, or lower half_width"
        )
    p = p.ravel()
    values = jax.jit(jax.vmap(target.observe))(x)
    scalars = {k: np.asarray(v, np.float64) for k, v in values.items() if v.ndim == 1}
    sectors = None
    symmetry = target.symmetry
    if symmetry is not None and symmetry.order is not None:
        index = np.asarray(jax.jit(jax.vmap(symmetry.sector))(x))
        sectors = np.bincount(index, weights=p, minlength=symmetry.order)
    return Exact(
        log_z=log_z,
        sectors=sectors,
        observables={name: float(p @ v) for name, v in scalars.items()},
        source=f"Gauss-Legendre quadrature, {panels * order}^2 points",
    )


def _log_masses(
    target: Target, half_width: float, panels: int, order: int
) -> tuple[Array, np.ndarray]:
    """Return the nodes, (n^2, *event_shape), and the logs of their masses, (n, n)."""
    nodes, weights = nodes_and_weights(half_width, panels, order)
    grid = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), -1)
    x = jnp.asarray(grid.reshape(-1, *target.event_shape), target.dtype)
    log_p = -np.asarray(jax.jit(jax.vmap(target.action))(x), np.float64)
    log_weights = np.log(weights)
    return x, log_p.reshape(nodes.size, -1) + log_weights[:, None] + log_weights


def _log_sum(log_mass: np.ndarray) -> float:
    largest = log_mass.max()
    return float(np.log(np.exp(log_mass - largest).sum()) + largest)

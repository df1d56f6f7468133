"""Reference values of two-component targets by composite Gauss-Legendre quadrature."""

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Exact, Target


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
        ValueError: if the event does not have two components.
    """
    if int(np.prod(target.event_shape)) != 2:
        raise ValueError(
            f"quadrature needs two components, target {target.name!r} has event shape "
            f"{target.event_shape}"
        )
    nodes, weights = nodes_and_weights(half_width, panels, order)
    grid = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), -1).reshape(-1, 2)
    x = jnp.asarray(grid.reshape(-1, *target.event_shape), target.dtype)
    log_p = -np.asarray(jax.jit(jax.vmap(target.action))(x), np.float64)
    mass = np.outer(weights, weights).ravel() * np.exp(log_p - log_p.max())
    p = mass / mass.sum()

    values = jax.jit(jax.vmap(target.observe))(x)
    scalars = {k: np.asarray(v, np.float64) for k, v in values.items() if v.ndim == 1}
    sectors = None
    symmetry = target.symmetry
    if symmetry is not None and symmetry.order is not None:
        index = np.asarray(jax.jit(jax.vmap(symmetry.sector))(x))
        sectors = np.bincount(index, weights=p, minlength=symmetry.order)
    return Exact(
        log_z=float(np.log(mass.sum()) + log_p.max()),
        sectors=sectors,
        observables={name: float(p @ v) for name, v in scalars.items()},
        source=f"Gauss-Legendre quadrature, {nodes.size}^2 points",
    )

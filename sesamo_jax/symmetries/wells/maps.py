"""Wells of an action that are no images of each other, and maps onto them."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Factor

FLATTEST = 1e-6  # curvature of a minimum, in units of the largest there


@dataclass(frozen=True, eq=False)
class Wells:
    """Invertible maps T_u from one well, |y| of order one, onto each of several.

    T_u y = m_u + L_u y with the minimum m_u and L_u = H_u^(-1/2) from the Hessian
    there, so that y has about a normal density in every well. The T_u are no group, and
    space is not divided into cells: all laws stand with the `orbit` density, which is
    exact whatever y does,

        q(x) = sum_u q~(T_u^-1 x) p_S(u | T_u^-1 x) / |det L_u|.

    Attributes:
        minima: m_u, (wells, *event_shape).
        energies: f there, (wells,).
        spreads: L_u of the flattened event, (wells, n, n).
    """

    minima: np.ndarray
    energies: np.ndarray
    spreads: np.ndarray

    @property
    def order(self) -> int:
        """Number of wells."""
        return len(self.minima)

    @property
    def broken(self) -> bool:
        """Nothing maps the action onto itself."""
        return True

    @property
    def factors(self) -> tuple[Factor, ...]:
        """One factor of all wells."""
        return (Factor(self.order, True),)

    def act(self, g: Array, y: Array) -> tuple[Array, Array]:
        """Return T_g y and log |det L_g|."""
        spread = jnp.asarray(self.spreads, y.dtype)[g]
        moved = (spread @ y.ravel()).reshape(y.shape)
        return jnp.asarray(self.minima, y.dtype)[g] + moved, self._volumes(y)[g]

    def undo(self, g: Array, x: Array) -> Array:
        """Return T_g^-1 x."""
        inverse = jnp.asarray(np.linalg.inv(self.spreads), x.dtype)[g]
        away = x - jnp.asarray(self.minima, x.dtype)[g]
        return (inverse @ away.ravel()).reshape(x.shape)

    def sector(self, x: Array) -> Array:
        """Return the well whose harmonic approximation is lowest at x."""
        return jnp.argmax(self.log_memberships(x)).astype(jnp.int32)

    def margins(self, y: Array) -> Array:
        """Return no margins, shape (0,): there is no cell."""
        return jnp.zeros((0,), y.dtype)

    def log_memberships(self, x: Array) -> Array:
        """Return the log of each well's share at x, (wells,), with sum 1.

        In harmonic approximation, the softmax of -f(m_u) - |T_u^-1 x|^2 / 2.
        """
        inner = jax.vmap(lambda g: self.undo(g, x))(jnp.arange(self.order))
        squares = jnp.sum(inner.reshape(self.order, -1) ** 2, axis=1)
        energies = jnp.asarray(self.energies - self.energies.min(), x.dtype)
        return jax.nn.log_softmax(-energies - squares / 2)

    def _volumes(self, y: Array) -> Array:
        return jnp.asarray(np.linalg.slogdet(self.spreads)[1], y.dtype)


class Harmonic(NamedTuple):
    """The second-order expansion of an action about points, (points, ...).

    Attributes:
        energies: f, (points,).
        curvatures: eigenvalues of the Hessian, the lowest first, (points, n).
        directions: its eigenvectors as columns, (points, n, n).
    """

    energies: np.ndarray
    curvatures: np.ndarray
    directions: np.ndarray

    @property
    def rises(self) -> np.ndarray:
        """Whether f rises in every direction, (points,)."""
        return self.curvatures[:, 0] > FLATTEST * self.curvatures[:, -1]

    @property
    def spreads(self) -> np.ndarray:
        """H^(-1/2), (points, n, n)."""
        scaled = self.directions / np.sqrt(self.curvatures)[:, None, :]
        return scaled @ self.directions.swapaxes(1, 2)


def expand(action: Callable[[Array], Array], points: np.ndarray) -> Harmonic:
    """Return the expansion of an action about points, (points, *event_shape)."""
    n, x = prod(points.shape[1:]), jnp.asarray(points)
    energies = np.asarray(jax.jit(jax.vmap(action))(x), np.float64)
    hessians = np.asarray(jax.lax.map(jax.hessian(action), x), np.float64)
    return Harmonic(energies, *np.linalg.eigh(hessians.reshape(-1, n, n)))


def wells_at(action: Callable[[Array], Array], minima: Any) -> Wells:
    """Return the wells of an action at known minima.

    Args:
        action: f of one configuration.
        minima: where it is lowest, (wells, *event_shape).

    Raises:
        ValueError: for no minima, or one from where f does not rise in every direction,
            as far as its Hessian says: a saddle point, or a continuous symmetry.

    Numerics: Hessians are those of JAX's default floating type; float64, where it is
    enabled, serves the flatter directions better.
    """
    points = np.asarray(minima, np.float64)
    if points.ndim < 2 or not points.size:
        raise ValueError(
            f"wells_at takes minima of shape (wells, *event_shape), got {points.shape}"
        )
    harmonic = expand(action, points)
    for point, own, rises in zip(
        points, harmonic.curvatures, harmonic.rises, strict=True
    ):
        if not rises:
            shown = np.array2string(point.ravel(), precision=4, threshold=8)
            raise ValueError(
                f"the action does not rise in all directions from {shown}, its "
                f"curvatures begin with {own[0]:.2g}: give minima, and fix what a "
                "continuous symmetry moves"
            )
    return Wells(points, harmonic.energies, harmonic.spreads)

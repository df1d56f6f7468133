"""Real scalar phi^4 theory on a periodic lattice of any dimension.

f(x) = sum_j [-2 kappa sum_mu x_j x_{j+mu} + (1 - 2 lambda) x_j^2 + lambda x_j^4
+ alpha x_j] (eq. 53), each bond counted once. The other common convention,
sum_j [-2 sum_mu phi_j phi_{j+mu} + (2 d + m^2) phi_j^2 + lambda phi_j^4], has
phi = sqrt(kappa) x; `hopping_from_mass` gives the map.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax.numpy as jnp

from sesamo_jax.core import DTYPES, Array, Target
from sesamo_jax.core.bounds import bounded, check_fields, choice
from sesamo_jax.geometry.neighbours import NearestNeighbours
from sesamo_jax.symmetries import Z2
from sesamo_jax.targets.phi4.field import (
    check_field,
    derived_observables,
    extents,
    two_point_functions,
)


@dataclass(frozen=True)
class Phi4Real:
    """Configuration of the real theory.

    Attributes:
        shape: lattice extents (L_t, L_x, ...), each at least 2.
        kappa: hopping parameter; not used with `mass2`.
        lam: quartic coupling lambda of the convention in use.
        alpha: coefficient of sum_j x_j, which breaks the Z2 symmetry.
        mass2: m^2; if given, the (m^2, lambda) convention is used.
        dtype: float32 or float64.
    """

    shape: tuple[int, ...] = extents((16, 8))
    kappa: float = bounded(0.3)
    lam: float = bounded(0.022, least=0)
    alpha: float = bounded(0.0)
    mass2: float | None = bounded(None)
    dtype: str = choice("float32", DTYPES)

    def build(self, name: str = "phi4_real") -> Target:
        """Return the target.

        Raises:
            ValueError: for a field out of its range or an action without a lower bound.
        """
        check_fields(self, "target")
        hopping, quadratic = 2 * self.kappa, 1 - 2 * self.lam
        if self.mass2 is not None:
            hopping, quadratic = 2.0, 2 * len(self.shape) + self.mass2
        constant = quadratic - abs(hopping) * len(self.shape)
        check_field(self.shape, self.dtype, self.alpha, constant, self.lam)

        def potential(x: Array) -> Array:
            return quadratic * x**2 + self.lam * x**4

        lattice = NearestNeighbours(self.shape, potential, hopping, (-self.alpha,))
        action = lattice.action

        return Target(
            name=name,
            event_shape=self.shape,
            action=action,
            symmetry=Z2(self.shape, broken=self.alpha != 0),
            dtype=jnp.dtype(self.dtype),
            observables={
                "magnetization": jnp.mean,
                "abs_magnetization": lambda x: jnp.abs(jnp.mean(x)),
                "magnetization_squared": lambda x: jnp.mean(x) ** 2,
                "magnetization_fourth": lambda x: jnp.mean(x) ** 4,
                "phi2": lambda x: jnp.mean(x**2),
                "action_density": lambda x: action(x) / x.size,
                "breaking_ratio": lambda x: jnp.sign(jnp.mean(x)),
                **{
                    name: partial(_of_one_component, function)
                    for name, function in two_point_functions(self.shape).items()
                },
            },
            derived=derived_observables(self.shape, gaussian_ratio=3),
            geometry=lattice,
        )


def _of_one_component(function: Callable[[Array], Array], x: Array) -> Array:
    return function(x[..., None])


def hopping_from_mass(mass2: float, lam: float, dimensions: int) -> tuple[float, float]:
    """Return (kappa, lambda) of eq. 53 for couplings of the (m^2, lambda) convention.

    With phi = sqrt(kappa) x the terms match if (2 d + m^2) kappa = 1 - 2 lambda_x and
    lambda kappa^2 = lambda_x: a quadratic equation for kappa with one positive root.
    The densities differ by the constant Jacobian, log Z_phi = log Z_x + V/2 log kappa.
    """
    quadratic = 2 * dimensions + mass2
    kappa = (-quadratic + (quadratic**2 + 8 * lam) ** 0.5) / (4 * lam)
    return kappa, lam * kappa**2

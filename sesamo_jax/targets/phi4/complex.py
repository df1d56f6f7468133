"""Complex scalar phi^4 theory on a periodic lattice, fields of shape (*lattice, 2).

f(x) = sum_j [-2 kappa sum_mu Re(x_j^* x_{j+mu}) + (1 - 2 lambda) |x_j|^2
+ lambda |x_j|^4 + alpha Re x_j] (eqs. 20, 48), the real and the imaginary part on the
last axis. The authors' package breaks the symmetry by alpha (Re + Im) instead, which is
a field sqrt(2) alpha along 45 degrees: `breaking="re_plus_im"`.
"""

from dataclasses import dataclass
from math import hypot, prod

import jax.numpy as jnp

from sesamo_jax.core import DTYPES, Array, Target
from sesamo_jax.core.bounds import bounded, check_fields, choice
from sesamo_jax.geometry.neighbours import NearestNeighbours
from sesamo_jax.geometry.slices import Slice
from sesamo_jax.symmetries import U1, AlignedU1
from sesamo_jax.targets.phi4.field import (
    check_field,
    derived_observables,
    extents,
    two_point_functions,
)

SPACES = ("full", "aligned")
BREAKINGS = ("re", "re_plus_im")


@dataclass(frozen=True)
class Phi4Complex:
    """Configuration of the complex theory.

    Attributes:
        shape: lattice extents (L_t, L_x, ...), each at least 2.
        kappa: hopping parameter.
        lam: quartic coupling lambda.
        alpha: strength of the breaking term.
        breaking: `re`, alpha Re x_j (the paper), or `re_plus_im`, alpha (Re + Im) x_j
            (the authors' package).
        space: `full`, the theory on C^N, or `aligned`, the paper's eq. 45, a real field
            times one phase, which is another theory.
        dtype: float32 or float64.
    """

    shape: tuple[int, ...] = extents((8, 8))
    kappa: float = bounded(0.3)
    lam: float = bounded(0.022, least=0)
    alpha: float = bounded(0.0)
    breaking: str = choice("re", BREAKINGS)
    space: str = choice("full", SPACES)
    dtype: str = choice("float32", DTYPES)

    def build(self, name: str = "phi4_complex") -> Target:
        """Return the target.

        Raises:
            ValueError: for a field out of its range or an action without a lower bound.
        """
        check_fields(self, "target")
        aligned = self.space == "aligned"
        direction = (1.0, 0.0) if self.breaking == "re" else (1.0, 1.0)
        dimensions, sites = len(self.shape), prod(self.shape)
        constant = 1 - 2 * self.lam - 2 * abs(self.kappa) * dimensions
        linear = self.alpha * hypot(*direction)
        check_field(self.shape, self.dtype, linear, constant, self.lam)

        def potential(x: Array) -> Array:
            square = (x**2).sum(axis=-1)
            return (1 - 2 * self.lam) * square + self.lam * square**2

        field = tuple(-self.alpha * part for part in direction)
        lattice = NearestNeighbours(self.shape, potential, 2 * self.kappa, field)
        action = lattice.action

        def mean_field(x: Array) -> Array:
            return jnp.mean(x.reshape(sites, 2), axis=0)

        def modulus_squared(x: Array) -> Array:
            return jnp.sum(mean_field(x) ** 2)

        def cos_angle(x: Array) -> Array:
            mean = mean_field(x)
            return mean[0] / jnp.sqrt(jnp.sum(mean**2))

        return Target(
            name=name,
            event_shape=(*self.shape, 2),
            action=action,
            symmetry=(AlignedU1 if aligned else U1)(self.alpha != 0, linear=True),
            dtype=jnp.dtype(self.dtype),
            observables={
                "magnetization": lambda x: mean_field(x)[0],
                "abs_magnetization": lambda x: jnp.sqrt(modulus_squared(x)),
                "magnetization_squared": modulus_squared,
                "magnetization_fourth": lambda x: modulus_squared(x) ** 2,
                "phi2": lambda x: jnp.sum(x**2) / sites,
                "action_density": lambda x: action(x) / sites,
                "cos_angle": cos_angle,
                **two_point_functions(self.shape),
            },
            derived=derived_observables(self.shape, gaussian_ratio=2),
            geometry=Slice(self.shape) if aligned else lattice,
        )

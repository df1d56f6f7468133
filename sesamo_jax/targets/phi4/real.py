"""Real scalar phi^4 theory on a periodic lattice of any dimension.

f(x) = sum_j [-2 kappa sum_mu x_j x_{j+mu} + (1 - 2 lambda) x_j^2 + lambda x_j^4
+ alpha x_j] (eq. 53), or the convention of m^2 and lambda: see `theory`.
"""

from dataclasses import dataclass

from sesamo_jax.core import DTYPES, Target
from sesamo_jax.core.bounds import bounded, check_fields, choice
from sesamo_jax.symmetries import Z2
from sesamo_jax.targets.phi4.field import extents
from sesamo_jax.targets.phi4.theory import build_theory, couplings


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
        field = (-self.alpha,)
        action = couplings(len(self.shape), self.kappa, self.lam, self.mass2, field)
        symmetry = Z2(self.shape, broken=self.alpha != 0)
        return build_theory(name, self.shape, action, symmetry, self.dtype)

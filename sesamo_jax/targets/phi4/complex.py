"""Complex scalar phi^4 theory on a periodic lattice, fields of shape (*lattice, 2).

f(x) = sum_j [-2 kappa sum_mu Re(x_j^* x_{j+mu}) + (1 - 2 lambda) |x_j|^2
+ lambda |x_j|^4 + alpha Re x_j] (eqs. 20, 48), the real and the imaginary part on the
last axis. The authors' package breaks the symmetry by alpha (Re + Im) instead, which is
a field sqrt(2) alpha along 45 degrees: `breaking="re_plus_im"`.
"""

from dataclasses import dataclass, replace

from sesamo_jax.core import DTYPES, Target
from sesamo_jax.core.bounds import bounded, check_fields, choice
from sesamo_jax.geometry.slices import Slice
from sesamo_jax.symmetries import U1, AlignedU1
from sesamo_jax.targets.phi4.field import extents
from sesamo_jax.targets.phi4.theory import build_theory, couplings

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
        field = (-self.alpha, 0.0 if self.breaking == "re" else -self.alpha)
        action = couplings(len(self.shape), self.kappa, self.lam, None, field)
        aligned = self.space == "aligned"
        symmetry = (AlignedU1 if aligned else U1)(self.alpha != 0, linear=True)
        target = build_theory(name, self.shape, action, symmetry, self.dtype)
        return replace(target, geometry=Slice(self.shape)) if aligned else target

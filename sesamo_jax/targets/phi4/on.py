"""The O(N) model with phi^4 potential on a periodic lattice, N = 1 to 4.

f(x) = sum_j [-2 kappa sum_mu x_j . x_{j+mu} + (1 - 2 lambda) |x_j|^2 + lambda |x_j|^4
- h x_j1], or the convention of m^2 and lambda: see `theory`. N = 1 is the real theory
and N = 2 the complex one, with h = -alpha; N = 4 is the linear sigma model, in which h
stands for the quark mass.
"""

from dataclasses import dataclass

from sesamo_jax.core import DTYPES, Symmetry, Target
from sesamo_jax.core.bounds import bounded, check_fields, choice, size
from sesamo_jax.symmetries import ON, U1, Z2
from sesamo_jax.targets.phi4.field import extents
from sesamo_jax.targets.phi4.theory import build_theory, couplings


@dataclass(frozen=True)
class Phi4ON:
    """Configuration of the O(N) model.

    Attributes:
        shape: lattice extents (L_t, L_x, ...), each at least 2.
        components: N, 1 to 4; events are of shape (*shape) for N = 1, (*shape, N)
            otherwise.
        kappa: hopping parameter; not used with `mass2`.
        lam: quartic coupling lambda of the convention in use.
        h: external field along the first component, which breaks the symmetry.
        mass2: m^2; if given, the (m^2, lambda) convention is used.
        dtype: float32 or float64.
    """

    shape: tuple[int, ...] = extents((8, 8))
    components: int = size(3, most=4)
    kappa: float = bounded(0.3)
    lam: float = bounded(0.022, least=0)
    h: float = bounded(0.0)
    mass2: float | None = bounded(None)
    dtype: str = choice("float32", DTYPES)

    def build(self, name: str = "phi4_on") -> Target:
        """Return the target.

        Raises:
            ValueError: for a field out of its range or an action without a lower bound.
        """
        check_fields(self, "target")
        field = (self.h, *(0.0,) * (self.components - 1))
        action = couplings(len(self.shape), self.kappa, self.lam, self.mass2, field)
        return build_theory(name, self.shape, action, self._symmetry(), self.dtype)

    def _symmetry(self) -> Symmetry:
        broken = self.h != 0
        if self.components == 1:
            return Z2(self.shape, broken=broken)
        if self.components == 2:
            return U1(broken, linear=True)
        return ON(self.components, broken, linear=True)

"""The density of a flow on its base, before any modulation."""

import flax.linen as nn
import jax.numpy as jnp

from sesamo_jax.core import Array, FiniteSymmetry
from sesamo_jax.flows.continuous.integrate import is_adaptive
from sesamo_jax.flows.coupling.score import with_score
from sesamo_jax.samplers.canonicalization import canonical_log_prob, canonicalize
from sesamo_jax.samplers.weighting import overflow_to_zero


class FlowDensity(nn.Module):
    """The density q~ of y = unit * g(z / unit), z ~ q_0, before any modulation.

    The unit cancels in the log-determinant. One that makes z / unit of order one keeps
    the networks' inputs, and their first steps, of order one too.

    Attributes:
        base: q_0, with the methods of `bases.Gaussian`.
        bijection: g, with the methods of `core.Bijection`.
        unit: length in which the flow measures configurations.
        canonical: the symmetry into whose cell the base is mapped by C.
        carries_score: `draw` differentiates log q~ at fixed parameters, through y
            alone; not where the base is canonicalized.
    """

    base: nn.Module
    bijection: nn.Module
    unit: float
    canonical: FiniteSymmetry | None = None
    carries_score: bool = False

    def draw(self, noise: Array) -> tuple[Array, Array, Array]:
        """Return y, log q~(y) and the sector that z was in before C (else 0)."""
        z, log_base = self.base.from_noise(noise)
        if self.carries_score:
            _, pull = nn.vjp(
                lambda base, z: base.log_prob(z), self.base, z, vjp_variables=False
            )
            _, score = pull(jnp.ones_like(log_base))
            y, log_det, score = self.bijection.forward_with_score(
                z / self.unit, self.unit * score
            )
            y = self.unit * y
            log_q = with_score(log_base - log_det, y, score / self.unit)
            return y, log_q, jnp.zeros((), jnp.int32)
        sector = jnp.zeros((), jnp.int32)
        if self.canonical is not None:
            z, sector = canonicalize(self.canonical, z)
            log_base = log_base + jnp.log(self.canonical.order)
        y, log_det = self.bijection.forward_and_log_det(z / self.unit)
        return self.unit * y, log_base - log_det, sector

    def log_prob(self, y: Array, drawn: Array | bool = False) -> Array:
        """Return log q~(y); -inf where the base, canonicalized or not, has no mass.

        Also where the flow's arithmetic overflows, so far away is y; NaN says that an
        adaptive integration has failed.

        Args:
            y: one event.
            drawn: whether it came from `draw`, which the cell need not find out.
        """
        z, log_det = self.bijection.inverse_and_log_det(y / self.unit)
        z = self.unit * z
        if self.canonical is None:
            log_base = self.base.log_prob(z)
        else:
            log_base = canonical_log_prob(self.canonical, self.base.log_prob, z, drawn)
        log_q = log_base + log_det
        return log_q if is_adaptive(self.bijection) else overflow_to_zero(y, log_q)

    def from_base(self, noise: Array) -> Array:
        """Return z, before any C."""
        return self.base.from_noise(noise)[0]

    def velocity(self, t: Array, y: Array) -> Array:
        """Return dy/dt on the way from z to y, where g is a flow of particles."""
        return self.unit * self.bijection.field(t, y / self.unit)

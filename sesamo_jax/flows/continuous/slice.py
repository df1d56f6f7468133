"""The equivariant continuous flow of a field of N components, on the slice of O(N).

It runs on all fields, where it commutes with rotations, and turns what it reaches back
onto the slice; for N = 2, that of U(1).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import flax.linen as nn
import jax.numpy as jnp

from sesamo_jax.core import Array
from sesamo_jax.core.bounds import check_fields, positive, size
from sesamo_jax.flows.continuous.lattice import ContinuousConfig, ContinuousFlow
from sesamo_jax.geometry.lattice import Lattice
from sesamo_jax.geometry.sphere import COMPONENTS, turn
from sesamo_jax.geometry.sublattice import EvenSites


@dataclass(frozen=True)
class SliceContinuousConfig(ContinuousConfig):
    """Sizes of an equivariant continuous flow on the slice of U(1) or O(N)."""

    keeps_slice: ClassVar[bool] = True

    # In 7 steps of slope 0.6 path gradients are those of the error of integration once
    # the flow is good: after thousands of steps it is worse again.
    steps: int = size(10)
    slope: float = positive(0.42)

    def build(
        self, event_shape: tuple[int, ...], dtype: Any, tolerance: float = 0.0
    ) -> nn.Module:
        """Return the flow for one event shape (*lattice, N); see the base class.

        Raises:
            ValueError: for a field out of its range, or a last axis that is not of
                length 2, 3 or 4.
        """
        return self._on(Lattice(event_shape[:-1]), event_shape, dtype, tolerance)

    def build_on_even_sites(
        self,
        sites: EvenSites,
        event_shape: tuple[int, ...],
        dtype: Any,
        tolerance: float = 0.0,
    ) -> nn.Module:
        """Return the flow on the even sites of a lattice; see `build`."""
        return self._on(sites, event_shape, dtype, tolerance)

    def _on(
        self,
        lattice: Lattice,
        event_shape: tuple[int, ...],
        dtype: Any,
        tolerance: float,
    ) -> nn.Module:
        check_fields(self, "flow")
        if event_shape[-1] not in COMPONENTS or len(event_shape) < 2:
            raise ValueError(
                "flow 'slice_continuous' needs fields of shape (*lattice, N) with N = "
                f"2, 3 or 4 components, got {event_shape}"
            )
        return SliceContinuousFlow(lattice, self, dtype, tolerance, event_shape[-1])


class SliceContinuousFlow(ContinuousFlow):
    """The flow of a field over unit time, turned back onto the slice.

    With x = R(omega) y and d^{N V} x = m^{N-1} dy domega before and after a flow that
    commutes with rotations, the map of y alone has log|det| = int div v +
    (N - 1) log(m / m').

    Attributes:
        lattice: on whose sites the field lives.
        config: sizes.
        dtype: floating type.
        tolerance: of the adaptive integrator; 0 takes Runge-Kutta steps.
        components: N.
    """

    def _on_slice(self, z: Array, start: float, end: float) -> tuple[Array, Array]:
        x, log_det = self._integrate(z.reshape(-1, self.components).T, start, end)
        total = jnp.sum(x, axis=1)
        size = jnp.sqrt(jnp.sum(total**2))
        y = turn(total / size, x.T, back=True)
        before = jnp.abs(jnp.sum(z[..., 0]))
        log_ratio = jnp.log(before) - jnp.log(size)
        return y.reshape(z.shape), log_det + (self.components - 1) * log_ratio

    def forward_and_log_det(self, z: Array) -> tuple[Array, Array]:
        """Return y = g(z) and log|det dy/dz| on the slice, for one event."""
        return self._on_slice(z, 0.0, 1.0)

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """Return z = g^-1(y) and log|det dz/dy|, up to the error of integration."""
        return self._on_slice(y, 1.0, 0.0)

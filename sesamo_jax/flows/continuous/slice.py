"""The equivariant continuous flow of a complex field, on the slice of U(1).

It runs on all of C^N, where it commutes with phases, and turns what it reaches back
onto the slice.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import flax.linen as nn
import jax.numpy as jnp

from sesamo_jax.core import Array
from sesamo_jax.core.bounds import check_fields, positive, size
from sesamo_jax.flows.continuous.lattice import ContinuousConfig, ContinuousFlow
from sesamo_jax.geometry.lattice import Lattice
from sesamo_jax.geometry.sublattice import EvenSites


@dataclass(frozen=True)
class SliceContinuousConfig(ContinuousConfig):
    """Sizes of an equivariant continuous flow of a complex field on the U(1) slice."""

    keeps_slice: ClassVar[bool] = True

    # Fewer, longer steps than the real field's: its batches and reports still agree.
    steps: int = size(7)
    slope: float = positive(0.6)

    def build(
        self, event_shape: tuple[int, ...], dtype: Any, tolerance: float = 0.0
    ) -> nn.Module:
        """Return the flow for one event shape (*lattice, 2); see the base class.

        Raises:
            ValueError: for a field out of its range, or a last axis that is not of
                length 2.
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
        if event_shape[-1] != 2 or len(event_shape) < 2:
            raise ValueError(
                "flow 'slice_continuous' needs complex fields of shape (*lattice, 2), "
                f"got {event_shape}"
            )
        return SliceContinuousFlow(lattice, self, dtype, tolerance)


class SliceContinuousFlow(ContinuousFlow):
    """The flow of a complex field over unit time, turned back onto the U(1) slice.

    With x = e^{i theta} y and d^{2N} x = m dy dtheta before and after a flow that
    commutes with phases, the map of y alone has log|det| = int div v + log(m / m').

    Attributes:
        lattice: on whose sites the field lives.
        config: sizes.
        dtype: floating type.
        tolerance: of the adaptive integrator; 0 takes Runge-Kutta steps.
    """

    components: ClassVar[int] = 2

    def _on_slice(self, z: Array, start: float, end: float) -> tuple[Array, Array]:
        x, log_det = self._integrate(z.reshape(-1, 2).T, start, end)
        real, imaginary = jnp.sum(x[0]), jnp.sum(x[1])
        size = jnp.sqrt(real**2 + imaginary**2)
        cos, sin = real / size, imaginary / size
        y = jnp.stack([cos * x[0] + sin * x[1], cos * x[1] - sin * x[0]], axis=-1)
        before = jnp.abs(jnp.sum(z[..., 0]))
        return y.reshape(z.shape), log_det + jnp.log(before) - jnp.log(size)

    def forward_and_log_det(self, z: Array) -> tuple[Array, Array]:
        """Return y = g(z) and log|det dy/dz| on the slice, for one event."""
        return self._on_slice(z, 0.0, 1.0)

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """Return z = g^-1(y) and log|det dz/dy|, up to the error of integration."""
        return self._on_slice(y, 1.0, 0.0)

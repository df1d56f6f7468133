"""What flows of particles share: a velocity, integrated over unit time."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from sesamo_jax.core import Array
from sesamo_jax.flows.continuous.divergence import Field, brute_force
from sesamo_jax.flows.continuous.integrate import (
    CLASSICAL,
    Velocity,
    adaptive,
    runge_kutta,
)


class IntegratedFlow(nn.Module):
    """The flow over unit time, in classical Runge-Kutta steps; `_velocity` makes it.

    Attributes:
        event_shape: (N - 1, D).
        config: sizes, with `steps`.
        dtype: floating type.
        tolerance: of the adaptive integrator; 0 takes Runge-Kutta steps.
    """

    event_shape: tuple[int, ...]
    config: Any = None
    dtype: Any = jnp.float32
    tolerance: float = 0.0

    def _velocity(self) -> Velocity:
        """Return v for y of shape (N - 1, D)."""
        raise NotImplementedError

    def velocity(self, t: Array, y: Array) -> tuple[Array, Array]:
        """Return v, (N - 1, D), and div v, (), of one event at a time t."""
        return self._velocity()(t, y)

    def field(self, t: Array, y: Array) -> Array:
        """Return v alone, (N - 1, D), of one event at a time t."""
        return self.velocity(t, y)[0]

    def _integrate(self, y: Array, start: float, end: float) -> tuple[Array, Array]:
        if self.tolerance:
            return adaptive(self._velocity(), y, start, end, self.tolerance)
        steps = self.config.steps
        return runge_kutta(self._velocity(), y, start, end, steps, CLASSICAL)

    def forward_and_log_det(self, z: Array) -> tuple[Array, Array]:
        """Return y = g(z) and log|det dy/dz| for one event, (N - 1, D)."""
        return self._integrate(z, 0.0, 1.0)

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """Return z = g^-1(y) and log|det dz/dy|, up to the error of integration."""
        return self._integrate(y, 1.0, 0.0)


class DifferentiatedFlow(IntegratedFlow):
    """One whose divergence is the trace of its Jacobian; `_field` makes its velocity.

    Attributes: as in `IntegratedFlow`.
    """

    def _field(self) -> Field:
        """Return v for y of shape (N - 1, D)."""
        raise NotImplementedError

    def field(self, t: Array, y: Array) -> Array:
        """Return v alone, (N - 1, D), at the cost of no divergence."""
        return self._field()(t, y)

    def _velocity(self) -> Velocity:
        """Return v for y of shape (N - 1, D)."""
        # Gradients that store the derivatives of all layers at all times, instead of
        # computing them again, take two to three times as long.
        return jax.checkpoint(brute_force(self._field()))

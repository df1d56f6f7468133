"""The black-box flow of particles: a baseline that knows none of their symmetries.

v(x) is a dense network on the N D positions of centred particles, without the centre of
mass of its output, and the same at all times. In the coordinates y = H x of `particles`
that is H net(H^T y). H^T H is the projection P on the space without the centre of mass:
the divergence there, tr(H J H^T) = tr(P J P), is the trace of the projected Jacobian.
tr J would also count how the network's mean output answers a shift of all particles.

Koehler, Klein, Noe 2020 have 5,256 parameters for four particles in the plane, hidden
layers of 64 and 64, and 21,671 for 13 in space, 64, 128 and 64. Their activation is not
known; tanh is that of the other dense networks in their code.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from sesamo_jax.core import Array
from sesamo_jax.core.bounds import check_fields, size
from sesamo_jax.flows.continuous.divergence import Field
from sesamo_jax.flows.continuous.particle_flow import DifferentiatedFlow
from sesamo_jax.flows.sizes import MOST_NUMBERS, require_particles
from sesamo_jax.geometry.particles import coordinates, positions


@dataclass(frozen=True)
class BlackBoxConfig:
    """Sizes of a black-box flow; the defaults are the paper's for four particles.

    Attributes:
        widths: neurons of each hidden layer.
        steps: classical Runge-Kutta steps, for training.
    """

    widths: tuple[int, ...] = size((64, 64), most=MOST_NUMBERS)
    steps: int = size(20)

    def build(
        self, event_shape: tuple[int, ...], dtype: Any, tolerance: float = 0.0
    ) -> nn.Module:
        """Return the flow for one event shape.

        Args:
            event_shape: (N - 1, D), the coordinates of `particles`.
            dtype: floating type.
            tolerance: of an adaptive integrator; 0 takes `steps` Runge-Kutta steps.

        Raises:
            ValueError: for another shape of events, or a field out of its range.
        """
        require_particles("black_box", event_shape)
        check_fields(self, "flow")
        return BlackBoxFlow(event_shape, self, dtype, tolerance)

    def finer(self) -> "BlackBoxConfig":
        """Return the same flow in four times as many Runge-Kutta steps, for reports."""
        return replace(self, steps=4 * self.steps)


class BlackBoxFlow(DifferentiatedFlow):
    """The flow over unit time; fields as in `IntegratedFlow`."""

    config: BlackBoxConfig = BlackBoxConfig()

    def setup(self) -> None:
        """Create the layers, with zeros in the last: v = 0 at the start."""
        others, dimension = self.event_shape
        ends = (others + 1) * dimension
        shapes = list(pairwise((ends, *self.config.widths, ends)))
        hidden, zeros = nn.initializers.lecun_normal(), nn.initializers.zeros
        starts = [hidden] * (len(shapes) - 1) + [zeros]
        self.layers = [
            (
                self.param(f"matrix_{i}", start, shape, self.dtype),
                self.param(f"bias_{i}", zeros, shape[1:], self.dtype),
            )
            for i, (start, shape) in enumerate(zip(starts, shapes, strict=True))
        ]

    def _field(self) -> Field:
        """Return v for y of shape (N - 1, D)."""
        *hidden, (last_matrix, last_bias) = self.layers

        def field(t: Array, y: Array) -> Array:
            x = positions(y)
            h = x.ravel()
            for matrix, bias in hidden:
                h = jnp.tanh(h @ matrix + bias)
            return coordinates((h @ last_matrix + last_bias).reshape(x.shape))

        return field

"""A graph network of particles as an E(n)-equivariant velocity, for flow matching.

v_i = sum_{j != i} phi_ij (x_i - x_j), where phi_ij depends on time and on the distances
of all particles, through layers of messages. After the graph networks of Satorras,
Hoogeboom, Welling 2021, which Klein, Kraemer, Noe 2023 take, with two simplifications:

- One message per pair, m_ij = m_ji. Hence no net force and no torque, and v loses
  nothing by it: between configurations turned towards each other as well as can be,
  straight paths have neither, and forces along the lines between particles in general
  position span all velocities without them.
- Particles move at the end alone, not between the layers.

A layer takes the messages m_p of pairs p to

    h_i = silu(A mean_{p contains i} m_p + a)
    m_p + silu(B m_p + C (h_i + h_j) + b)

with p = (i, j). The first messages are a layer of bumps exp(-(s - mu)^2 / gamma^2) of
s = (d^2 + 1/4)^(1/2), smooth where particles coincide, and of cosines of time.
"""

from dataclasses import dataclass, replace
from math import pi
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array
from sesamo_jax.core.bounds import check_fields, positive, size
from sesamo_jax.flows.continuous.divergence import Field
from sesamo_jax.flows.continuous.particle_flow import DifferentiatedFlow
from sesamo_jax.flows.sizes import MOST_LAYERS, MOST_NUMBERS, require_particles
from sesamo_jax.geometry.particles import pair_matrix

SOFTENING = 0.5  # in the flow's unit


@dataclass(frozen=True)
class EquivariantGraphConfig:
    """Sizes of an equivariant graph network; lengths in the flow's unit.

    Attributes:
        width: numbers in a message.
        layers: rounds of messages.
        bumps: over distance, evenly on [0, reach], as wide as twice their spacing.
        reach: last centre of a bump.
        time_modes: cosines cos(pi a t), a = 1, 2, ...
        steps: classical Runge-Kutta steps, for training on densities.
    """

    width: int = size(64, most=MOST_NUMBERS)
    layers: int = size(5, most=MOST_LAYERS)
    bumps: int = size(16, least=2, most=MOST_NUMBERS)
    reach: float = positive(8.0)
    time_modes: int = size(4, most=MOST_NUMBERS)
    steps: int = size(5)

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
        require_particles("equivariant_graph", event_shape)
        check_fields(self, "flow")
        return EquivariantGraphFlow(event_shape, self, dtype, tolerance)

    def finer(self) -> "EquivariantGraphConfig":
        """Return the same flow in four times as many Runge-Kutta steps, for reports."""
        return replace(self, steps=4 * self.steps)


class EquivariantGraphFlow(DifferentiatedFlow):
    """The flow over unit time; fields as in `IntegratedFlow`."""

    config: EquivariantGraphConfig = EquivariantGraphConfig()

    def setup(self) -> None:
        """Create matrices and shifts, with zeros in the last: v = 0 at the start."""
        config, width = self.config, self.config.width
        normal, zeros = nn.initializers.lecun_normal(), nn.initializers.zeros

        def create(name: str, size: int) -> Array:
            return self.param(name, normal, (size, width), self.dtype)

        def shift(name: str) -> Array:
            return self.param(name, zeros, (width,), self.dtype)

        inputs = config.bumps + config.time_modes
        self.first = create("inputs", inputs), shift("inputs_shift")
        self.rounds = [
            (
                (create(f"particles_{i}", width), shift(f"particles_{i}_shift")),
                create(f"own_{i}", width),
                (create(f"others_{i}", width), shift(f"others_{i}_shift")),
            )
            for i in range(config.layers)
        ]
        self.last = self.param("last", zeros, (width,), self.dtype)

    def _field(self) -> Field:
        """Return v for y of shape (N - 1, D)."""
        config, particles = self.config, self.event_shape[0] + 1
        to_pairs = jnp.asarray(pair_matrix(particles), self.dtype)
        ends = jnp.asarray(pair_ends(particles), self.dtype)
        centres = np.linspace(0, config.reach, config.bumps)
        spread = 2 * float(centres[1])
        modes = np.arange(1, config.time_modes + 1)

        def field(t: Array, y: Array) -> Array:
            vectors = to_pairs @ y
            d = jnp.sqrt(jnp.sum(vectors**2, axis=1, keepdims=True) + SOFTENING**2)
            bumps = jnp.exp(-(((d - centres.astype(y.dtype)) / spread) ** 2))
            times = jnp.cos(jnp.asarray(pi * t * modes, y.dtype))
            matrix, shift = self.first
            known = bumps @ matrix[: config.bumps] + times @ matrix[config.bumps :]
            messages = nn.silu(known + shift)
            for (inward, inward_shift), own, (outward, outward_shift) in self.rounds:
                mean = ends.T @ messages / (particles - 1)
                h = nn.silu(mean @ inward + inward_shift)
                change = messages @ own + ends @ (h @ outward) + outward_shift
                messages = messages + nn.silu(change)
            return to_pairs.T @ ((messages @ self.last)[:, None] * vectors)

        return field


def pair_ends(particles: int) -> np.ndarray:
    """Return which particles are in the pairs i < j, 1 or 0, (pairs, N)."""
    pairs = np.stack(np.triu_indices(particles, 1), axis=1)
    return (pairs[:, :, None] == np.arange(particles)).sum(axis=1)

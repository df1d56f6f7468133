"""The kernel flow of particles, with div v in closed form (Koehler, Klein, Noe 2020).

v_i = sum_{j != i} phi(d_ij, t) (x_i - x_j), where (eq. 1, in the form it was run in)

    phi(d, t) = sum_l R_l(t) [sum_m (K_m(d) + s_m^2) W_ml + b_l]

with normalised Gaussian bumps K_m = g_m / (10^-6 + sum_k g_k), g_m =
exp(-(d - mu_m)^2 / gamma_m^2), and R_l likewise over time. v is the gradient of a sum
over pairs: it commutes with permutations, rotations and reflections, and it leaves the
centre of mass alone. Its divergence is 2 sum_{i<j} [d_ij phi'(d_ij) + D phi(d_ij)]; a
pair i = i has no place in either.
"""

from dataclasses import dataclass, replace
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array
from sesamo_jax.core.bounds import bounded, check_fields, choice, positive, size
from sesamo_jax.flows.continuous.integrate import Velocity
from sesamo_jax.flows.continuous.particle_flow import IntegratedFlow
from sesamo_jax.flows.sizes import MOST_NUMBERS, require_particles
from sesamo_jax.geometry.particles import lengths, pair_matrix

CENTRES = ("even", "quadratic")
FLOOR = 1e-6  # of the sum of bumps, beyond the last of which K falls to 0
TURN = 1.5 / 16  # where among the `quadratic` centres that at distance 0 is
NARROWEST = 1.5  # distance where `quadratic` bumps are narrowest
# The authors start s at 0, where the gradient of s^2 vanishes: it then stays there.
IMPORTANCE = 0.1


@dataclass(frozen=True)
class KernelConfig:
    """Sizes of a kernel flow, 620 parameters by default; lengths in the flow's unit.

    The defaults are the authors' for double wells. For 13 Lennard-Jones particles they
    took `quadratic` centres with a reach of 6.57 and a width of 0.3.

    Attributes:
        kernels: bumps over distance.
        time_kernels: bumps over time, evenly on [0, 1].
        centres: `even` on [0, reach], all of one width; or `quadratic`, the squares of
            even numbers on both sides of 0, with widths that grow with the distance
            from 1.5, and times whose widths grow towards both ends.
        reach: last centre of a bump over distance. A few widths beyond it phi drops to
            a constant within a fraction of one: no step is short enough for pairs that
            cross this edge, which makes itself felt in the integration error.
        width: of a bump over distance at the start, of `quadratic` ones the smallest.
        time_width: of a bump over time at the start, of `quadratic` ones that in the
            middle, times sqrt(time_kernels).
        gain: standard deviation of W at the start, times sqrt(kernels).
        steps: classical Runge-Kutta steps, for training.
        tolerance: of an adaptive integrator instead of these steps, whose gradient is
            that of the adjoint equation; 0 for none.
    """

    kernels: int = size(50, most=MOST_NUMBERS)
    time_kernels: int = size(10, most=MOST_NUMBERS)
    centres: str = choice("even", CENTRES)
    reach: float = positive(8.0)
    width: float = positive(0.5)
    time_width: float = positive(0.3)
    gain: float = bounded(1.0, least=0)
    steps: int = size(20)
    tolerance: float = bounded(0.0, least=0)

    def build(
        self, event_shape: tuple[int, ...], dtype: Any, tolerance: float = 0.0
    ) -> nn.Module:
        """Return the flow for one event shape.

        Args:
            event_shape: (N - 1, D), the coordinates of `particles`.
            dtype: floating type.
            tolerance: of an adaptive integrator; 0 takes the configured integrator.

        Raises:
            ValueError: for another shape of events, or a field out of its range.
        """
        require_particles("kernel", event_shape)
        check_fields(self, "flow")
        return KernelFlow(event_shape, self, dtype, tolerance or self.tolerance)

    def finer(self) -> "KernelConfig":
        """Return the same flow in four times as many steps, or to a tenth of tolerance.

        For reports.
        """
        return replace(self, steps=4 * self.steps, tolerance=self.tolerance / 10)

    def distance_bumps(self) -> tuple[np.ndarray, np.ndarray]:
        """Return centres and widths of the bumps over distance, (kernels,) each."""
        if self.centres == "even":
            return (
                np.linspace(0, self.reach, self.kernels),
                np.full(self.kernels, self.width),
            )
        squares = (np.linspace(0, 1, self.kernels) - TURN) ** 2
        centres = self.reach / (1 - TURN) ** 2 * np.sort(squares)
        return centres, self.width + 3 / 64 * (centres - NARROWEST) ** 2

    def time_bumps(self) -> tuple[np.ndarray, np.ndarray]:
        """Return centres and widths of the bumps over time, (time_kernels,) each."""
        centres = np.linspace(0, 1, self.time_kernels)
        if self.centres == "even":
            return centres, np.full(self.time_kernels, self.time_width)
        widths = self.time_width + (centres - 0.5) ** 2 / 2
        return centres, widths / self.time_kernels**0.5


class KernelFlow(IntegratedFlow):
    """The flow over unit time; fields as in `IntegratedFlow`."""

    config: KernelConfig = KernelConfig()

    def setup(self) -> None:
        """Create W, b, s and the logarithms of all widths; the centres are fixed."""
        config, dtype = self.config, self.dtype
        sizes = (config.kernels, config.time_kernels)
        centres, widths = config.distance_bumps()
        times, time_widths = config.time_bumps()
        self.centres, self.times = centres.astype(dtype), times.astype(dtype)
        normal = nn.initializers.normal(config.gain / config.kernels**0.5)
        constant = nn.initializers.constant(IMPORTANCE)
        self.weights = self.param("weights", normal, sizes, dtype)
        self.bias = self.param("bias", nn.initializers.zeros, sizes[1:], dtype)
        self.importance = self.param("importance", constant, sizes[:1], dtype)
        self.log_widths = self.param(
            "log_widths", lambda _: jnp.asarray(np.log(widths), dtype)
        )
        self.log_time_widths = self.param(
            "log_time_widths", lambda _: jnp.asarray(np.log(time_widths), dtype)
        )

    def _velocity(self) -> Velocity:
        """Return v for y of shape (N - 1, D)."""
        others, dimension = self.event_shape
        to_pairs = jnp.asarray(pair_matrix(others + 1), self.dtype)

        def velocity(t: Array, y: Array) -> tuple[Array, Array]:
            bumps, _ = _bumps(jnp.asarray(t, y.dtype), self.times, self.log_time_widths)
            times = bumps / (FLOOR + jnp.sum(bumps))
            weights = self.weights @ times
            offset = self.importance**2 @ weights + self.bias @ times
            vectors = to_pairs @ y
            d = lengths(vectors)
            bumps, slopes = _bumps(d[:, None], self.centres, self.log_widths)
            sums = jnp.stack([weights, jnp.ones_like(weights)], axis=1)
            weighted, total = (bumps @ sums).T
            weighted_slope, total_slope = (slopes @ sums).T
            mean = weighted / (FLOOR + total)
            phi = mean + offset
            slope = (weighted_slope - mean * total_slope) / (FLOOR + total)
            v = to_pairs.T @ (phi[:, None] * vectors)
            return v, 2 * jnp.sum(d * slope + dimension * phi)

        # Gradients that store all bumps of all pairs at all times, instead of computing
        # them again, take three times as long.
        return jax.checkpoint(velocity)


def _bumps(x: Array, centres: np.ndarray, log_widths: Array) -> tuple[Array, Array]:
    """Return Gaussian bumps exp(-(x - centre)^2 / width^2) and their slopes in x."""
    inverse = jnp.exp(-log_widths)
    scaled = (x - centres) * inverse
    bumps = jnp.exp(-(scaled**2))
    return bumps, -2 * scaled * inverse * bumps

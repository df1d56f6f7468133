"""Equivariant continuous flows on a lattice, x' = v(x, t), with div v in closed form.

For a field of n real components, v_j = sum_k sum_f W_f(j - k, t) h_f(|x_k|^2) x_k with
h_0 = 1 and Gaussian bumps h_f. The kernels depend on a displacement only through its
class under reflections and exchanges of axes, so v commutes with all symmetries of the
lattice and with O(n): the sign of a real field, phases and conjugation of a complex
one. Only W(0) enters the divergence.

On the even sites of a lattice, whose action is a function of neighbour sums, the sum
over k goes over all sites: in place of x_k an odd site has the mean s_k of its 2 d
neighbours, and adds 2 sum_mu W(mu) d(h s)/ds / (2 d) to the divergence.

After de Haan, Rainone, Cheng, Bondesan 2021 and Gerdes, de Haan, Rainone, Bondesan,
Cheng 2022, who treat real fields on all sites.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import pi, prod
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array
from sesamo_jax.core.bounds import check_fields, positive, size
from sesamo_jax.flows.continuous.integrate import Velocity, adaptive, runge_kutta
from sesamo_jax.flows.continuous.lattice_kernel import LatticeKernel
from sesamo_jax.flows.sizes import MOST_NUMBERS
from sesamo_jax.geometry.lattice import Lattice, displacement_classes
from sesamo_jax.geometry.sublattice import EvenSites

LARGEST_DENSE = 200  # sites, beyond which Fourier transforms are faster

Prepare = Callable[[Array], tuple[Array, Array]]
"""t -> the kernel then, and the factors of its divergence."""
Act = Callable[[tuple[Array, Array], Array], tuple[Array, Array]]
"""(what is prepared of t, x) -> (v, div v)."""

# The parameter with an entry per class of displacements.
PER_DISPLACEMENT = "kernel"


@dataclass(frozen=True)
class ContinuousConfig:
    """Sizes of an equivariant continuous flow of a real field.

    Attributes:
        features: functions h of |x|^2, the constant included.
        reach: bumps are centred evenly on [0, reach], in units of the mean square.
        width: of a bump, in the same units.
        time_modes: cosines cos(pi a t), a = 0, 1, ..., in the kernels.
        steps: Runge-Kutta steps, for training.
        slope: bound on |dv/dx| per step, kept by scaling v down. Without it, or with
            few steps, training learns to exploit the error of integration.
    """

    features: int = size(7, least=3, most=MOST_NUMBERS)
    reach: float = positive(4.0)
    width: float = positive(0.8)
    time_modes: int = size(3, most=MOST_NUMBERS)
    steps: int = size(8)
    slope: float = positive(0.5)

    def build(
        self, event_shape: tuple[int, ...], dtype: Any, tolerance: float = 0.0
    ) -> nn.Module:
        """Return the flow for one event shape.

        Args:
            event_shape: the lattice.
            dtype: floating type.
            tolerance: of an adaptive integrator; 0 takes `steps` Runge-Kutta steps.

        Raises:
            ValueError: for a field out of its range.
        """
        check_fields(self, "flow")
        return ContinuousFlow(Lattice(event_shape), self, dtype, tolerance)

    def build_on_even_sites(
        self,
        sites: EvenSites,
        event_shape: tuple[int, ...],
        dtype: Any,
        tolerance: float = 0.0,
    ) -> nn.Module:
        """Return the flow on the even sites of a lattice; see `build`."""
        check_fields(self, "flow")
        return ContinuousFlow(sites, self, dtype, tolerance)

    def finer(self) -> "ContinuousConfig":
        """Return the same flow in four times as many Runge-Kutta steps, for reports."""
        return replace(self, steps=4 * self.steps, slope=self.slope / 4)


class ContinuousFlow(nn.Module):
    """The flow of a real field over unit time.

    Attributes:
        lattice: on whose sites the field lives.
        config: sizes.
        dtype: floating type.
        tolerance: of the adaptive integrator; 0 takes Runge-Kutta steps.
        components: of the field.
    """

    lattice: Lattice
    config: ContinuousConfig = ContinuousConfig()
    dtype: Any = jnp.float32
    tolerance: float = 0.0
    components: int = 1

    def setup(self) -> None:
        """Create the kernels, one number per class of displacements; all 0, v = 0."""
        classes, first = displacement_classes(self.lattice.extents)
        sizes = (self.config.time_modes, self.config.features, first.size)
        raw = self.param(PER_DISPLACEMENT, nn.initializers.zeros, sizes, self.dtype)
        # A step of the optimiser then moves v as far through one class as another.
        self.kernel = raw / np.bincount(classes.ravel()).astype(self.dtype)

    def _parts(self) -> tuple[Prepare, Act]:
        """Return what v needs of a time, and v for x of shape (components, sites)."""
        config = self.config
        centres = np.linspace(0, config.reach, config.features - 1)
        times = np.arange(config.time_modes)
        kernel = LatticeKernel(self.kernel, self.lattice, self.dtype)
        small = prod(self.lattice.shape) <= LARGEST_DENSE
        fill, at_time, convolve = kernel.dense() if small else kernel.fourier()
        steepness = kernel.steepness(centres, config.width)
        divergences = kernel.divergences()

        def prepare(t: Array) -> tuple[Array, Array]:
            weights = jnp.cos(pi * t * times).astype(self.dtype)
            excess = steepness(weights) / (config.slope * config.steps)
            weights = weights / (1 + excess**4) ** 0.25
            return at_time(weights), divergences(weights)

        # A loop over features and components, and no reduction over either: XLA's CPU
        # programs for the gradient of such reductions are several times slower.
        def act(prepared: tuple[Array, Array], x: Array) -> tuple[Array, Array]:
            kernel_then, local = prepared
            parts = [fill(part) for part in x]
            square = sum((part**2 for part in parts), jnp.zeros_like(parts[0]))
            values = [jnp.ones_like(square)]
            rate = self.components * local[0] * jnp.ones_like(square)
            for f, centre in enumerate(centres.tolist(), start=1):
                u = (square - centre) / config.width
                bump = jnp.exp(u**2 * -0.5)
                values.append(bump)
                # div (h x) = n h + 2 |x|^2 h'
                slope = self.components - 2 * square * u / config.width
                rate = rate + local[f] * bump * slope
            fields = [jnp.concatenate([part * h for h in values]) for part in parts]
            v = jnp.stack(convolve(kernel_then, fields))
            return v, jnp.sum(rate)

        return prepare, act

    def _velocity(self) -> Velocity:
        """Return v for x of shape (components, sites)."""
        prepare, act = self._parts()
        return lambda t, x: act(prepare(t), x)

    def _integrate(self, x: Array, start: float, end: float) -> tuple[Array, Array]:
        if self.tolerance:
            return adaptive(self._velocity(), x, start, end, self.tolerance)
        prepare, act = self._parts()
        return runge_kutta(act, x, start, end, self.config.steps, prepare=prepare)

    def forward_and_log_det(self, z: Array) -> tuple[Array, Array]:
        """Return y = g(z) and log|det dy/dz| for one event."""
        y, log_det = self._integrate(z.reshape(1, -1), 0.0, 1.0)
        return y.reshape(z.shape), log_det

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """Return z = g^-1(y) and log|det dz/dy|, up to the error of integration."""
        z, log_det = self._integrate(y.reshape(1, -1), 1.0, 0.0)
        return z.reshape(y.shape), log_det

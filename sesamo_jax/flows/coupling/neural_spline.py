"""Neural spline flow: couplings of monotone splines on the flattened configuration.

Durkan, Bekasov, Murray, Papamakarios 2019, arXiv:1906.04032, in the form with
couplings, whose inverse is as quick as they are. In one dimension it is one spline, and
nothing has to be conditioned on anything.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from sesamo_jax.core import Array
from sesamo_jax.core.bounds import check_fields, choice, positive, size
from sesamo_jax.flows.coupling.affine_spline import (
    AffineSpline,
    affine_spline,
    raw_numbers,
)
from sesamo_jax.flows.coupling.conditioner import ACTIVATIONS, MLP
from sesamo_jax.flows.coupling.flat import FlatCouplings, merge, split
from sesamo_jax.flows.sizes import MOST_LAYERS, MOST_NUMBERS


@dataclass(frozen=True)
class NeuralSplineConfig:
    """Sizes of a neural spline flow of events of any shape.

    An event of one component takes one spline, for which `couplings` and the sizes of
    networks are of no use.

    Attributes:
        couplings: number of couplings; even and odd components change in turn.
        layers: hidden-to-hidden layers of each network.
        width: neurons per hidden layer.
        activation: `relu`, `gelu`, `silu` or `tanh`.
        bins: segments of each spline.
        bound: splines act on [-bound, bound], in units of the base's standard
            deviation unless `base.whiten` is False; outside, maps are linear.
        log_scale_bound: bound on the logarithms of scales, and of the splines' bin
            sizes and slopes up to constants.
    """

    couplings: int = size(4, most=MOST_LAYERS)
    layers: int = size(1, least=0, most=MOST_LAYERS)
    width: int = size(40, most=MOST_NUMBERS)
    activation: str = choice("silu", ACTIVATIONS)
    bins: int = size(8, most=1000)
    bound: float = positive(5.0)
    log_scale_bound: float = positive(2.0)

    def build(self, event_shape: tuple[int, ...], dtype: Any) -> nn.Module:
        """Return the flow for one event shape.

        Raises:
            ValueError: for a field out of its range.
        """
        check_fields(self, "flow")
        return NeuralSplines(event_shape, self, dtype)


class NeuralSplineCoupling(nn.Module):
    """y_a = S(x_a exp(s) + t), y_b = x_b, all functions of x_b, for one event (size,).

    Attributes:
        even: a are the components of even flat index, b the odd ones; else vice versa.
        config: sizes.
        dtype: floating type.
    """

    even: bool
    config: NeuralSplineConfig
    dtype: Any

    @nn.compact
    def maps(self, passive: Array, size: int) -> AffineSpline:
        """Return the maps of `size` components."""
        c = self.config
        shape = (size, raw_numbers(c.bins))
        if not passive.size:
            # Without a network, whose many weights move each number at once.
            zeros = nn.initializers.zeros
            raw = self.param("raw", zeros, shape, self.dtype)
            return affine_spline(raw, c.bound, c.log_scale_bound, gain=1.0)
        network = MLP(c.width, c.layers, prod(shape), c.activation, dtype=self.dtype)
        raw = network(passive).reshape(shape)
        return affine_spline(raw, c.bound, c.log_scale_bound)

    def forward_and_log_det(self, z: Array) -> tuple[Array, Array]:
        """Return y and sum (s + log S')."""
        active, passive = split(z, self.even)
        y, slopes = self.maps(passive, active.size).forward_and_log_det(active)
        return merge(y, passive, self.even), jnp.sum(slopes)

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """Return z and -sum (s + log S')."""
        active, passive = split(y, self.even)
        z, slopes = self.maps(passive, active.size).inverse_and_log_det(active)
        return merge(z, passive, self.even), jnp.sum(slopes)


class NeuralSplines(FlatCouplings):
    """Spline couplings in turn on the even and the odd flat components.

    They start as the identity, up to rounding.
    """

    coupling = NeuralSplineCoupling

    config: NeuralSplineConfig = NeuralSplineConfig()

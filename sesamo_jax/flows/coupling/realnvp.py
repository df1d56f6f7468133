"""RealNVP: affine couplings on the flattened configuration."""

from dataclasses import dataclass
from math import prod
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from sesamo_jax.core import Array
from sesamo_jax.core.bounds import bounded, check_fields, choice, size
from sesamo_jax.flows.coupling import score
from sesamo_jax.flows.coupling.conditioner import ACTIVATIONS, INITS, MLP
from sesamo_jax.flows.coupling.flat import FlatCouplings, merge, split
from sesamo_jax.flows.sizes import MOST_LAYERS, MOST_NUMBERS


@dataclass(frozen=True)
class RealNVPConfig:
    """Sizes of a RealNVP; the paper has 6, 4, 40 on two components (Table 3).

    Attributes:
        couplings: N_C.
        layers: N_L, hidden-to-hidden layers of each network.
        width: N_N, neurons per hidden layer.
        activation: `relu`, `gelu`, `silu` or `tanh`.
        init: `identity` (the flow starts as the identity) or `paper`.
        shared: one network with two outputs for s and t, instead of one each.
        log_scale_bound: s is bound * tanh(raw / bound); 0 leaves it raw.
    """

    couplings: int = size(4, most=MOST_LAYERS)
    layers: int = size(1, least=0, most=MOST_LAYERS)
    width: int = size(40, most=MOST_NUMBERS)
    activation: str = choice("silu", ACTIVATIONS)
    init: str = choice("identity", INITS)
    shared: bool = True
    log_scale_bound: float = bounded(2.0, least=0)

    def build(self, event_shape: tuple[int, ...], dtype: Any) -> nn.Module:
        """Return the flow for one event shape.

        Raises:
            ValueError: for a field out of its range, or an event of one component,
                which leaves nothing to condition on.
        """
        if prod(event_shape) < 2:
            raise ValueError(
                f"flow 'realnvp' needs at least two components, got event "
                f"{event_shape}: use flow 'neural_spline'"
            )
        check_fields(self, "flow")
        return RealNVP(event_shape, self, dtype)


class AffineCoupling(nn.Module):
    """y_a = x_a exp(s(x_b)) + t(x_b), y_b = x_b for one event (size,).

    Attributes:
        even: a are the components of even flat index, b the odd ones; else vice versa.
        config: sizes.
        dtype: floating type.
    """

    even: bool
    config: RealNVPConfig
    dtype: Any

    def _network(self, out: int, name: str) -> MLP:
        c = self.config
        return MLP(c.width, c.layers, out, c.activation, c.init, self.dtype, name=name)

    @nn.compact
    def log_scale_and_shift(self, passive: Array, size: int) -> tuple[Array, Array]:
        """Return s and t, each of the given size."""
        if self.config.shared:
            raw, shift = jnp.split(self._network(2 * size, "s_and_t")(passive), 2)
        else:
            raw = self._network(size, "s")(passive)
            shift = self._network(size, "t")(passive)
        bound = self.config.log_scale_bound
        # |s| <= bound: exp cannot overflow, and the slope at 0 stays 1.
        return (bound * jnp.tanh(raw / bound) if bound else raw), shift

    def forward_and_log_det(self, z: Array) -> tuple[Array, Array]:
        """Return y and sum s."""
        active, passive = split(z, self.even)
        log_scale, shift = self.log_scale_and_shift(passive, active.size)
        y = merge(active * jnp.exp(log_scale) + shift, passive, self.even)
        return y, jnp.sum(log_scale)

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """Return z and -sum s."""
        active, passive = split(y, self.even)
        log_scale, shift = self.log_scale_and_shift(passive, active.size)
        z = merge((active - shift) * jnp.exp(-log_scale), passive, self.even)
        return z, -jnp.sum(log_scale)

    def forward_with_score(
        self, z: Array, score_z: Array
    ) -> tuple[Array, Array, Array]:
        """Return y, sum s and the score of y's density from that of z's."""
        active, passive = split(z, self.even)
        score_active, score_passive = split(score_z, self.even)
        y, log_det, score_active, added = score.affine(
            self,
            lambda coupling, x: coupling.log_scale_and_shift(x, active.size),
            active,
            passive,
            score_active,
        )
        score_y = merge(score_active, score_passive + added, self.even)
        return merge(y, passive, self.even), log_det, score_y


class RealNVP(FlatCouplings):
    """Affine couplings in turn on the even and the odd flat components, at least two.

    With the paper's sizes and separate networks for s and t it has 80,172 parameters on
    two components and, with a width of 100, 563,184 on 64.
    """

    coupling = AffineCoupling

    config: RealNVPConfig = RealNVPConfig()

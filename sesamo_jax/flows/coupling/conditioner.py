"""The networks inside couplings."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from sesamo_jax.core import Array, Key

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": nn.relu,
    "gelu": nn.gelu,
    "silu": nn.silu,
    "tanh": jnp.tanh,
}
INITS = ("identity", "paper")


class MLP(nn.Module):
    """Dense network in -> width -> (layers times) width -> out on one event.

    `layers` counts as N_L does in Table 3, which leaves out the first layer: N_L = 4
    has five activations and six weight matrices.

    Initialisation `identity` zeroes the last layer, so that a coupling starts as the
    identity; `paper` follows the authors' package: Xavier normal for the first and the
    last matrix, uniform(+-1/sqrt(fan_in)) for the inner ones and all biases.

    Attributes:
        width: neurons per hidden layer, N_N.
        layers: hidden-to-hidden layers, N_L.
        out: outputs.
        activation: a key of `ACTIVATIONS`.
        initialization: one of `INITS`.
        dtype: floating type of parameters and results.
    """

    width: int
    layers: int
    out: int
    activation: str = "relu"
    initialization: str = "identity"
    dtype: Any = jnp.float32

    def _dense(self, out: int, fan_in: int, kind: str) -> nn.Dense:
        bias_init: Callable = nn.initializers.zeros
        if self.initialization == "paper":
            bias_init = _uniform_bias(fan_in)
            inner = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
            kernel_init = inner if kind == "inner" else nn.initializers.xavier_normal()
        elif kind == "last":
            kernel_init = nn.initializers.zeros
        else:
            kernel_init = nn.initializers.he_normal()
        return nn.Dense(
            out,
            dtype=self.dtype,
            param_dtype=self.dtype,
            kernel_init=kernel_init,
            bias_init=bias_init,
        )

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Map (in,) to (out,)."""
        activation = ACTIVATIONS[self.activation]
        h = activation(self._dense(self.width, x.shape[-1], "first")(x))
        for _ in range(self.layers):
            h = activation(self._dense(self.width, self.width, "inner")(h))
        return self._dense(self.out, self.width, "last")(h)


def _uniform_bias(fan_in: int) -> Callable:
    def init(key: Key, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        bound = fan_in**-0.5
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init

"""The penalty Lambda that keeps the flow inside the cell (eqs. 11, 32, 34)."""

import jax
import jax.numpy as jnp

from sesamo_jax.core import Array


def penalty(margins: Array, amplitude: Array | float, sharpness: float) -> Array:
    """Return Lambda = sum over borders of A sigmoid(B lambda) for lambda > 0, else 0.

    It jumps from 0 to A/2 on the border, and its gradient, A B / 4 there, fades as
    exp(-B lambda): with the authors' A = 1000 and B = 100 a sample further out than
    0.2 feels no pull at all. A small B reaches further.

    Args:
        margins: lambda, (..., borders), in the units of x.
        amplitude: A, in units of the action.
        sharpness: B, per unit of lambda.
    """
    outside = amplitude * jax.nn.sigmoid(sharpness * margins)
    return jnp.sum(jnp.where(margins > 0, outside, 0.0), axis=-1)

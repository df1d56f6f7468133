"""The unit sphere S^{N-1}: rotations that reach its points, and integrals over it."""

from math import gamma, pi

import jax.numpy as jnp
from jax.scipy.special import i0e, i1e

from sesamo_jax.core import Array

COMPONENTS = (2, 3, 4)  # of fields that O(N) turns, as far as laws are known
SMALL = 1e-3  # below, a series has more digits than the closed form in float32


def polar(v: Array) -> tuple[Array, Array]:
    """Return |v| and v / |v| of a vector (N,), the first axis where v = 0.

    Numerics: their derivatives at v = 0, which do not exist, come out as 0.
    """
    square = jnp.sum(v**2)
    known = square > 0
    norm = jnp.sqrt(jnp.where(known, square, 1))  # where twice: no root at 0
    axis = jnp.zeros_like(v).at[0].set(1)
    return jnp.where(known, norm, 0), jnp.where(known, v / norm, axis)


def turn(direction: Array, x: Array, back: bool = False) -> Array:
    """Return R x, where R is a rotation that takes the first axis to a direction.

    With c = omega_1 >= 0 it turns in the plane of both; for c < 0 R(omega) =
    -R(-omega). No other c would be as safe: the formula divides by 1 + |c|.

    Args:
        direction: omega, a unit vector (N,).
        x: vectors, (..., N).
        back: whether to apply R^-1 instead.
    """
    sign = jnp.where(direction[0] < 0, -1, 1).astype(x.dtype)
    own, rest = sign * x[..., :1], sign * x[..., 1:]
    c, s = sign * direction[0], sign * direction[1:]
    s = -s if back else s
    along = jnp.sum(s * rest, axis=-1, keepdims=True)
    turned = rest + s * (own - along / (1 + c))
    return jnp.concatenate([c * own - along, turned], axis=-1)


def surface(components: int) -> float:
    """Return |S^{N-1}|, the surface of the unit sphere in N dimensions."""
    return 2 * pi ** (components / 2) / gamma(components / 2)


def log_mean_exp_on_sphere(kappa: Array, components: int) -> Array:
    """Return log of the mean of exp(kappa (omega_1 - 1)) over the unit sphere.

    With kappa added it is log I_0(kappa) for N = 2, log(sinh(kappa) / kappa) for N = 3
    and log(2 I_1(kappa) / kappa) for N = 4.

    Args:
        kappa: >= 0, of any shape.
        components: N = 2, 3 or 4.

    Numerics: scaled Bessel functions do not overflow. The ratios at small kappa have
    the series 1 + kappa^2 / (2 N), up to exp(-kappa).
    """
    if components == 2:
        return jnp.log(i0e(kappa))
    small = kappa < SMALL
    safe = jnp.where(small, 1, kappa)
    if components == 3:
        ratio = -jnp.expm1(-2 * safe) / (2 * safe)
    else:
        ratio = 2 * i1e(safe) / safe
    series = kappa**2 / (2 * components) - kappa
    return jnp.where(small, series, jnp.log(ratio))

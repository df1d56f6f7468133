"""Couplings one after the other."""

from collections.abc import Sequence

import jax.numpy as jnp

from sesamo_jax.core import Array, Bijection


def forward(chain: Sequence[Bijection], z: Array) -> tuple[Array, Array]:
    """Apply all in order; return the result and the sum of the log-determinants."""
    log_det = jnp.zeros((), z.dtype)
    for bijection in chain:
        z, added = bijection.forward_and_log_det(z)
        log_det = log_det + added
    return z, log_det


def inverse(chain: Sequence[Bijection], y: Array) -> tuple[Array, Array]:
    """Undo all, the last first; return the result and the sum of log-determinants."""
    log_det = jnp.zeros((), y.dtype)
    for bijection in reversed(chain):
        y, added = bijection.inverse_and_log_det(y)
        log_det = log_det + added
    return y, log_det

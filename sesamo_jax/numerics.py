"""Small numerical helpers, each with the argument why it is safe."""

import jax.numpy as jnp
from jax.nn import logsumexp

from sesamo_jax.core import Array


def log_mean_exp(log_values: Array, axis: int | None = None) -> Array:
    """Return log(mean(exp(log_values))).

    Numerics: the maximum is taken out first, so no term overflows; entries of -inf
    (weights of zero) are allowed.
    """
    count = log_values.size if axis is None else log_values.shape[axis]
    return logsumexp(log_values, axis=axis) - jnp.log(count)


def batch_ess(log_w: Array, log_share: Array | None = None) -> Array:
    """Return the effective sample size per sample, E[w]^2 / E[w^2], a scalar.

    The estimate of one batch inside a jitted program; `estimators.ess` is the one with
    an error.

    Args:
        log_w: log weights.
        log_share: log probabilities to average them with; None for equal ones.

    Numerics: in logs, 2 log E[w] - log E[w^2] is shift invariant and cannot overflow;
    rounding can lift it above log 1, hence the minimum.
    """
    if log_share is None:
        log_share = jnp.full_like(log_w, -jnp.log(log_w.size))
    log_ess = 2 * logsumexp(log_share + log_w) - logsumexp(log_share + 2 * log_w)
    return jnp.exp(jnp.minimum(log_ess, 0.0))

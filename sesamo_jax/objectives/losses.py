"""Training objectives: functions of arrays that know no network.

log_w = -f(x) - log q(x) are the log weights of eq. 18 and Lambda the penalties, one
entry per sample. Every objective returns a scalar to minimise; which part of log_w
carries gradients decides the caller, see `training.loss`.
"""

from jax import lax
from jax import numpy as jnp
from jax.nn import softmax

from sesamo_jax.core import Array
from sesamo_jax.numerics import log_mean_exp


def reverse_kl(log_w: Array, penalty: Array) -> Array:
    """Return mean(-log w + Lambda), the negative ELBO of eq. 4 plus the penalty.

    Its pathwise gradient with respect to a learned p_S vanishes in expectation
    (App. J), so it cannot train one.
    """
    return jnp.mean(penalty - log_w)


def self_reparam(log_w: Array, penalty: Array, gamma: float) -> Array:
    """Return reverse KL + gamma log Z-hat, the self-reparametrised KL (eq. 18).

    For the parameter b of a learned law, autodiff gives
    -gamma sum_i W_i dlog p_S(u_i)/db with normalised weights W; eq. 63 has the
    opposite sign, which is wrong since d log w = -d log q.

    For the flow's parameters the extra term has no signal, only noise: the true log Z
    does not depend on them.
    """
    return reverse_kl(log_w, penalty) + gamma * log_mean_exp(log_w)


def reinforce(log_w: Array, penalty: Array, log_p_u: Array) -> Array:
    """Return reverse KL with a score-function term for p_S, baseline the batch mean.

    The gradient with respect to p_S is mean_i (KL_i - mean KL) dlog p_S(u_i), with
    KL_i = -log w_i and no penalty in the reward; the flow keeps its pathwise gradient.
    This is the objective of the paper's later version.
    """
    reward = lax.stop_gradient(jnp.mean(log_w) - log_w)
    return reverse_kl(log_w, penalty) + jnp.mean(reward * log_p_u)


def forward_kl(log_w: Array) -> Array:
    """Return sum_i W_i log w_i with W = softmax(log w), an estimate of KL(p|q) + log Z.

    Self-normalised weights turn samples of q into ones of p, so only gradients of log q
    at fixed x are needed: for laws over discrete variables, whose samples have none,
    and without derivatives of the action. W carries no gradient.
    """
    weights = lax.stop_gradient(softmax(log_w))
    # A weight of 0, log w = -inf, contributes nothing.
    return jnp.sum(jnp.where(weights > 0, weights * log_w, 0.0))


def rao_blackwell(log_w: Array, penalty: Array, log_p_u: Array) -> Array:
    """Return reverse KL with the sum over u in place of a sampled u.

    mean_i sum_u p_S(u | y_i) (-log w_iu) + Lambda_i trains a learned law without bias,
    without score functions and without the noise of u.

    Args:
        log_w: log weights of all images, (n, |G|).
        penalty: (n,).
        log_p_u: log p_S(u | y_i), (n, |G|).
    """
    expected = jnp.sum(jnp.exp(log_p_u) * log_w, axis=1)
    return jnp.mean(penalty - expected)

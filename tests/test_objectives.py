"""Training objectives as functions of arrays, on a toy with one broken Z2."""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_mean
from tolerances import F64

from sesamo_jax.objectives import losses as objectives

GAMMA = 0.5


# A toy in one dimension: y > 0 from a half normal of width 2, x = -y with probability
# e^b, and an action that favours x < 0.
def toy_action(x):
    return (x**2 - 4) ** 2 / 8 + 0.4 * x


def toy_log_p(b, u):
    return jnp.where(u == 1, b, jnp.log1p(-jnp.exp(b)))


def toy_log_w(b, y, u):
    log_q = jnp.log(2.0) - y**2 / 8 - jnp.log(2 * np.sqrt(2 * np.pi))
    return -toy_action(jnp.where(u == 1, -y, y)) - log_q - toy_log_p(b, u)


def toy_score(b, u):
    """Return dlog p(u)/db, written out."""
    return np.where(np.asarray(u) == 1, 1.0, -np.exp(b) / (1 - np.exp(b)))


def toy_draw(b, n, key):
    y_key, u_key = jax.random.split(key)
    y = 2 * jnp.abs(jax.random.normal(y_key, (n,)))
    return y, jax.random.bernoulli(u_key, np.exp(b), (n,)).astype(int)


def toy_flip_probability():
    x = np.linspace(1e-3, 10, 20_000)
    negative, positive = np.exp(-toy_action(-x)).sum(), np.exp(-toy_action(x)).sum()
    return negative / (negative + positive)


@pytest.fixture
def batch(rng):
    """Log weights and penalties with nothing special about them."""
    return jnp.asarray(rng.normal(size=7)), jnp.asarray(rng.uniform(size=7))


def test_reverse_kl_is_the_mean_of_penalty_less_log_weight(batch):
    log_w, lam = batch
    loss = objectives.reverse_kl(log_w, lam)
    np.testing.assert_allclose(loss, sum(lam - log_w) / 7, atol=F64)


def test_self_reparam_adds_gamma_log_z_and_is_reverse_kl_at_gamma_zero(batch):
    log_w, lam = batch
    plain = objectives.reverse_kl(log_w, lam)
    np.testing.assert_array_equal(objectives.self_reparam(log_w, lam, 0.0), plain)
    loss = objectives.self_reparam(log_w, lam, GAMMA)
    log_z = np.log(np.mean(np.exp(log_w)))
    np.testing.assert_allclose(loss - plain, GAMMA * log_z, atol=F64)


def test_shifting_the_action_moves_the_losses(batch, rng):
    """By c, or by (1 - gamma) c where gamma log Z-hat takes part of it back."""
    (log_w, lam), c = batch, 3.7
    log_p = jnp.asarray(rng.normal(size=7))
    for loss, moved in (
        (objectives.reverse_kl, c),
        (partial(objectives.self_reparam, gamma=GAMMA), (1 - GAMMA) * c),
        (partial(objectives.reinforce, log_p_u=log_p), c),
    ):
        change = loss(log_w - c, lam) - loss(log_w, lam)
        np.testing.assert_allclose(change, moved, atol=F64)
    images = jnp.asarray(rng.normal(size=(7, 3)))
    log_p = jax.nn.log_softmax(jnp.asarray(rng.normal(size=(7, 3))))
    rao_blackwell = objectives.rao_blackwell
    change = rao_blackwell(images - c, lam, log_p) - rao_blackwell(images, lam, log_p)
    np.testing.assert_allclose(change, c, atol=F64)


def test_reverse_kl_gives_a_learned_law_no_gradient(key):
    """App. J: the score has zero mean, so b would only be shaken, never moved."""
    b = np.log(0.3)
    y, u = toy_draw(b, 100_000, key)

    def loss(b, y, u):
        return objectives.reverse_kl(toy_log_w(b, y, u)[None], jnp.zeros(1))

    gradients = jax.jit(jax.vmap(jax.grad(loss), (None, 0, 0)))(b, y, u)
    assert np.std(gradients) > 0.5
    assert_mean(gradients, 0.0)


def test_self_reparam_gradient_has_the_opposite_sign_of_eq_63(key):
    """Autodiff of eq. 18 is mean(s) - gamma sum_i W_i s_i, with s = dlog p/db.

    Eq. 63 as printed has + gamma, which would drive b away from the target.
    """
    for b, direction in ((np.log(0.3), 1), (np.log(0.95), -1)):
        y, u = toy_draw(b, 20_000, key)

        def loss(b, gamma, y=y, u=u):
            log_w = toy_log_w(b, y, u)
            return objectives.self_reparam(log_w, jnp.zeros_like(log_w), gamma)

        gradient = jax.jit(jax.grad(loss))
        weights = np.exp(toy_log_w(b, y, u))
        forward = -GAMMA * weights @ toy_score(b, u) / weights.sum()
        change = gradient(b, GAMMA) - gradient(b, 0.0)
        np.testing.assert_allclose(change, forward, rtol=F64)
        np.testing.assert_allclose(
            gradient(b, GAMMA), toy_score(b, u).mean() + forward, rtol=F64
        )
        # Descent moves b towards the true flip probability, 0.83.
        assert 0.75 < toy_flip_probability() < 0.9
        assert direction * change < -0.05


def test_self_reparam_is_stationary_at_the_true_flip_probability(key):
    b = np.log(toy_flip_probability())
    y, u = toy_draw(b, 100_000, key)
    weights = np.exp(toy_log_w(b, y, u))
    # The influence of each sample on the ratio of means sum W s.
    assert_mean(weights * toy_score(b, u) / weights.mean(), 0.0)


Y = np.array([0.4, 1.7, 2.6, 3.1])


def toy_kl(b):
    """Return the mean over Y of KL(b) with the sum over u written out."""
    log_w = jnp.stack([toy_log_w(0.0, Y, 1), toy_log_w(-np.inf, Y, 0)])
    p = jnp.stack([jnp.exp(b), 1 - jnp.exp(b)])
    return jnp.mean(p @ (jnp.log(p)[:, None] - log_w))


def test_rao_blackwell_gradient_is_that_of_the_exact_kl():
    def loss(b):
        u = jnp.array([[0, 1]])
        log_w = toy_log_w(b, Y[:, None], u)
        log_p = jnp.tile(toy_log_p(b, u), (4, 1))
        return objectives.rao_blackwell(log_w, jnp.zeros(4), log_p)

    for b in np.log([0.2, 0.9]):
        value, gradient = jax.jit(jax.value_and_grad(loss))(b)
        expected_value, expected = jax.jit(jax.value_and_grad(toy_kl))(b)
        assert abs(expected) > 0.1
        np.testing.assert_allclose(value, expected_value, atol=F64)
        np.testing.assert_allclose(gradient, expected, rtol=F64)


def test_reinforce_gradient_is_that_of_the_exact_kl_in_expectation():
    """All 2^n draws of u, summed with their probabilities.

    The batch-mean baseline holds each sample's own reward, hence the factor 1 - 1/n.
    """

    def loss(b, u):
        log_w = toy_log_w(b, Y, u)
        return objectives.reinforce(log_w, jnp.zeros(4), toy_log_p(b, u))

    b = np.log(0.2)
    draws = np.array(list(product((0, 1), repeat=4)))
    chances = np.exp(toy_log_p(b, draws)).prod(axis=1)
    gradients = jax.jit(jax.vmap(jax.grad(loss), (None, 0)))(b, draws)
    expected = (1 - 1 / 4) * jax.jit(jax.grad(toy_kl))(b)
    np.testing.assert_allclose(chances @ gradients, expected, rtol=F64)


def test_reinforce_leaves_the_penalty_out_of_the_reward(batch):
    log_w, lam = batch
    log_p = jnp.linspace(-2.0, -0.1, 7)
    gradient = jax.grad(objectives.reinforce, argnums=2)(log_w, lam, log_p)
    np.testing.assert_allclose(gradient, (np.mean(log_w) - log_w) / 7, atol=F64)


def test_rao_blackwell_is_the_mean_over_sampled_elements(key, rng):
    log_w, lam = jnp.asarray(rng.normal(size=(5, 3))), jnp.asarray(rng.uniform(size=5))
    log_p = jax.nn.log_softmax(jnp.asarray(rng.normal(size=(5, 3))))

    def sampled(key):
        u = jax.random.categorical(key, log_p)
        return objectives.reverse_kl(log_w[jnp.arange(5), u], lam)

    losses = jax.jit(jax.vmap(sampled))(jax.random.split(key, 20_000))
    assert_mean(losses, objectives.rao_blackwell(log_w, lam, log_p))


def test_forward_kl_is_the_weighted_mean_of_log_weights(batch):
    """By hand; a sample of weight 0 counts for nothing, in value and gradient."""
    log_w = jnp.append(batch[0], -jnp.inf)
    w = np.exp(np.asarray(batch[0]))
    shares = np.append(w / w.sum(), 0)
    loss, gradient = jax.value_and_grad(objectives.forward_kl)(log_w)
    np.testing.assert_allclose(loss, shares[:-1] @ batch[0], atol=F64)
    np.testing.assert_allclose(gradient, shares, atol=F64)


def test_forward_kl_moves_a_law_to_the_targets_share(key):
    """Its gradient for b is -sum W score, and vanishes at the true probability."""
    y, u = toy_draw(np.log(0.5), 200_000, key)
    for b, sign in ((np.log(toy_flip_probability()), 0), (np.log(0.4), -1)):
        # Drawn at 1/2 and weighed accordingly; the law's own b carries the gradient.
        log_w = toy_log_w(b, y, u)
        shift = np.asarray(toy_log_p(b, u) - toy_log_p(np.log(0.5), u))

        def loss(b, shift=shift):
            return objectives.forward_kl(toy_log_w(b, y, u) + shift)

        w = np.exp(np.asarray(log_w + shift))
        expected = -(w / w.sum()) @ toy_score(b, u)
        found = jax.grad(loss)(b)
        np.testing.assert_allclose(found, expected, atol=F64)
        spread = np.std(w * toy_score(b, u)) / w.mean() / np.sqrt(len(w))
        assert abs(found) < 5 * spread if sign == 0 else found < -5 * spread

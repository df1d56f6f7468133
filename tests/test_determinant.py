"""The stabilised determinant against the full space-time matrix."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sesamo_jax.targets.determinant import log_det_chain, slices_per_factor
from sesamo_jax.targets.fermion_matrix import fermion_log_dets
from sesamo_jax.targets.hubbard import exp_symmetric


def case(rng, sites, slices, u, beta):
    """Return e^h of an uneven open chain with one extra bond, and a typical field."""
    bonds = np.diag(1 + 0.3 * np.arange(sites - 1), k=1)
    bonds[0, -1] += 0.4
    hop = exp_symmetric(beta / slices * (bonds + bonds.T))
    u_tilde = u * beta / slices
    signs = rng.choice([-1, 1], size=sites)
    x = signs * u_tilde + np.sqrt(u_tilde) * rng.normal(size=(slices, sites))
    per_factor = slices_per_factor(slices, u_tilde + 3 * u_tilde**0.5)
    return hop, jnp.asarray(x), per_factor


SIZES = {
    "one slice": (2, 1, 18.0, 1.0),
    "weak": (3, 12, 1.0, 1.0),
    "strong": (4, 8, 18.0, 1.0),
    "cold": (4, 40, 10.0, 10.0),
}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_value_and_gradient_agree_with_the_full_matrix(sizes, rng):
    hop, x, per_factor = case(rng, *sizes)

    def full(x):
        return fermion_log_dets(x[None], hop)[0]

    value, gradient = jax.jit(
        jax.value_and_grad(lambda x: log_det_chain(x, hop, per_factor))
    )(x)
    expected, slope = jax.jit(jax.value_and_grad(full))(x)
    assert float(value) == pytest.approx(float(expected), abs=1e-10)
    np.testing.assert_allclose(gradient, slope, atol=1e-10)
    alone = jax.jit(lambda x: log_det_chain(x, hop, per_factor))(x)
    assert float(alone) == pytest.approx(float(value), abs=1e-11)


def test_stable_where_the_plain_product_is_not(rng):
    hop, x, per_factor = case(rng, *SIZES["cold"])
    product = np.eye(4)
    for field in np.asarray(x):
        product = hop * np.exp(field) @ product
    plain = np.linalg.slogdet(np.eye(4) + product)[1]
    stable = float(log_det_chain(x, hop, per_factor))
    exact = float(fermion_log_dets(x[None], hop)[0])
    assert abs(stable - exact) < 1e-10
    assert not abs(plain - exact) < 1


def test_steep_slices_keep_their_digits(rng):
    """Fields far from all modes, as a flow draws them early in training.

    One e^{x_t} spans more orders of magnitude than float64 has digits.
    """
    hop, x, _ = case(rng, *SIZES["strong"])
    x = x + 10 * rng.normal(size=(200, *x.shape))
    assert np.ptp(x, axis=2).max() > 45  # digits of float64 span e^36

    def full(x):
        return fermion_log_dets(x[None], hop)[0]

    both = [
        jax.jit(jax.vmap(jax.value_and_grad(f)))(x)
        for f in (lambda x: log_det_chain(x, hop, 1), full)
    ]
    (values, gradients), (expected, slopes) = both
    np.testing.assert_allclose(values, expected, atol=1e-6)
    np.testing.assert_allclose(gradients, slopes, rtol=1e-5, atol=1e-6)


def test_hopeless_fields_give_no_nan(rng):
    hop, x, _ = case(rng, *SIZES["strong"])
    x = x + 40 * rng.normal(size=(1000, *x.shape))
    values, gradients = jax.jit(
        jax.vmap(jax.value_and_grad(lambda x: log_det_chain(x, hop, 1)))
    )(x)
    assert not np.any(np.isnan(values))
    assert np.all(np.isfinite(gradients))


@pytest.mark.parametrize(
    ("slices", "exponent", "expected"), [(100, 1.2, 5), (97, 1.0, 1), (8, 50.0, 1)]
)
def test_slices_per_factor(slices, exponent, expected):
    assert slices_per_factor(slices, exponent) == expected

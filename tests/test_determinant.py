"""The stabilised determinant against the full space-time matrix."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sesamo_jax.targets.hubbard.determinant import (
    Chain,
    log_det_chain,
    slices_per_factor,
)
from sesamo_jax.targets.hubbard.fermion_matrix import fermion_log_det
from sesamo_jax.targets.hubbard.hopping import hopping


def case(rng, sites, slices, u, beta):
    """Return e^h of an uneven open chain with one extra bond, and a typical field."""
    bonds = np.diag(1 + 0.3 * np.arange(sites - 1), k=1)
    bonds[0, -1] += 0.4
    hop = hopping(beta / slices * (bonds + bonds.T))
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


@pytest.mark.slow
@pytest.mark.parametrize("steep", [False, True])
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_value_and_gradient_agree_with_the_full_matrix(sizes, steep, rng):
    hop, x, per_factor = case(rng, *sizes)
    chain = Chain(hop, per_factor, steep)

    def full(x):
        return fermion_log_det(x, hop.matrix())

    value, gradient = jax.jit(jax.value_and_grad(lambda x: log_det_chain(x, chain)))(x)
    expected, slope = jax.jit(jax.value_and_grad(full))(x)
    assert float(value) == pytest.approx(float(expected), abs=1e-10)
    np.testing.assert_allclose(gradient, slope, atol=1e-10)
    alone = jax.jit(lambda x: log_det_chain(x, chain))(x)
    assert float(alone) == pytest.approx(float(value), abs=1e-11)


def test_stable_where_the_plain_product_is_not(rng):
    hop, x, per_factor = case(rng, *SIZES["cold"])
    product = np.eye(4)
    for field in np.asarray(x):
        product = hop.matrix() * np.exp(field) @ product
    plain = np.linalg.slogdet(np.eye(4) + product)[1]
    stable = float(log_det_chain(x, Chain(hop, per_factor, steep=False)))
    exact = float(fermion_log_det(x, hop.matrix()))
    assert abs(stable - exact) < 1e-10
    assert not abs(plain - exact) < 1


@pytest.mark.slow  # compiles much
@pytest.mark.parametrize("steep", [False, True])
def test_steep_slices_keep_their_digits(steep, rng):
    """Fields far from all modes, as a flow draws them early in training.

    One e^{x_t} spans more orders of magnitude than float64 has digits.
    """
    hop, x, _ = case(rng, *SIZES["strong"])
    chain = Chain(hop, 1, steep)
    x = x + 10 * rng.normal(size=(200, *x.shape))
    assert np.ptp(x, axis=2).max() > 45  # digits of float64 span e^36

    def full(x):
        return fermion_log_det(x, hop.matrix())

    both = [
        jax.jit(jax.vmap(jax.value_and_grad(f)))(x)
        for f in (lambda x: log_det_chain(x, chain), full)
    ]
    (values, gradients), (expected, slopes) = both
    np.testing.assert_allclose(values, expected, atol=1e-6)
    np.testing.assert_allclose(gradients, slopes, rtol=1e-5, atol=1e-6)


@pytest.mark.slow  # compiles much
@pytest.mark.parametrize("steep", [False, True])
def test_hopeless_fields_give_no_nan(steep, rng):
    hop, x, _ = case(rng, *SIZES["strong"])
    chain = Chain(hop, 1, steep)
    x = x + 40 * rng.normal(size=(1000, *x.shape))
    values, gradients = jax.jit(
        jax.vmap(jax.value_and_grad(lambda x: log_det_chain(x, chain)))
    )(x)
    assert not np.any(np.isnan(values))
    assert np.all(np.isfinite(gradients))


@pytest.mark.parametrize(
    ("slices", "exponent", "expected"), [(100, 1.2, 5), (97, 1.0, 1), (8, 50.0, 1)]
)
def test_slices_per_factor(slices, exponent, expected):
    assert slices_per_factor(slices, exponent) == expected

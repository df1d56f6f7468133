"""Log-domain helpers against plain NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerances import F32, F64

from sesamo_jax.estimators.weighted import ess
from sesamo_jax.numerics import batch_ess, log_mean_exp

TOLERANCE = {np.float32: F32, np.float64: F64}
both_precisions = pytest.mark.parametrize("dtype", TOLERANCE)


@both_precisions
def test_log_mean_exp_is_what_its_name_says(dtype, rng):
    values = rng.normal(size=(7, 5))
    for axis in (None, 0, 1):
        result = log_mean_exp(jnp.asarray(values, dtype), axis)
        assert result.dtype == dtype
        expected = np.log(np.mean(np.exp(values), axis=axis))
        np.testing.assert_allclose(result, expected, atol=TOLERANCE[dtype])


@both_precisions
@pytest.mark.parametrize("shift", [-2000.0, 2000.0])
def test_log_mean_exp_neither_overflows_nor_underflows(dtype, shift):
    values = jnp.asarray([0.0, 1.0, 2.0], dtype)
    moved = log_mean_exp(values + dtype(shift)) - dtype(shift)
    np.testing.assert_allclose(moved, log_mean_exp(values), atol=TOLERANCE[dtype])


def test_log_mean_exp_counts_zero_weights():
    values = jnp.array([0.0, -jnp.inf, -jnp.inf, -jnp.inf])
    np.testing.assert_allclose(log_mean_exp(values), -np.log(4), atol=F64)
    assert log_mean_exp(jnp.full(3, -jnp.inf)) == -jnp.inf


def test_gradient_of_log_mean_exp_is_the_normalised_weights():
    values = jnp.array([0.3, -jnp.inf, 1.2])
    gradient = jax.grad(log_mean_exp)(values)
    weights = np.exp([0.3, -np.inf, 1.2])
    np.testing.assert_allclose(gradient, weights / weights.sum(), atol=F64)


@both_precisions
def test_batch_ess_agrees_with_the_float64_estimator(dtype, rng):
    log_w = rng.normal(size=500)
    result = jax.jit(batch_ess)(jnp.asarray(log_w, dtype))
    assert result.dtype == dtype
    np.testing.assert_allclose(result, ess(log_w).mean, rtol=TOLERANCE[dtype])


@both_precisions
@pytest.mark.parametrize("shift", [-3000.0, 3000.0])
def test_batch_ess_does_not_depend_on_a_shift(dtype, shift, rng):
    log_w = rng.normal(size=50)
    expected = ess(np.asarray(log_w + shift, dtype)).mean
    result = batch_ess(jnp.asarray(log_w + shift, dtype))
    # Doubling a float32 logarithm near 3000 loses four more digits.
    np.testing.assert_allclose(result, expected, rtol=100 * TOLERANCE[dtype])


def test_batch_ess_allows_zero_weights():
    log_w = jnp.array([0.0, 0.0, 0.0, -jnp.inf])
    np.testing.assert_allclose(batch_ess(log_w), 0.75, atol=F64)


def test_batch_ess_never_exceeds_one():
    # Rounding, at worst in the last digit of 1800, lifts some of these logs above 0.
    for value in np.linspace(0.1, 900, 60):
        for n in (3, 50):
            result = batch_ess(jnp.full(n, value, jnp.float32))
            assert 1 - 1e-3 < result <= 1


def test_batch_ess_of_a_dominant_weight_is_one_sample():
    log_w = jnp.zeros(20).at[3].set(800.0)
    np.testing.assert_allclose(batch_ess(log_w), 1 / 20, rtol=F64)

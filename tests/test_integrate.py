"""Integrators of continuous flows against closed forms."""

from functools import partial
from math import factorial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.linalg import expm
from tolerances import F64

from sesamo_jax.flows.continuous.integrate import (
    CLASSICAL,
    UNROLLED_STEPS,
    adaptive,
    runge_kutta,
)

A = np.array([[0.3, -1.1, 0.2], [0.8, -0.5, 0.4], [-0.1, 0.6, 0.9]])
X = np.array([0.7, -1.3, 2.0])
WAYS = [(0.0, 1.0), (1.0, 0.0), (0.4, -1.1)]
both_ways = pytest.mark.parametrize(("start", "end"), WAYS)


def linear(t, x):
    """x' = A x."""
    return A @ x, jnp.asarray(np.trace(A))


def swing(t, x):
    """x' = cos(t) x, every component by itself."""
    return jnp.cos(t) * x, x.size * jnp.cos(t)


def linear_solution(start, end):
    return expm((end - start) * A) @ X, (end - start) * np.trace(A)


def swing_solution(start, end):
    exponent = np.sin(end) - np.sin(start)
    return np.exp(exponent) * X, X.size * exponent


KNOWN = {"linear": (linear, linear_solution), "swing": (swing, swing_solution)}
every_field = pytest.mark.parametrize("name", KNOWN)


def errors(integrate, name, start, end, resolution):
    """Return the errors of the end point, relative, and of the log-determinant."""
    field, solution = KNOWN[name]
    x, log_det = jax.jit(lambda x: integrate(field, x, start, end, resolution))(X)
    expected, expected_log_det = solution(start, end)
    assert np.max(np.abs(expected - X)) > 0.3
    assert abs(expected_log_det) > 0.3
    assert log_det.shape == ()
    size = np.max(np.abs(expected))
    return np.max(np.abs(x - expected)) / size, abs(log_det - expected_log_det)


@every_field
@both_ways
def test_runge_kutta_converges_to_the_closed_form_at_fifth_order(name, start, end):
    """Also from the unrolled loop, of few steps, to the one that is not."""
    assert 10 <= UNROLLED_STEPS < 20
    coarse = errors(runge_kutta, name, start, end, 10)
    fine = errors(runge_kutta, name, start, end, 40)
    assert 1e-13 < fine[0] < 1e-8
    assert 400 < coarse[0] / fine[0] < 2000
    if name == "linear":  # a constant rate is integrated exactly
        assert max(coarse[1], fine[1]) < F64
    else:
        assert 400 < coarse[1] / fine[1] < 2000


def test_one_step_is_the_series_to_fifth_order():
    """And has 1/600, not 1/720, in the sixth: Hairer, Norsett, Wanner 1993, II.5."""
    x, log_det = runge_kutta(linear, jnp.asarray(X), 0.2, 0.7, 1)
    terms = [np.linalg.matrix_power(0.5 * A, n) / factorial(n) for n in range(6)]
    last = np.linalg.matrix_power(0.5 * A, 6) / 600
    np.testing.assert_allclose(x, (sum(terms) + last) @ X, atol=1e-14)
    assert float(log_det) == pytest.approx(0.5 * np.trace(A))


@every_field
@both_ways
def test_the_classical_method_converges_at_fourth_order(name, start, end):
    classical = partial(runge_kutta, method=CLASSICAL)
    coarse = errors(classical, name, start, end, 11)
    fine = errors(classical, name, start, end, 44)
    assert 1e-12 < fine[0] < 1e-6
    assert 150 < coarse[0] / fine[0] < 400
    if name == "swing":
        assert 150 < coarse[1] / fine[1] < 400


def test_one_classical_step_is_the_series_to_fourth_order():
    x, log_det = runge_kutta(linear, jnp.asarray(X), 0.2, 0.7, 1, CLASSICAL)
    terms = [np.linalg.matrix_power(0.5 * A, n) / factorial(n) for n in range(5)]
    np.testing.assert_allclose(x, sum(terms) @ X, atol=1e-14)
    assert float(log_det) == pytest.approx(0.5 * np.trace(A))


@pytest.mark.slow
@pytest.mark.parametrize("steps", [UNROLLED_STEPS, UNROLLED_STEPS + 1])
def test_gradient_of_runge_kutta_is_that_of_finite_differences(steps):
    """Unrolled and as a loop."""

    def f(a):
        def field(t, x):
            v = jnp.sin(3 * t * a[0]) * (A @ x) - a[1] * x**3
            rate = jnp.sin(3 * t * a[0]) * np.trace(A) - 3 * a[1] * jnp.sum(x**2)
            return v, rate

        x, log_det = runge_kutta(field, X * a[2], 0.1, 2.0, steps)
        return jnp.sum(x * np.array([1.0, -2.0, 0.5])) + 0.3 * log_det

    f = jax.jit(f)
    a = np.array([1.2, 0.3, 0.8])
    gradient, h = jax.jit(jax.grad(f))(a), 1e-5
    for i, unit in enumerate(np.eye(3)):
        slope = (f(a + h * unit) - f(a - h * unit)) / (2 * h)
        assert abs(slope) > 0.1
        np.testing.assert_allclose(gradient[i], slope, rtol=1e-6)


@pytest.mark.slow
@every_field
@both_ways
def test_adaptive_meets_its_tolerance_and_no_more(name, start, end):
    loose = errors(adaptive, name, start, end, 1e-4)
    tight = errors(adaptive, name, start, end, 1e-8)
    assert loose[0] < 10 * 1e-4
    assert tight[0] < 10 * 1e-8
    assert max(loose[1], tight[1] * 1e4) < 10 * 1e-4
    assert loose[0] > 30 * tight[0]


def test_adaptive_takes_small_steps_only_where_they_are_needed():
    """A bump of width 0.01 in time, which equal steps of 0.05 miss."""

    def field(t, x):
        rate = jnp.exp(-(((t - 0.523) / 0.01) ** 2) / 2) / (0.01 * np.sqrt(2 * np.pi))
        return (rate + 1.0) * x, x.size * (rate + 1.0)

    x = jnp.asarray(X)
    expected = 2 * X.size
    assert abs(float(runge_kutta(field, x, 0.0, 1.0, 20)[1]) - expected) > 0.1
    y, log_det = adaptive(field, x, 0.0, 1.0, 1e-8)
    assert float(log_det) == pytest.approx(expected, abs=1e-5)
    np.testing.assert_allclose(y, np.exp(2) * X, rtol=1e-5)


def test_gradient_of_adaptive_is_that_of_finite_differences():
    """By the adjoint equation, also of what the field closes over, and in a batch."""

    def f(a):
        def field(t, x):
            v = jnp.sin(3 * t * a[0]) * (A @ x) - a[1] * x**3
            rate = jnp.sin(3 * t * a[0]) * np.trace(A) - 3 * a[1] * jnp.sum(x**2)
            return v, rate

        starts = jnp.stack([X, X[::-1]]) * a[2]
        x, log_det = jax.vmap(lambda x: adaptive(field, x, 0.1, 2.0, 1e-10))(starts)
        return jnp.sum(x * np.array([1.0, -2.0, 0.5])) + 0.3 * jnp.sum(log_det)

    f = jax.jit(f)
    a = np.array([1.2, 0.3, 0.8])
    gradient, h = jax.jit(jax.grad(f))(a), 1e-4
    for i, unit in enumerate(np.eye(3)):
        slope = (f(a + h * unit) - f(a - h * unit)) / (2 * h)
        assert abs(slope) > 0.1
        np.testing.assert_allclose(gradient[i], slope, rtol=1e-5)


@pytest.mark.parametrize("failing", [1.0, 0.4])
def test_adaptive_gives_nan_where_it_cannot_meet_its_tolerance(failing):
    """x' = x^2 from 1 ends at t = 1; from 0.4 it goes on beyond t = 2."""

    def f(x):
        y, log_det = adaptive(lambda t, x: (x**2, 2 * x[0]), x, 0.0, 2.0, 1e-5)
        return y[0] + log_det

    x = jnp.array([failing])
    finite = failing < 0.5
    assert np.isfinite(f(x)) == finite
    assert np.isfinite(jax.grad(f)(x)[0]) == finite


@pytest.mark.parametrize("steps", [4, UNROLLED_STEPS + 1])
def test_float32_stays_float32(steps):
    def field(t, x):
        t = jnp.asarray(t, x.dtype)
        return -x * t, -3 * t

    x = jnp.asarray(X, jnp.float32)
    y, log_det = runge_kutta(field, x, 0.0, 1.0, steps)
    assert y.dtype == log_det.dtype == jnp.float32
    np.testing.assert_allclose(y, np.exp(-0.5) * X, rtol=3e-3)
    assert float(log_det) == pytest.approx(-1.5, rel=3e-3)

"""Spline couplings against autodiff, their own inverse and the lattice."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import random_params
from tolerances import F64

from sesamo_jax import Config, Target, build_model
from sesamo_jax.config import BaseConfig
from sesamo_jax.flows import SplineConfig
from sesamo_jax.symmetries import U1

SMALL = SplineConfig(couplings=3, layers=1, channels=4, bins=5, bound=2.0)


def build(shape, rng=None, dtype=jnp.float64, gain=2.0, config=SMALL):
    """Return jitted forward, inverse: random parameters, or initial without rng."""
    flow = config.build(shape, dtype)
    event = jnp.zeros(shape, dtype)
    init = partial(flow.init, jax.random.key(1), event, method="forward_and_log_det")
    params = init() if rng is None else random_params(init, rng, gain)
    apply = partial(flow.apply, params)
    forward = jax.jit(partial(apply, method="forward_and_log_det"))
    return forward, jax.jit(partial(apply, method="inverse_and_log_det"))


@pytest.mark.parametrize("shape", [(4, 6), (2, 4, 2)])
def test_shifts_by_two_sites_map_the_checkerboard_to_itself(shape, rng):
    forward, _ = build(shape, rng)
    x = 1.5 * rng.normal(size=shape)
    y, log_det = forward(x)
    assert np.max(np.abs(y - x)) > 0.1
    np.testing.assert_allclose(forward(np.roll(x, 2, 1))[0], np.roll(y, 2, 1), atol=F64)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_flow_starts_as_the_identity_inside_and_outside_the_bound(dtype, rng):
    forward, inverse = build((4, 4), dtype=dtype)
    x = (3 * rng.normal(size=(4, 4))).astype(dtype)
    assert np.min(np.abs(x)) < SMALL.bound < np.max(np.abs(x))
    for function in (forward, inverse):
        y, log_det = function(x)
        assert y.dtype == log_det.dtype == dtype
        eps = float(jnp.finfo(dtype).eps)
        np.testing.assert_allclose(y, x, atol=100 * eps)
        np.testing.assert_allclose(log_det, 0, atol=1000 * eps)


def test_one_coupling_bends_a_site_inside_the_bound_only(rng):
    """A site's map at fixed neighbours: affine far out, with a kinked slope inside."""
    forward, _ = build((4, 4), rng, config=replace(SMALL, couplings=1))
    x = rng.normal(size=(4, 4))
    values = np.linspace(-60.0, 60.0, 2401)
    fields = np.broadcast_to(x, (values.size, 4, 4)).copy()
    fields[:, 0, 0] = values
    moved = np.asarray(jax.vmap(forward)(fields)[0])
    np.testing.assert_array_equal(moved[:, 0, 1], x[0, 1])
    site = moved[:, 0, 0]
    slopes = np.diff(site) / np.diff(values)
    assert np.all(slopes > 0)
    outside = (np.abs(site) > SMALL.bound)[1:] & (np.abs(site) > SMALL.bound)[:-1]
    np.testing.assert_allclose(slopes[outside], slopes[0], rtol=1e-9)
    assert np.ptp(slopes[~outside]) > 0.1 * slopes[0]


@pytest.mark.parametrize("gain", [1.0, 30.0])
def test_float32_inverts_and_stays_finite_for_wild_parameters(gain, rng):
    forward, inverse = build((4, 4), rng, jnp.float32, gain)

    def total(x):
        y, log_det = forward(x)
        return jnp.sum(y) + log_det, (y, log_det)

    gradient = jax.jit(jax.grad(total, has_aux=True))
    for scale in (1.0, 1e4):
        x = (scale * rng.normal(size=(4, 4))).astype(np.float32)
        slopes, (y, log_det) = gradient(x)
        back, _ = inverse(y)
        assert all(np.all(np.isfinite(a)) for a in (slopes, y, log_det, back))
        if gain == 1:
            np.testing.assert_allclose(back, x, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "shape", "phrase"),
    [
        ({"bins": 0}, (4, 4), "flow.bins=0 must be at least 1"),
        ({"bound": -1.0}, (4, 4), "flow.bound=-1.0 must be positive"),
        ({"bound": float("inf")}, (4, 4), "flow.bound=inf must be finite"),
        ({"channels": 0}, (4, 4), "flow.channels=0 must be at least 1"),
        ({}, (4, 5), "even extents"),
    ],
)
def test_impossible_sizes_are_refused(changes, shape, phrase):
    with pytest.raises(ValueError, match=phrase):
        replace(SMALL, **changes).build(shape, jnp.float32)


def test_splines_are_refused_on_the_slice():
    target = Target("free", (4, 4, 2), lambda x: jnp.sum(x**2), symmetry=U1())
    config = Config(flow=SMALL, base=BaseConfig(kind="slice"))
    with pytest.raises(ValueError, match="flow SplineConfig leaves the slice"):
        build_model(target, config)

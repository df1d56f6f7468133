"""The equivariant graph network: its formula, symmetries, divergence and map."""

from dataclasses import replace
from functools import cache, partial
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import random_params

from sesamo_jax.config import resolve
from sesamo_jax.config.record import from_json, to_json
from sesamo_jax.flows import FLOWS, EquivariantGraphConfig, IntegratedConfig
from sesamo_jax.geometry.particles import coordinates, positions

FORWARD = "forward_and_log_det"
SMALL = EquivariantGraphConfig(width=6, layers=2, bumps=5, reach=4.0, time_modes=2)
SHAPES = [(1, 2), (3, 2), (4, 3)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
T = 0.3


@cache
def parameters(shape):
    """Return parameters all of which are random."""
    init = partial(SMALL.build(shape, jnp.float64).init, method="field")
    init = partial(init, jax.random.key(0), 0.0, jnp.ones(shape))
    return random_params(init, np.random.default_rng(3), gain=1.5)


@cache
def jitted(shape, method, steps=5, tolerance=0.0, gain=1.0):
    flow = replace(SMALL, steps=steps).build(shape, jnp.float64, tolerance)
    params = jax.tree.map(lambda p: gain * p, parameters(shape))
    return jax.jit(partial(flow.apply, params, method=method))


def silu(x):
    return x / (1 + np.exp(-x))


def by_loops(params, t, x):
    """Return v of particles x, (N, D), pair by pair, by the formula."""
    p = {name: np.asarray(value) for name, value in params["params"].items()}
    pairs = list(combinations(range(len(x)), 2))
    messages = {}
    for i, j in pairs:
        s = np.sqrt(np.sum((x[i] - x[j]) ** 2) + 0.25)
        bumps = [np.exp(-(((s - centre) / 2) ** 2)) for centre in range(5)]
        times = [np.cos(np.pi * t), np.cos(2 * np.pi * t)]
        first = np.array([*bumps, *times]) @ p["inputs"] + p["inputs_shift"]
        messages[i, j] = silu(first)
    for layer in range(2):
        h = []
        for i in range(len(x)):
            own = [m for pair, m in messages.items() if i in pair]
            mean = np.mean(own, axis=0) @ p[f"particles_{layer}"]
            h.append(silu(mean + p[f"particles_{layer}_shift"]))
        for i, j in pairs:
            change = messages[i, j] @ p[f"own_{layer}"]
            change = change + (h[i] + h[j]) @ p[f"others_{layer}"]
            change = change + p[f"others_{layer}_shift"]
            messages[i, j] = messages[i, j] + silu(change)
    v = np.zeros_like(x)
    for i, j in pairs:
        force = messages[i, j] @ p["last"] * (x[i] - x[j])
        v[i] += force
        v[j] -= force
    return v


@every_shape
def test_the_velocity_is_that_of_the_formula(shape, rng):
    x = rng.normal(size=(shape[0] + 1, shape[1]))
    expected = by_loops(parameters(shape), T, x)
    v = positions(jitted(shape, "field")(T, coordinates(x)))
    assert np.max(np.abs(expected)) > 0.01
    np.testing.assert_allclose(v, expected, atol=1e-12)


@every_shape
def test_the_velocity_is_equivariant(shape, rng):
    """Under an exchange, a rotation with reflection, and a shift, at once and alone."""
    particles, dimension = shape[0] + 1, shape[1]
    x = rng.normal(size=(particles, dimension))
    turn = np.linalg.qr(rng.normal(size=(dimension, dimension)))[0]
    mirror = np.diag([-1.0] + [1.0] * (dimension - 1))
    order = np.roll(np.arange(particles), 1)
    field, exact = jitted(shape, "velocity"), dict(rtol=1e-10, atol=1e-10)
    v, divergence = field(T, coordinates(x))
    v = np.asarray(positions(v))
    assert np.max(np.abs(v - v @ turn)) > 0.01
    for image, moved in {
        "exchange": (x[order], v[order]),
        "rotation": (x @ turn, v @ turn),
        "reflection": (x @ mirror, v @ mirror),
        "shift": (x + rng.normal(size=dimension), v),
        "all": (x[order] @ turn @ mirror + 1.0, v[order] @ turn @ mirror),
    }.values():
        found, found_divergence = field(T, coordinates(image))
        np.testing.assert_allclose(positions(found), moved, **exact)
        np.testing.assert_allclose(found_divergence, divergence, **exact)


def test_forces_have_no_torque(rng):
    x = rng.normal(size=(4, 2))
    v = np.asarray(positions(jitted((3, 2), "field")(T, coordinates(x))))
    turning = x[:, 0] * v[:, 1] - x[:, 1] * v[:, 0]
    assert np.max(np.abs(turning)) > 0.01
    assert abs(turning.sum()) < 1e-12


@every_shape
def test_the_divergence_is_the_trace_of_the_jacobian(shape, rng):
    y = jnp.asarray(rng.normal(size=shape))
    for t in (0.0, 0.7):
        own = jax.jit(jax.jacrev(partial(jitted(shape, "field"), t)))(y)
        expected = np.trace(np.asarray(own).reshape(y.size, y.size))
        assert abs(expected) > 0.01
        v, divergence = jitted(shape, "velocity")(t, y)
        np.testing.assert_allclose(divergence, expected, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(v, jitted(shape, "field")(t, y), atol=1e-13)


def test_the_field_is_smooth_where_particles_coincide():
    """Its second derivative is the same on both sides, and finite."""
    jet = jitted((3, 2), "field")
    x = np.array([[0.0, 0.0], [0.0, 0.0], [1.3, 0.4], [-0.2, 1.0]])
    aside = np.zeros_like(x)
    aside[0] = [0.6, -0.8]

    def line(s):
        return jet(T, coordinates(x + s * aside))

    second = jax.jit(jax.jacfwd(jax.jacfwd(line)))
    assert np.max(np.abs(second(0.0))) > 0.01
    for s in (-1e-7, 1e-7):
        np.testing.assert_allclose(second(s), second(0.0), atol=1e-5)


def test_many_steps_agree_with_the_adaptive_integration(rng):
    z = rng.normal(size=(3, 2))
    y, log_det = jitted((3, 2), FORWARD, 80, gain=0.5)(z)
    assert np.max(np.abs(y - z)) > 0.1
    assert abs(log_det) > 0.1
    exact, exact_log_det = jitted((3, 2), FORWARD, 80, 1e-10, 0.5)(z)
    np.testing.assert_allclose(exact, y, atol=1e-7)
    np.testing.assert_allclose(exact_log_det, log_det, atol=1e-7)


def test_the_flow_starts_as_the_identity_and_moves_at_the_first_step(rng):
    flow = SMALL.build((3, 2), jnp.float64)
    z = rng.normal(size=(3, 2))
    params = flow.init(jax.random.key(0), z, method=FORWARD)
    y, log_det = flow.apply(params, z, method=FORWARD)
    np.testing.assert_array_equal(y, z)
    assert log_det == 0

    def loss(params):
        return jnp.sum((flow.apply(params, T, z, method="field") - z) ** 2)

    gradient = jax.jit(jax.grad(loss))(params)["params"]["last"]
    assert np.all(gradient != 0)


def test_a_run_names_the_flow_and_its_sizes():
    settings = {"flow.name": "equivariant_graph", "flow.width": "8", "flow.reach": "5"}
    run = resolve("dw4", settings=settings)
    assert run.config.flow == EquivariantGraphConfig(width=8, reach=5.0)
    assert isinstance(run.config.flow, IntegratedConfig)
    assert run.config.flow.finer().steps == 4 * run.config.flow.steps
    assert from_json(to_json(run)) == run


@pytest.mark.parametrize(
    ("fields", "shape", "message"),
    [
        ({"width": 0}, (3, 2), "flow.width=0 must be at least 1"),
        ({"layers": 0}, (3, 2), "flow.layers=0 must be at least 1"),
        ({"reach": np.inf}, (3, 2), "flow.reach=inf must be finite"),
        ({"bumps": 1}, (3, 2), "flow.bumps=1 must be at least 2"),
        ({}, (6,), r"events have the shape \(N - 1, D\), got \(6,\)"),
    ],
)
def test_impossible_sizes_are_refused_by_name_and_value(fields, shape, message):
    with pytest.raises(ValueError, match=message) as error:
        replace(FLOWS["equivariant_graph"], **fields).build(shape, jnp.float32)
    assert "\n" not in str(error.value)

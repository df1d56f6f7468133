"""The black-box flow: size, divergence, log-determinant, and no symmetry."""

from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import random_params

from sesamo_jax.config import build_model, complete, resolve
from sesamo_jax.config.record import from_json, to_json
from sesamo_jax.flows import FLOWS, BlackBoxConfig, IntegratedConfig, KernelConfig
from sesamo_jax.geometry.particles import coordinates, helmert, positions

FORWARD, INVERSE = "forward_and_log_det", "inverse_and_log_det"
both_ways = pytest.mark.parametrize("method", [FORWARD, INVERSE])
CASES = {
    "black_box": (BlackBoxConfig((7, 9)), (3, 2)),
    "one layer": (BlackBoxConfig((5,)), (2, 3)),
    "kernel": (KernelConfig(kernels=7, time_kernels=3, reach=6.0), (3, 2)),
}
every_size = pytest.mark.parametrize("name", ["black_box", "one layer"])


@cache
def parameters(name):
    """Return parameters all of which are random."""
    config, shape = CASES[name]
    init = partial(config.build(shape, jnp.float64).init, method=FORWARD)
    init = partial(init, jax.random.key(0), jnp.ones(shape))
    return random_params(init, np.random.default_rng(2), gain=0.8)


@cache
def jitted(name, method, steps=20, tolerance=0.0):
    config, shape = CASES[name]
    flow = replace(config, steps=steps).build(shape, jnp.float64, tolerance)
    return jax.jit(partial(flow.apply, parameters(name), method=method))


def network(params, x):
    """Return the network's output for particles x, wherever they are, (N, D)."""
    p = params["params"]
    h = x.ravel()
    layers = len(p) // 2
    for i in range(layers):
        h = h @ p[f"matrix_{i}"] + p[f"bias_{i}"]
        h = jnp.tanh(h) if i < layers - 1 else h
    return h.reshape(x.shape)


@pytest.mark.parametrize(
    ("widths", "shape", "count"),
    [((64, 64), (3, 2), 5256), ((64, 128, 64), (12, 3), 21_671)],
    ids=["dw4", "lj13"],
)
def test_parameter_counts_of_the_paper(widths, shape, count):
    init = partial(
        BlackBoxConfig(widths).build(shape, jnp.float32).init, method=FORWARD
    )
    params = jax.eval_shape(init, jax.random.key(0), jnp.zeros(shape))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


def test_the_flow_starts_as_the_identity_and_moves_at_the_first_step(rng):
    flow = BlackBoxConfig().build((3, 2), jnp.float64)
    z = rng.normal(size=(3, 2))
    params = flow.init(jax.random.key(0), z, method=FORWARD)
    y, log_det = flow.apply(params, z, method=FORWARD)
    np.testing.assert_array_equal(y, z)
    assert log_det == 0

    def loss(params):
        end, log_det = flow.apply(params, z, method=INVERSE)
        return jnp.sum(end**2) / 2 - log_det

    gradient = jax.jit(jax.grad(loss))(params)["params"]
    assert np.all(gradient["matrix_2"] != 0)


@every_size
def test_velocity_and_divergence_are_those_of_the_projected_network(name, rng):
    shape = CASES[name][1]
    y = jnp.asarray(rng.normal(size=shape))
    x = positions(y)
    size = x.size
    whole = partial(network, parameters(name))
    full = jax.jit(jax.jacrev(whole))(x).reshape(size, size)
    off_centre = np.kron(helmert(len(x)).T @ helmert(len(x)), np.eye(shape[1]))
    expected = np.trace(off_centre @ full @ off_centre)
    assert abs(expected - np.trace(full)) > 0.01
    v, divergence = jitted(name, "velocity")(0.3, y)
    moved = whole(x)
    np.testing.assert_allclose(positions(v), moved - moved.mean(axis=0), atol=1e-13)
    np.testing.assert_allclose(divergence, expected, rtol=1e-12, atol=1e-13)


@every_size
def test_round_trip_and_adaptive_integration_agree_with_twenty_steps(name, rng):
    z = rng.normal(size=CASES[name][1])
    y, log_det = jitted(name, FORWARD)(z)
    assert np.max(np.abs(y - z)) > 0.1
    back, back_log_det = jitted(name, INVERSE)(y)
    np.testing.assert_allclose(back, z, atol=1e-5)
    np.testing.assert_allclose(back_log_det, -log_det, atol=1e-4)
    exact, exact_log_det = jitted(name, FORWARD, 20, 1e-10)(z)
    np.testing.assert_allclose(y, exact, atol=1e-5)
    np.testing.assert_allclose(log_det, exact_log_det, atol=1e-4)


IMAGES = {
    "exchange": lambda x: x[np.array([2, 0, 3, 1])],
    "rotation": lambda x: x @ np.array([[0.6, 0.8], [-0.8, 0.6]]),
    "reflection": lambda x: x @ np.diag([-1.0, 1.0]),
}


@pytest.mark.parametrize("image", IMAGES)
def test_only_the_kernel_flow_is_equivariant(image, rng):
    x = np.asarray(positions(rng.normal(size=(3, 2))))
    moved = IMAGES[image](x)
    for name, equivariant in (("kernel", True), ("black_box", False)):
        flow = jitted(name, FORWARD)
        y, log_det = flow(coordinates(x))
        end, end_log_det = flow(coordinates(moved))
        distance = np.max(np.abs(positions(end) - IMAGES[image](positions(y))))
        change = abs(float(end_log_det - log_det))
        if equivariant:
            assert max(distance, change) < 1e-12
        else:
            assert min(distance, change) > 0.01


def test_a_run_names_the_flow_and_its_sizes(rng):
    settings = {"flow.name": "black_box", "flow.widths": "6,5"}
    run = resolve("dw4", settings={**settings, "target.dtype": "float64"})
    assert run.config.flow == BlackBoxConfig((6, 5))
    assert isinstance(run.config.flow, IntegratedConfig)
    assert from_json(to_json(run)) == run
    target = run.target.build("dw4")
    model = build_model(target, complete(run.config, target))
    params = model.init(jax.random.key(0))
    params = jax.tree.map(lambda p: p + rng.normal(0, 0.3, p.shape), params)
    y = jnp.asarray(rng.normal(size=(4, 3, 2)))
    steps, finer, adaptive = (
        jax.jit(log_prob)(params, y)
        for log_prob in (
            model.flow_log_prob,
            model.integrated.accurate.flow_log_prob,
            model.integrated.adaptive_log_prob,
        )
    )
    assert np.max(np.abs(steps - finer)) > 0
    np.testing.assert_allclose(steps, adaptive, atol=1e-4)
    np.testing.assert_allclose(finer, adaptive, atol=1e-5)


@pytest.mark.parametrize(
    ("fields", "shape", "message"),
    [
        ({"widths": ()}, (3, 2), r"flow.widths=\(\) must be a tuple such as \(8, 8\)"),
        (
            {"widths": (8, 0)},
            (3, 2),
            r"flow.widths=\(8, 0\) must be at least 1 in",
        ),
        ({"steps": 0}, (3, 2), "flow.steps=0 must be at least 1"),
        ({}, (6,), r"events have the shape \(N - 1, D\), got \(6,\)"),
    ],
)
def test_impossible_sizes_are_refused_by_name_and_value(fields, shape, message):
    with pytest.raises(ValueError, match=message) as error:
        replace(FLOWS["black_box"], **fields).build(shape, jnp.float32)
    assert "\n" not in str(error.value)

"""The kernel flow: size, divergence, symmetries, density and error of integration."""

from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerances import SIGMAS

from sesamo_jax import estimators
from sesamo_jax.config import BaseConfig, Config, build_model
from sesamo_jax.flows import FLOWS, KernelConfig
from sesamo_jax.geometry.particles import coordinates, positions
from sesamo_jax.reference.quadrature import nodes_and_weights
from sesamo_jax.targets import build_target
from sesamo_jax.targets.particles.double_well import DoubleWell

DEFAULT = KernelConfig()
CLUSTER = KernelConfig(centres="quadratic", reach=14.5**2 / 32, width=0.3, gain=0.1)
SMALL = KernelConfig(kernels=7, time_kernels=3, reach=12.0, width=2.0)
CASES = {
    "dw4": (DEFAULT, (3, 2)),
    "lj13": (CLUSTER, (12, 3)),
    "small": (SMALL, (4, 3)),
    "line": (SMALL, (2, 1)),
}
every_flow = pytest.mark.parametrize("name", CASES)
FORWARD, INVERSE = "forward_and_log_det", "inverse_and_log_det"
both_ways = pytest.mark.parametrize("method", [FORWARD, INVERSE])


@cache
def parameters(name):
    """Return parameters around those that training starts from, none of them 0."""
    config, shape = CASES[name]
    flow = config.build(shape, jnp.float64)
    start = flow.init(jax.random.key(3), jnp.ones(shape), method=FORWARD)
    rng = np.random.default_rng(5)
    return jax.tree.map(lambda leaf: leaf + rng.normal(0, 0.05, leaf.shape), start)


@cache
def jitted(name, method, steps=20, tolerance=0.0):
    config, shape = CASES[name]
    flow = replace(config, steps=steps).build(shape, jnp.float64, tolerance)
    return jax.jit(partial(flow.apply, parameters(name), method=method))


@cache
def velocity(name):
    """Return the jitted (t, y) -> (v, div v)."""
    config, shape = CASES[name]
    flow = config.build(shape, jnp.float64)

    def method(module, t, y):
        return module._velocity()(t, y)

    return jax.jit(partial(flow.apply, parameters(name), method=method))


def event(name, rng, scale=1.0):
    return scale * rng.normal(size=CASES[name][1])


def velocity_by_loops(name, t, x):
    """Return v of all particles, (N, D), by the module's formulas."""
    config = CASES[name][0]
    p = {k: np.asarray(v) for k, v in parameters(name)["params"].items()}
    times, centres = config.time_bumps()[0], config.distance_bumps()[0]
    share = np.exp(-(((t - times) / np.exp(p["log_time_widths"])) ** 2))
    share /= 1e-6 + share.sum()
    v = np.zeros_like(x)
    for i in range(len(x)):
        for j in range(len(x)):
            if i != j:
                r = x[i] - x[j]
                u = (np.linalg.norm(r) - centres) / np.exp(p["log_widths"])
                bumps = np.exp(-(u**2))
                bumps = bumps / (1e-6 + bumps.sum()) + p["importance"] ** 2
                v[i] += (bumps @ p["weights"] + p["bias"]) @ share * r
    return v


@pytest.mark.parametrize("config", [DEFAULT, CLUSTER], ids=["double wells", "cluster"])
@pytest.mark.parametrize("shape", [(3, 2), (12, 3)])
def test_there_are_620_parameters(config, shape):
    init = partial(config.build(shape, jnp.float32).init, method=FORWARD)
    params = jax.eval_shape(init, jax.random.key(0), jnp.zeros(shape))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 620


def test_all_parameters_are_trained_from_the_start(rng):
    flow = DEFAULT.build((3, 2), jnp.float64)
    y = rng.normal(0, 2, (8, 3, 2))
    params = flow.init(jax.random.key(0), y[0], method=FORWARD)

    def loss(params):
        z, log_det = jax.vmap(partial(flow.apply, params, method=INVERSE))(y)
        return jnp.sum(z**2) / 2 - jnp.sum(log_det)

    gradient = jax.jit(jax.grad(loss))(params)
    for leaf in jax.tree.leaves(gradient):
        assert np.all(np.isfinite(leaf))
        assert np.all(leaf != 0)


@every_flow
def test_velocity_is_the_sum_over_other_particles(name, rng):
    y = event(name, rng)
    for t in (0.0, 0.3, 1.0):
        expected = velocity_by_loops(name, t, np.asarray(positions(y)))
        assert np.max(np.abs(expected)) > 0.01
        np.testing.assert_allclose(expected.sum(axis=0), 0, atol=1e-12)
        v = velocity(name)(t, y)[0]
        np.testing.assert_allclose(v, coordinates(expected), atol=1e-12)


@every_flow
@pytest.mark.parametrize("far", [False, True])
def test_closed_divergence_is_the_trace_of_the_jacobian(name, far, rng):
    """Also with pairs at the edge of the bumps and beyond them all."""
    y = event(name, rng)
    if far:
        y[-1] += 1.4 * CASES[name][0].reach
    v = velocity(name)
    jacobian = jax.jit(jax.jacfwd(lambda t, y: v(t, y)[0], argnums=1))
    for t in (0.0, 0.3, 1.0):
        expected = np.trace(np.reshape(jacobian(t, y), (y.size, y.size)))
        assert abs(expected) > 0.01
        np.testing.assert_allclose(v(t, y)[1], expected, rtol=1e-12, atol=1e-12)


def test_coinciding_particles_stay_together_with_finite_gradients():
    y = jnp.zeros((3, 2)).at[2, 0].set(1.0)  # three in one place
    forward = jitted("dw4", FORWARD)
    end, log_det = forward(y)
    assert np.isfinite(log_det)
    np.testing.assert_allclose(end[:2], 0, atol=1e-14)
    gradient = jax.grad(lambda y: jnp.sum(forward(y)[0]) + forward(y)[1])(y)
    assert np.all(np.isfinite(gradient))


# Symmetry and density of the model


@cache
def model_of(name):
    config, (others, dimension) = CASES[name]
    target = DoubleWell(others + 1, dimension, dtype="float64").build()
    config = Config(method="realnvp", flow=config, base=BaseConfig(variance=1.0))
    model = build_model(target, config)
    law = model.init(jax.random.key(0))["modulation"]
    flow = {"params": {"bijection": parameters(name)["params"]}}
    return target, model, {"flow": flow, "modulation": law}


@pytest.mark.parametrize("name", ["dw4", "lj13", "small"])
def test_log_q_is_invariant_under_permutations_and_motions_of_space(name, rng):
    _, model, params = model_of(name)
    x = np.asarray(positions(event(name, rng)))
    orthogonal = np.linalg.qr(rng.normal(size=(x.shape[1], x.shape[1])))[0]
    reflected = orthogonal @ np.diag([-1, *[1] * (x.shape[1] - 1)])
    shift = rng.normal(size=x.shape[1])
    images = [x, x[rng.permutation(len(x))], x @ orthogonal, x @ reflected, x + shift]
    images += [x[rng.permutation(len(x))] @ reflected + shift]
    stretched = x * np.array([1.1, *[1] * (x.shape[1] - 1)])
    events = jnp.stack([coordinates(image) for image in [*images, stretched]])
    log_q = np.asarray(jax.jit(model.log_prob)(params, events))
    np.testing.assert_allclose(log_q[:-1], log_q[0], atol=1e-10)
    assert abs(log_q[-1] - log_q[0]) > 0.01


@both_ways
def test_the_flow_itself_turns_with_the_particles(method, rng):
    x = np.asarray(positions(event("small", rng)))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    order = rng.permutation(len(x))
    flow = jitted("small", method)
    y, log_det = flow(coordinates(x))
    image, image_log_det = flow(coordinates(x[order] @ turn))
    np.testing.assert_allclose(positions(image), positions(y)[order] @ turn, atol=1e-12)
    np.testing.assert_allclose(image_log_det, log_det, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 2), (2, 1)])
def test_log_q_is_normalised_on_the_space_without_the_centre_of_mass(shape):
    """Of two particles in the plane and three on a line.

    In polar coordinates, on a sixth of the plane: one order of the three particles. The
    density has an edge where particles coincide, on the borders between orders.
    """
    flow = SMALL.build(shape, jnp.float64)
    params = flow.init(jax.random.key(1), jnp.ones(shape), method=FORWARD)
    points, weights = nodes_and_weights(1.0, panels=1, order=24)
    angles = np.pi / 2 + np.pi / 6 * (points + 1)  # x_1 = x_2 at the first
    radii, radial_weights = nodes_and_weights(12.0, panels=100)
    radii, radial_weights = radii[radii > 0], radial_weights[radii > 0]
    rays = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    y = jnp.asarray(radii[:, None, None] * rays).reshape(-1, *shape)
    inverse = jax.vmap(partial(flow.apply, params, method=INVERSE))
    z, log_det = jax.jit(inverse)(y)
    log_q = -jnp.sum(z**2, axis=(1, 2)) / 2 - np.log(2 * np.pi) + log_det
    assert np.max(np.abs(z - y)) > 0.1
    density = np.exp(log_q).reshape(radii.size, -1)
    mass = 6 * (radial_weights * radii) @ density @ (np.pi / 6 * weights)
    assert mass == pytest.approx(1, abs=1e-5)


def test_log_z_of_two_particles_by_importance_sampling(key):
    """Through a flow that was never trained, from a wide base."""
    target = build_target("dw2", dtype="float64")
    base = BaseConfig(variance=8.0, whiten=False)
    model = build_model(target, Config(method="realnvp", flow=DEFAULT, base=base))
    params = model.init(jax.random.key(4))
    samples = jax.jit(model.sample, static_argnums=2)(params, key, 20_000)
    log_w = -jax.vmap(target.action)(samples.x) - samples.log_q
    estimate = estimators.log_z(np.asarray(log_w))
    assert estimate.error < 0.03
    assert abs(estimate.mean - target.exact.log_z) < SIGMAS * estimate.error
    left = jax.vmap(lambda x: target.observe(x)["left_well"])(samples.x)
    share = estimators.reweighted(np.asarray(left), np.asarray(log_w))
    expected = target.exact.observables["left_well"]
    assert abs(share.mean - expected) < SIGMAS * share.error


# Integration


@pytest.mark.parametrize("name", ["dw4", "small"])
@both_ways
def test_steps_converge_to_the_adaptive_integration_at_fourth_order(name, method, rng):
    y = event(name, rng)
    exact, exact_log_det = jitted(name, method, 20, 1e-12)(y)

    def errors(steps):
        end, log_det = jitted(name, method, steps)(y)
        return np.max(np.abs(end - exact)), abs(float(log_det - exact_log_det))

    coarse, fine = errors(20), errors(80)
    for ratio, error in zip(np.divide(coarse, fine), fine, strict=True):
        assert 1e-14 < error < 1e-5
        assert 150 < ratio < 600


def test_twenty_steps_are_enough_and_lead_back(rng):
    """At the parameters' starting values, on many events."""
    flow = DEFAULT.build((3, 2), jnp.float64)
    y = jnp.asarray(rng.normal(0, 2, (64, 3, 2)))
    params = flow.init(jax.random.key(0), y[0], method=FORWARD)
    adaptive = DEFAULT.build((3, 2), jnp.float64, 1e-9)

    def batch(flow, method, y):
        return jax.jit(jax.vmap(partial(flow.apply, params, method=method)))(y)

    z, log_det = batch(flow, INVERSE, y)
    back, back_log_det = batch(flow, FORWARD, z)
    exact, exact_log_det = batch(adaptive, INVERSE, y)
    assert np.max(np.abs(z - y)) > 0.1
    np.testing.assert_allclose(back, y, atol=1e-4)
    np.testing.assert_allclose(back_log_det, -log_det, atol=1e-3)
    np.testing.assert_allclose(z, exact, atol=1e-4)
    np.testing.assert_allclose(log_det, exact_log_det, atol=1e-3)


def test_models_know_the_error_of_integration(rng):
    target, model, params = model_of("dw4")
    y = jnp.asarray(rng.normal(size=(5, *target.event_shape)))
    densities = [
        jax.jit(log_prob)(params, y)
        for log_prob in (
            model.flow_log_prob,
            model.integrated.accurate.flow_log_prob,
            model.integrated.adaptive_log_prob,
        )
    ]
    assert DEFAULT.finer() == replace(DEFAULT, steps=80)
    assert np.max(np.abs(densities[0] - densities[1])) > 0
    np.testing.assert_allclose(densities[0], densities[2], atol=1e-4)
    np.testing.assert_allclose(densities[1], densities[2], atol=1e-5)


# Sizes


def test_quadratic_bumps_are_those_of_the_cluster():
    centres, widths = CLUSTER.distance_bumps()
    steps = np.linspace(0, 16, 50)
    np.testing.assert_allclose(centres, np.sort((steps - 1.5) ** 2 / 32), atol=1e-14)
    np.testing.assert_allclose(widths, 0.3 + 3 * (centres - 1.5) ** 2 / 64)
    assert [widths.min(), widths.max()] == pytest.approx([0.3, 1.505], abs=2e-3)
    times, time_widths = CLUSTER.time_bumps()
    np.testing.assert_allclose(times, np.linspace(0, 1, 10))
    expected = [0.425 / 10**0.5, (0.3 + 0.5 / 18**2) / 10**0.5]
    assert [time_widths[0], time_widths[5]] == pytest.approx(expected)


def test_without_gain_the_flow_starts_as_the_identity(rng):
    flow = replace(DEFAULT, gain=0.0).build((3, 2), jnp.float64)
    z = rng.normal(size=(3, 2))
    params = flow.init(jax.random.key(0), z, method=FORWARD)
    y, log_det = flow.apply(params, z, method=FORWARD)
    np.testing.assert_array_equal(y, z)
    assert log_det == 0


@pytest.mark.parametrize(
    ("fields", "shape", "message"),
    [
        ({"kernels": 0}, (3, 2), "flow.kernels=0 must be at least 1"),
        ({"time_kernels": -1}, (3, 2), "flow.time_kernels=-1 must be at least 1"),
        ({"reach": 0.0}, (3, 2), r"flow.reach=0\.0 must be positive"),
        ({"width": float("nan")}, (3, 2), "flow.width=nan must be finite"),
        ({"time_width": -0.3}, (3, 2), r"flow.time_width=-0\.3 must be positive"),
        ({"gain": -1.0}, (3, 2), r"flow.gain=-1\.0 must be at least 0"),
        ({"tolerance": -1e-5}, (3, 2), "flow.tolerance=-1e-05 must be at least 0"),
        ({"steps": 0}, (3, 2), "flow.steps=0 must be at least 1"),
        ({"centres": "odd"}, (3, 2), "flow.centres 'odd'; known: even, quadratic"),
        ({}, (6,), r"events have the shape \(N - 1, D\), got \(6,\)"),
    ],
)
def test_impossible_sizes_are_refused_by_name_and_value(fields, shape, message):
    with pytest.raises(ValueError, match=message) as error:
        replace(FLOWS["kernel"], **fields).build(shape, jnp.float32)
    assert "\n" not in str(error.value)

"""The neural spline flow, most of all on one component: what no other flow takes."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import random_params
from tolerances import F64, SIGMAS

from sesamo_jax import Config, Target, build_model, train
from sesamo_jax.config import complete, resolve
from sesamo_jax.config.record import from_json, to_json
from sesamo_jax.flows import NeuralSplineConfig, RealNVPConfig
from sesamo_jax.targets.config import Fixed

SMALL = NeuralSplineConfig(couplings=3, layers=0, width=6, bins=5, bound=2.0)


def action(x):
    """Two wells of different depth."""
    return jnp.sum((x**2 - 2) ** 2 / 2 - 0.3 * x)


ONE = Target("wells", (1,), action)


def build(shape, rng=None, dtype=jnp.float64, config=SMALL):
    """Return jitted forward, inverse and parameters: random, or initial without rng."""
    flow = config.build(shape, dtype)
    event = jnp.zeros(shape, dtype)
    init = partial(flow.init, jax.random.key(1), event, method="forward_and_log_det")
    params = jax.jit(init)() if rng is None else random_params(init, rng, 2.0)
    both = ("forward_and_log_det", "inverse_and_log_det")
    return *(jax.jit(partial(flow.apply, params, method=name)) for name in both), params


@pytest.mark.parametrize(("shape", "dtype"), [((1,), jnp.float64), ((5,), jnp.float32)])
def test_flow_starts_as_the_identity_inside_and_outside_the_bound(shape, dtype, rng):
    forward, inverse, _ = build(shape, dtype=dtype)
    eps = float(jnp.finfo(dtype).eps)
    for scale in (0.5, 9.0):
        x = (scale * rng.uniform(0.5, 1, size=shape)).astype(dtype)
        for function in (forward, inverse):
            y, log_det = function(x)
            assert y.dtype == log_det.dtype == dtype
            np.testing.assert_allclose(y, x, rtol=100 * eps)
            np.testing.assert_allclose(log_det, 0, atol=1000 * eps)


def test_one_component_takes_one_spline_between_linear_tails(rng):
    forward, inverse, params = build((1,), rng)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 3 * SMALL.bins + 3
    z = jnp.linspace(-40.0, 40.0, 1601)[:, None]
    y, log_det = jax.vmap(forward)(z)
    slopes = np.diff(y[:, 0]) / np.diff(z[:, 0])
    assert np.all(slopes > 0)
    outside = np.abs(y[:, 0]) > SMALL.bound
    outside = outside[1:] & outside[:-1]
    np.testing.assert_allclose(slopes[outside], slopes[0], rtol=1e-9)
    assert np.ptp(slopes[~outside]) > 0.1 * slopes[0]
    back, back_log_det = jax.vmap(inverse)(y)
    np.testing.assert_allclose(back, z, atol=F64)
    np.testing.assert_allclose(back_log_det, -log_det, atol=F64)
    derivative = jax.vmap(jax.grad(lambda z: forward(z)[0][0]))(z)
    np.testing.assert_allclose(log_det, np.log(derivative[:, 0]), atol=F64)


def test_five_components_depend_on_each_other(rng):
    """Three couplings carry every component to every other of the other half."""
    forward, _, _ = build((5,), rng)
    jacobian = jax.jacfwd(lambda z: forward(z)[0])(jnp.asarray(rng.normal(size=5)))
    assert np.all(np.abs(jacobian) > 1e-6)


def test_a_target_of_one_component_is_learned_without_a_word_about_flows():
    nodes = np.linspace(-6, 6, 1001)
    weights = np.exp(-jax.vmap(action)(nodes[:, None]))
    exact = np.log(weights.sum() * (nodes[1] - nodes[0]))
    settings = {
        "method": "flow",
        "training.steps": 300,
        "training.batch_size": 128,
        "evaluation.samples": 4000,
        "evaluation.audit": False,
    }
    trained = train(ONE, settings, progress=False)
    report = trained.samplers[0].report(jax.random.key(1))
    assert report["ess"] > 0.9  # a Gaussian has at most 0.52, by quadrature
    deviation = abs(report["log_z"] - exact)
    assert deviation < SIGMAS * report["log_z_error"]
    assert report["log_z_error"] < 0.01


@pytest.mark.parametrize("preset", ["default", "paper"])
@pytest.mark.parametrize(
    ("shape", "kind"), [((1,), NeuralSplineConfig), ((1, 2), RealNVPConfig)]
)
def test_flows_that_nobody_chose_suit_the_size_of_the_event(shape, kind, preset):
    target = replace(ONE, event_shape=shape)
    assert isinstance(complete(Config(method="flow"), target).flow, kind)
    run = resolve("own", preset, {"method": "flow"}, known=Fixed(target))
    assert isinstance(run.config.flow, kind)
    again = from_json(to_json(run), Fixed(target))
    assert (again.flow_name, again.config) == (run.flow_name, run.config)


def test_an_unsuitable_flow_is_refused_with_one_that_is_not():
    with pytest.raises(ValueError, match=r"got event \(1,\): use flow 'neural_spline'"):
        build_model(ONE, Config(method="flow", flow=RealNVPConfig()))


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"bins": 0}, "flow.bins=0 must be at least 1"),
        ({"bound": -1.0}, "flow.bound=-1.0 must be positive"),
        ({"activation": "elu"}, "flow.activation 'elu'; known: relu"),
    ],
)
def test_impossible_sizes_are_refused(changes, phrase):
    with pytest.raises(ValueError, match=phrase):
        replace(SMALL, **changes).build((1,), jnp.float32)

"""Bijections, their networks and the Gaussian base."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import grid, random_params
from tolerances import F64, SIGMAS

from sesamo_jax.bases import Gaussian
from sesamo_jax.flows import RealNVPConfig
from sesamo_jax.flows.coupling.conditioner import MLP

PAPER = RealNVPConfig(6, 4, 40, "relu", shared=False, log_scale_bound=0.0)
SMALL = RealNVPConfig(2, 1, 8, "tanh", shared=False, log_scale_bound=0.0)

# A row of this table is all a new flow needs to be tested like the others.
CONSTRUCTORS = {
    "default-(2,)": (RealNVPConfig(), (2,)),
    "paper-(1,2)": (replace(PAPER, couplings=3, layers=2, init="paper"), (1, 2)),
    "odd-(3,)": (replace(SMALL, couplings=3, layers=0), (3,)),
    "shared-(4,4)": (replace(SMALL, activation="gelu", shared=True), (4, 4)),
    "bounded-(1,2)": (replace(SMALL, log_scale_bound=0.7), (1, 2)),
}
every_flow = pytest.mark.parametrize(
    ("config", "shape"), CONSTRUCTORS.values(), ids=CONSTRUCTORS
)


def build(config, shape, rng=None, dtype=jnp.float64):
    """Return jitted forward, inverse and parameters: random, or initial without rng."""
    flow = config.build(shape, dtype)
    key, event = jax.random.key(1), jnp.zeros(shape, dtype)
    init = partial(flow.init, key, event, method="forward_and_log_det")
    params = init() if rng is None else random_params(init, rng)
    apply = partial(flow.apply, params)
    forward = jax.jit(partial(apply, method="forward_and_log_det"))
    return forward, jax.jit(partial(apply, method="inverse_and_log_det")), params


@every_flow
def test_only_the_identity_initialisation_starts_as_the_identity(config, shape, rng):
    forward, _, _ = build(config, shape)
    z = rng.normal(size=shape)
    y, log_det = forward(z)
    if config.init == "identity":
        np.testing.assert_array_equal(y, z)
        assert log_det == 0
    else:
        assert np.max(np.abs(y - z)) > 0.01
        assert abs(log_det) > 1e-3


@pytest.mark.parametrize(
    ("config", "shape", "count"),
    [
        (PAPER, (2,), 80_172),
        (PAPER, (1, 2), 80_172),
        (replace(PAPER, width=100), (8, 8), 563_184),
        # One network less per coupling, its last layer twice as wide.
        (replace(PAPER, shared=True), (2,), 80_172 // 2 + 6 * 41),
    ],
)
def test_parameter_counts_of_table_3(config, shape, count):
    flow = config.build(shape, jnp.float32)
    init = partial(flow.init, method="forward_and_log_det")
    params = jax.eval_shape(init, jax.random.key(0), jnp.zeros(shape))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


def test_couplings_change_the_even_half_first(rng):
    z = rng.normal(size=5)
    one, _, _ = build(replace(SMALL, couplings=1), (5,), rng)
    changed = np.asarray(one(z)[0] != z)
    np.testing.assert_array_equal(changed, [True, False, True, False, True])
    two, _, _ = build(SMALL, (5,), rng)
    assert np.all(two(z)[0] != z)


@pytest.mark.parametrize(("bound", "finite"), [(2.0, True), (0.0, False)])
def test_only_bounded_log_scales_keep_far_events_finite(bound, finite, rng):
    """Raw scales overflow there, which is what the bound is for."""
    config = replace(PAPER, couplings=4, layers=1, log_scale_bound=bound)
    forward, _, _ = build(config, (2,), rng)

    def total(z):
        y, log_det = forward(z)
        return jnp.sum(y), log_det

    far = 1e4 * jnp.array([1.0, -2.0])
    (value, log_det), gradient = jax.value_and_grad(total, has_aux=True)(far)
    assert np.all(np.isfinite([value, *gradient])) == finite
    assert (abs(log_det) <= 4 * bound) == finite


def test_paper_initialisation_follows_the_authors_package(key):
    """Xavier normal outside, uniform(+-1/sqrt(fan_in)) inside and for all biases."""
    net = MLP(width=60, layers=2, out=40, initialization="paper", dtype=jnp.float64)
    params = net.init(key, jnp.zeros(30))["params"]
    fans = {"Dense_0": (30, 60), "Dense_1": (60, 60), "Dense_3": (60, 40)}
    for name, (fan_in, fan_out) in fans.items():
        kernel, bias = (np.asarray(params[name][leaf]) for leaf in ("kernel", "bias"))
        assert np.max(np.abs(bias)) < fan_in**-0.5
        assert np.std(bias) > 0.3 * fan_in**-0.5
        if name == "Dense_1":
            assert 0.98 * fan_in**-0.5 < np.max(np.abs(kernel)) < fan_in**-0.5
        else:
            expected = np.sqrt(2 / (fan_in + fan_out))
            error = expected / np.sqrt(2 * kernel.size)
            assert abs(np.std(kernel) - expected) < SIGMAS * error


@pytest.mark.parametrize("shape", [(1,), (2,), (1, 2)])
def test_gaussian_base_is_normalised_and_consistent_with_its_noise(shape, rng):
    base = Gaussian(shape, mean=0.7, variance=3.0, dtype=jnp.float64)
    points, volume = grid(20.0, 200, int(np.prod(shape)))
    log_prob = jax.jit(jax.vmap(lambda z: base.apply({}, z, method="log_prob")))
    density = np.exp(log_prob(jnp.asarray(points).reshape(-1, *shape)))
    np.testing.assert_allclose(density.sum() * volume, 1, atol=F64)
    np.testing.assert_allclose(density @ points * volume, 0.7, atol=F64)
    np.testing.assert_allclose(density @ (points - 0.7) ** 2 * volume, 3, atol=F64)
    noise = rng.normal(size=shape)
    z, log_q = base.apply({}, noise, method="from_noise")
    np.testing.assert_allclose(z, 0.7 + np.sqrt(3) * noise, atol=F64)
    np.testing.assert_allclose(log_q, log_prob(z[None])[0], atol=F64)
    change = -np.sum(np.log(2 * np.pi) + noise**2) / 2 - np.log(3) / 2 * noise.size
    np.testing.assert_allclose(log_q, change, atol=F64)


@pytest.mark.parametrize(
    ("config", "shape", "message"),
    [
        (SMALL, (1,), r"two components, got event \(1,\): use flow 'neur"),
        (replace(SMALL, couplings=0), (2,), "flow.couplings=0 must be at least 1"),
        (replace(SMALL, width=-1), (2,), "flow.width=-1 must be at least 1"),
        (replace(SMALL, layers=-1), (2,), "flow.layers=-1"),
        (replace(SMALL, activation="elu"), (2,), "flow.activation 'elu'; known: relu"),
        (replace(SMALL, init="zeros"), (2,), "flow.init 'zeros'; known: identity"),
    ],
)
def test_impossible_flows_are_refused_by_name_and_value(config, shape, message):
    with pytest.raises(ValueError, match=message):
        config.build(shape, jnp.float32)

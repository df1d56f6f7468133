"""What every method with a model must hold: density, weights, batches, floating types.

In two dimensions, where Z is known by quadrature, with random parameters. A new row of
`METHODS` is tested by itself, on each of `TARGETS` that it accepts; the references,
which have no model, are tested by `test_hmc` and `test_smc`.
"""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_mean, grid, quadrature, random_params
from tolerances import F64

from sesamo_jax.config import BaseConfig, Config, VMoNFConfig, build_model
from sesamo_jax.config.schema import METHODS
from sesamo_jax.flows import RealNVPConfig
from sesamo_jax.targets.gaussian_mixture import GaussianMixture
from sesamo_jax.targets.hubbard.target import Hubbard

# Neither has a symmetry left that a method could hide behind.
TARGETS = {
    "tilted": GaussianMixture(3, 1.5, breaking=0.3, dtype="float64").build(),
    "hubbard": Hubbard(u=2.0).build(),
}
REFERENCES = {"hmc", "smc"}
FLOW = RealNVPConfig(2, 1, 8, "tanh", shared=True, log_scale_bound=0.3)
MIXTURE = VMoNFConfig(components=3, width=6, layers=1)
LIMIT, POINTS = 16.0, 240


@cache
def built(method, name):
    """Return a model and random parameters, or None where the method refuses."""
    mean = 0.0 if method == "canonicalization" else 0.6
    base = BaseConfig(mean=mean, variance=3.0)
    config = Config(method=method, flow=FLOW, base=base, vmonf=MIXTURE)
    try:
        model = build_model(TARGETS[name], config)
    except ValueError:
        return None
    start = model.init(jax.random.key(0))
    gain = 0.1 if model.log_prob is None else 0.7  # the former's own are close already
    params = random_params(lambda: start, np.random.default_rng(7), gain)
    return model, jax.tree.map(jnp.add, start, params)


ROWS = [
    (method, name)
    for method in METHODS
    if method not in REFERENCES
    for name in TARGETS
    if built(method, name)
]
every_method = pytest.mark.parametrize(("method", "name"), ROWS)
with_density = pytest.mark.parametrize(
    ("method", "name"), [row for row in ROWS if built(*row)[0].log_prob]
)


def test_every_method_has_a_row():
    assert {method for method, _ in ROWS} == {*METHODS} - REFERENCES


@cache
def samples(method, name):
    model, params = built(method, name)
    return jax.jit(partial(model.sample, n=20_000))(params, jax.random.key(5))


@with_density
def test_density_integrates_to_one(method, name):
    model, params = built(method, name)
    log_prob = jax.jit(partial(model.log_prob, params))
    nodes, volume = grid(LIMIT, POINTS)
    # A folded base has an edge, where the trapezoidal rule is only as good as its step.
    edge = method == "canonicalization"
    turns = np.linspace(0.05, 1.5, 6) if edge else [0.0]
    masses = []
    for cos, sin in zip(np.cos(turns), np.sin(turns), strict=True):
        x = nodes @ np.array([[cos, sin], [-sin, cos]])
        x = jnp.asarray(x.reshape(-1, *TARGETS[name].event_shape))
        masses.append(float(jnp.sum(jnp.exp(log_prob(x)))) * volume)
    assert np.mean(masses) == pytest.approx(1, abs=5e-3 if edge else 1e-5)


@pytest.mark.parametrize(
    # canonicalization leaves holes, which `test_density` knows
    ("method", "name"),
    [row for row in ROWS if row[0] != "canonicalization"],
)
def test_weights_of_samples_estimate_z(method, name):
    """By log_prob, or else by the samples' own densities, unbiased as these are."""
    target, (model, params) = TARGETS[name], built(method, name)
    drawn = samples(method, name)
    log_q = drawn.log_q
    if model.log_prob:
        log_q = jax.jit(model.log_prob)(params, drawn.x)
    actions = jax.jit(jax.vmap(target.action))(drawn.x)
    log_z = quadrature(target, LIMIT, POINTS)[0]
    assert_mean(np.exp(-actions - log_q - log_z), 1.0)


@with_density
def test_densities_of_batches_are_those_of_single_events(method, name):
    model, params = built(method, name)
    x = samples(method, name).x[:5]
    batch = jax.jit(model.log_prob)(params, x)
    one = [model.log_prob(params, event[None])[0] for event in x]
    np.testing.assert_allclose(batch, one, atol=F64)


@every_method
def test_samples_have_the_targets_floating_type(method, name):
    if name == "hubbard":
        pytest.skip("the determinant refuses float32")
    target = GaussianMixture(3, 1.5, breaking=0.3, dtype="float32").build()
    model = build_model(target, Config(method=method, flow=FLOW, vmonf=MIXTURE))
    params = jax.eval_shape(model.init, jax.random.key(0))
    drawn = jax.eval_shape(partial(model.sample, n=4), params, jax.random.key(0))
    for field in ("x", "y", "log_q", "log_p_u"):
        assert getattr(drawn, field).dtype == jnp.float32, field
    assert samples(method, name).x.dtype == jnp.float64

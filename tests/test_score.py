"""The path gradient carried along with the samples, and training on the folded action.

Both must be what the second pass of the flow, and the modulated samples, give.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import random_params
from tolerances import F64

from sesamo_jax.config import BaseConfig, Config, TrainingConfig, build_model, complete
from sesamo_jax.flows import CheckerboardConfig, RealNVPConfig, SplineConfig
from sesamo_jax.targets.gaussian_mixture import GaussianMixture
from sesamo_jax.targets.phi4.real import Phi4Real
from sesamo_jax.training.fit import build_chunk
from sesamo_jax.training.loss import batch_loss
from sesamo_jax.training.state import init_states

FIELD = Phi4Real(shape=(4, 2), alpha=0.05, dtype="float64").build("phi4_real")
TILTED = GaussianMixture(modes=3, radius=1.5, breaking=0.3, dtype="float64").build()
COUPLINGS = RealNVPConfig(3, 1, 6, "tanh", log_scale_bound=1.0)
SMALL = {"couplings": 3, "layers": 1, "channels": 3}


def build(target, flow, rng, **settings):
    """Return model, complete configuration and random parameters."""
    base = BaseConfig(kind="spectral" if target is FIELD else "gaussian", mean=0.4)
    law = settings.pop("modulation", "heat_bath")
    training = TrainingConfig(batch_size=16, density="cell", steps=3, **settings)
    parts = {"flow": flow, "base": base, "training": training}
    config = Config(modulation=law, sites="all", **parts)
    config = complete(config, target)
    model = build_model(target, config)
    return model, config, random_params(partial(model.init, jax.random.key(0)), rng)


def loss_and_gradient(model, target, config, params, key):
    loss = partial(batch_loss, model, target, config, key=key)
    (value, metrics), gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))(params)
    return value, metrics, gradient


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "flow"),
    [
        (TILTED, COUPLINGS),
        (FIELD, COUPLINGS),
        (FIELD, CheckerboardConfig(**SMALL)),
        (FIELD, SplineConfig(**SMALL, bins=4)),
    ],
    ids=["realnvp", "realnvp_field", "checkerboard", "spline"],
)
def test_the_score_carried_along_is_the_derivative_of_log_q(target, flow, key, rng):
    model, _, params = build(target, flow, rng)
    assert model.path_gradient is not None

    def draw(shift):
        """Return samples at parameters that all move by the same."""
        shifted = jax.tree.map(lambda leaf: leaf + shift, params)
        return model.path_gradient.sample(shifted, key, 5)

    @jax.jit
    def score_of(y):
        return jax.grad(lambda y: jnp.sum(model.flow_log_prob(params, y)))(y)

    drawn, moved = jax.jit(partial(jax.jvp, draw))((0.0,), (1.0,))
    score = score_of(drawn.y)
    axes = tuple(range(1, score.ndim))
    expected = jnp.sum(score * moved.y, axis=axes) + moved.log_p_u
    assert np.std(expected) > 0.01
    np.testing.assert_allclose(moved.log_q, expected, rtol=1e-9, atol=F64)
    same = jax.jit(model.sample, static_argnums=2)(params, key, 5)
    np.testing.assert_allclose(drawn.log_q, same.log_q, rtol=1e-12)
    np.testing.assert_allclose(drawn.x, same.x, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("gradient", ["path", "total"])
@pytest.mark.parametrize("modulation", ["heat_bath", "learned"])
def test_short_cuts_change_neither_loss_nor_gradient(modulation, gradient, key, rng):
    """Beside the modulated samples and the second pass; of a broken symmetry."""
    model, config, params = build(
        TILTED, COUPLINGS, rng, modulation=modulation, gradient=gradient
    )
    long_way = model._replace(unmodulated=None, path_gradient=None)
    assert (model.unmodulated is not None) == (modulation == "heat_bath")
    short, long = (
        loss_and_gradient(model, TILTED, config, params, key)
        for model in (model, long_way)
    )
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-9), short, long)


def test_canonicalization_carries_no_score(rng):
    """Its density has an edge, where no score is defined."""
    flow = RealNVPConfig(2, 0, 4)
    config = Config(method="canonicalization", flow=flow)
    target = GaussianMixture(modes=3, dtype="float64").build()
    model = build_model(target, config)
    assert model.path_gradient is None
    assert model.unmodulated is None


@pytest.mark.slow
def test_one_seed_trains_as_it_does_among_others(rng):
    model, config, _ = build(TILTED, COUPLINGS, rng)
    chunk = jax.jit(build_chunk(model, TILTED, config))
    alone, _ = chunk(init_states(model, config, [5]), jnp.int32(3))
    among, _ = chunk(init_states(model, config, [4, 5]), jnp.int32(3))
    jax.tree.map(
        lambda one, both: np.testing.assert_allclose(one[0], both[1], rtol=1e-7),
        alone.params,
        among.params,
    )

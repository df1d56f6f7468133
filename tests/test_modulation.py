"""Modulation laws p_S(u | y): normalisation, sampling, arrival probabilities."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import random_params
from tolerances import F64

from sesamo_jax.config import Config, build_model
from sesamo_jax.core import Target
from sesamo_jax.flows import RealNVPConfig
from sesamo_jax.modulation import build_law
from sesamo_jax.symmetries import Z2, Cyclic
from sesamo_jax.targets.gaussian_mixture import GaussianMixture
from sesamo_jax.targets.hubbard.target import Hubbard

EXACT = GaussianMixture(modes=5, radius=1.5, dtype="float64").build("exact")
TILTED = GaussianMixture(modes=3, radius=1.5, breaking=0.3, dtype="float64").build()
HUBBARD = Hubbard(u=2.0).build()
HUBBARD3 = Hubbard(u=2.0, extents=(3,)).build()
# One Z2 that flips two of three components of an action without any symmetry.
UNEVEN = Target(
    name="uneven",
    event_shape=(3,),
    action=lambda x: jnp.sum((x**2 - 1) ** 2) + 0.6 * x[0] - 0.3 * x[1] * x[2],
    symmetry=Z2((3,), flips=(0, 2), cell=(0,), broken=True),
    dtype=jnp.float64,
)
FLOW = RealNVPConfig(2, 1, 8, activation="tanh", init="paper")


def law_and_event(name, target, rng):
    """Return a law, parameters with random logits, and one event."""
    y = jnp.asarray(rng.normal(0, 1.5, target.event_shape))
    law = build_law(name, target)
    init = partial(law.init, jax.random.key(0), y, method="log_probs")
    return law, random_params(init, rng, gain=3.0), y


def test_exact_law_is_uniform_and_has_no_parameters(key):
    law = build_law("exact", EXACT)
    y = jnp.array([0.3, -1.2])
    params = law.init(key, y, method="log_probs")
    assert not jax.tree.leaves(params)
    log_probs = law.apply(params, y, method="log_probs")
    np.testing.assert_allclose(log_probs, -np.log(5), atol=F64)


def test_heat_bath_is_the_softmax_over_the_orbit(rng):
    """The four images of a two-site field, written out by hand."""
    law, params, _ = law_and_event("heat_bath", HUBBARD, rng)
    y = jnp.array([[2.5, 1.0]])
    assert not jax.tree.leaves(params)
    signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    action = jax.jit(HUBBARD.action)
    boltzmann = np.exp([-float(action(jnp.asarray(s) * y)) for s in signs])
    log_probs = law.apply(params, y, method="log_probs")
    np.testing.assert_allclose(np.exp(log_probs), boltzmann / boltzmann.sum(), rtol=F64)
    # Not uniform, or the comparison would hold for the exact law too.
    assert np.ptp(log_probs) > 0.1


def test_heat_bath_weights_do_not_depend_on_the_element(key):
    config = Config(flow=FLOW)
    model = build_model(TILTED, config)
    samples = jax.jit(lambda key: model.images(model.init(key), key, 50))(key)
    actions = jax.jit(jax.vmap(jax.vmap(TILTED.action)))(samples.x)
    log_w = -actions - samples.log_q
    assert np.all(np.ptp(actions, axis=1) > 1e-3)
    np.testing.assert_allclose(log_w, np.tile(log_w[:, :1], 3), atol=F64)


def test_learned_z2_is_the_bernoulli_of_b(key):
    """Eqs. 36 and 37: e^b is the flip probability, and b starts at ln 0.5."""
    law = build_law("learned", UNEVEN)
    y = jnp.array([0.3, -1.2, 2.0])
    params = law.init(key, y, method="log_probs")
    np.testing.assert_allclose(
        law.apply(params, y, method="log_probs"), np.log(0.5), atol=F64
    )
    b = np.log(0.7042)
    logits = jnp.array([1.3, 1.3 + b - np.log1p(-np.exp(b))])
    log_probs = law.apply({"params": {"logits": logits}}, y, method="log_probs")
    np.testing.assert_allclose(log_probs, [np.log1p(-np.exp(b)), b], atol=F64)


def test_learned_law_keeps_exact_factors_uniform(rng):
    """Hubbard: the global flip stays fair whatever the four broken patterns learn."""
    law, params, y = law_and_event("learned", HUBBARD3, rng)
    assert params["params"]["logits"].shape == (1, 2, 2)
    table = np.exp(law.apply(params, y, method="log_probs")).reshape(2, 2, 2)
    np.testing.assert_allclose(table[0], table[1], rtol=F64)
    np.testing.assert_allclose(table[0].sum(), 0.5, rtol=F64)
    softmax = np.exp(params["params"]["logits"][0])
    np.testing.assert_allclose(table[0] * 2, softmax / softmax.sum(), rtol=F64)
    assert np.ptp(table[0]) > 0.01


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logits_have_the_targets_dtype_and_are_strongly_typed(dtype, key):
    """A weakly typed parameter would compile the training chunk a second time."""
    target = GaussianMixture(modes=3, breaking=0.1, dtype=dtype).build()
    y = jnp.zeros((2,), dtype)
    params = build_law("learned", target).init(key, y, method="log_probs")
    logits = params["params"]["logits"]
    assert logits.dtype == dtype
    assert not logits.weak_type


@pytest.mark.parametrize("name", ["heat_bath", "exact", "learned"])
def test_float32_draws_are_float32_with_int32_elements(name, key):
    target = GaussianMixture(modes=3, breaking=0 if name == "exact" else 0.1).build()
    config = Config(modulation=name, flow=FLOW)
    model = build_model(target, config)
    params = jax.eval_shape(model.init, key)
    for draw in (model.sample, model.images):
        samples = jax.eval_shape(lambda p, k, draw=draw: draw(p, k, 4), params, key)
        for name in ("x", "y", "log_q", "log_p_u"):
            assert getattr(samples, name).dtype == jnp.float32, name
        assert samples.u.dtype == jnp.int32


@pytest.mark.parametrize(
    ("name", "target", "message"),
    [
        ("metropolis", TILTED, "'metropolis'; known: heat_bath, exact, learned"),
        ("heat_bath", replace(TILTED, symmetry=None), "declares no symmetry.*flow"),
        ("exact", TILTED, "'exact' needs an invariant action.*'heat_bath'"),
        ("exact", HUBBARD, "'exact' needs an invariant action.*'hubbard'"),
        ("learned", replace(TILTED, symmetry=Cyclic(70_000)), "70000.*at most 65536"),
    ],
)
def test_laws_that_cannot_be_built_say_why(name, target, message):
    with pytest.raises(ValueError, match=message):
        build_law(name, target)

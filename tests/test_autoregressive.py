"""Laws over signs and sign flips against enumeration."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_counts, random_params
from tolerances import F64

from sesamo_jax.config import build_model, complete, resolve
from sesamo_jax.geometry.graphs import lattice_edges
from sesamo_jax.modulation.discrete.autoregressive import AutoregressiveLaw
from sesamo_jax.modulation.discrete.signs import SignLaw
from sesamo_jax.samplers.worldlines.pair_classes import pair_classes
from sesamo_jax.symmetries import Z2, Product, sign_flips
from sesamo_jax.targets.hubbard.target import Hubbard
from sesamo_jax.training.loss import batch_loss


def uneven(sites, rng):
    """Return a law on an open chain, where every class is small, and parameters."""
    classes = pair_classes(lattice_edges("chain", (sites,), False), sites)
    law = SignLaw(tuple(map(tuple, classes.tolist())), (0.0,) * (classes.max() + 1))
    signs = jnp.ones(sites)
    params = random_params(
        lambda: law.init(jax.random.key(0), signs, method="log_prob"), rng
    )
    return law, params, np.array(list(product((-1.0, 1.0), repeat=sites)))


@pytest.mark.parametrize("sites", [4, 6])
def test_probabilities_are_normalised_even_and_those_of_the_draws(sites, rng, key):
    law, params, every = uneven(sites, rng)
    log_prob = jax.jit(jax.vmap(lambda s: law.apply(params, s, method="log_prob")))
    p = np.exp(log_prob(every))
    assert p.sum() == pytest.approx(1, abs=F64)
    assert p.max() > 3 * p.min()
    np.testing.assert_allclose(p, p[::-1], atol=F64)
    keys = jax.random.split(key, 50_000)
    drawn = jax.jit(jax.vmap(lambda k: law.apply(params, k, method="draw")))(keys)
    index = (np.asarray(drawn) > 0) @ 2 ** np.arange(sites)[::-1]
    assert_counts(np.bincount(index, minlength=2**sites), p)


def test_scores_are_those_of_the_enumerated_law(rng):
    """sum p d(log p) = 0, and sum p r d(log p) = d(sum p r): what REINFORCE needs."""
    law, params, every = uneven(4, rng)
    reward = rng.normal(size=len(every))

    def log_prob(params):
        return jax.vmap(lambda s: law.apply(params, s, method="log_prob"))(every)

    p = np.exp(log_prob(params))
    score = jax.grad(lambda q: jnp.sum(p * reward * log_prob(q)))(params)
    exact = jax.grad(lambda q: jnp.sum(jnp.exp(log_prob(q)) * reward))(params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=F64), score, exact)
    assert np.max(np.abs(exact["params"]["rest"])) > 1e-3


def test_weak_couplings_are_those_of_the_ising_law(rng):
    law, params, every = uneven(6, rng)
    params = jax.tree.map(lambda leaf: 1e-4 * leaf, params)
    found = jax.vmap(lambda s: law.apply(params, s, method="log_prob"))(every)
    values = params["params"]
    coupling = values["by_class"][np.array(law.classes)] + 0.2 * values["rest"]
    ising = np.einsum("ni,ij,nj->n", every, np.tril(coupling, -1), every)
    assert np.ptp(ising) > 1e-5
    np.testing.assert_allclose(found - found.mean(), ising - ising.mean(), atol=1e-7)


@pytest.mark.parametrize("sites", [4, 6])
@pytest.mark.parametrize("exact_global_flip", [True, False])
def test_only_exact_factors_stay_uniform(sites, exact_global_flip, rng, key):
    columns = [[i] for i in range(sites)]
    symmetry = sign_flips((sites,), columns, exact_global_flip)
    law = AutoregressiveLaw(symmetry, jnp.float64)
    y = jnp.ones(sites)
    params = random_params(lambda: law.init(jax.random.key(0), key, y), rng, 2.0)
    p = np.exp(law.apply(params, y, method="log_probs"))
    assert p.sum() == pytest.approx(1, abs=F64)
    assert p.max() > 3 * p.min()
    if exact_global_flip:
        np.testing.assert_allclose(p[: len(p) // 2], p[len(p) // 2 :], atol=F64)
    else:
        assert np.abs(p[: len(p) // 2] - p[len(p) // 2 :]).max() > 0.01


def test_autoregressive_law_starts_uniform_and_leaves_exact_factors_alone(key):
    """Also where an exact factor stands between broken ones."""
    first, second = Z2((3,), (0,), broken=True), Z2((3,), (2,), broken=True)
    law = AutoregressiveLaw(Product((first, Z2((3,), (1,)), second)), jnp.float64)
    y = jnp.ones(3)
    params = law.init(jax.random.key(0), key, y)
    log_p = law.apply(params, y, method="log_probs")
    np.testing.assert_allclose(log_p, -np.log(8), atol=F64)
    skewed = jax.tree.map(lambda leaf: leaf + 0.7, params)
    p = np.exp(law.apply(skewed, y, method="log_probs")).reshape(2, 2, 2)
    assert p.sum() == pytest.approx(1, abs=F64)
    np.testing.assert_allclose(p[:, 0], p[:, 1], atol=F64)
    assert np.ptp(p) > 0.05


HONEYCOMB = Hubbard(lattice="honeycomb", extents=(3, 3)).build()


def settings_of(**settings):
    return resolve("hubbard", settings=settings).config


@pytest.mark.slow
def test_a_group_of_2_to_the_18_is_modulated_without_a_list_of_it(key):
    """In strict accounting, by REINFORCE, with gradients for flow and law."""
    choice = {"modulation": "autoregressive", "flow.width": 8, "flow.couplings": 2}
    config = complete(settings_of(**choice), HONEYCOMB)
    assert (config.density, config.training.objective) == ("strict", "reinforce")
    model = build_model(HONEYCOMB, config)
    assert model.images is None
    assert model.log_prob is None
    params = model.init(key)
    loss = jax.jit(
        jax.value_and_grad(lambda p: batch_loss(model, HONEYCOMB, config, p, key)[0])
    )
    value, gradient = loss(params)
    assert np.isfinite(value)
    for part in ("flow", "modulation"):
        leaves = jax.tree.leaves(gradient[part])
        assert np.all([np.all(np.isfinite(leaf)) for leaf in leaves])
        assert max(np.abs(leaf).max() for leaf in leaves) > 0


REFUSALS = {
    "heat bath": ({}, "'autoregressive' or method 'worldlines'"),
    "orbit": ({"modulation": "autoregressive", "density": "orbit"}, "use 'strict'"),
    "objective": (
        {"modulation": "autoregressive", "training.objective": "rao_blackwell"},
        "use 'reinforce'",
    ),
    "training in orbit accounting": (
        {
            "modulation": "autoregressive",
            "training.objective": "reinforce",
            "training.density": "orbit",
        },
        "use 'cell'",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_would_list_a_large_group_is_refused(name):
    settings, message = REFUSALS[name]
    with pytest.raises(ValueError, match=message):
        build_model(HONEYCOMB, settings_of(**settings))


def test_other_groups_than_sign_flips_are_refused():
    run = resolve("gmm_broken", settings={"modulation": "autoregressive"})
    with pytest.raises(ValueError, match="sign flips"):
        build_model(run.target.build("gmm_broken"), run.config)

"""The worldline sampler: normalised laws, unbiased weights, training, refusals."""

from dataclasses import replace
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_counts, assert_mean, random_params, with_slow
from tolerances import F64

from sesamo_jax.config import build_model, complete, resolve
from sesamo_jax.evaluation.sampling import build_draw
from sesamo_jax.samplers.worldlines.assemble import log_mean
from sesamo_jax.samplers.worldlines.events import factors
from sesamo_jax.samplers.worldlines.law import Worldline, WorldlineLaw
from sesamo_jax.targets.hubbard.target import Hubbard
from sesamo_jax.training.fit import fit


def law_of(config, rng, sweeps=1, blocks=20):
    """Return the law of a model, with parameters near their start."""
    moments = config.build().geometry
    law = WorldlineLaw(moments, config.time_slices, config.sites, sweeps, blocks)
    params = law.init(jax.random.key(0), jax.random.key(0), method="draw")
    noise = random_params(lambda: params, rng, 0.3)
    return law, jax.tree.map(jnp.add, params, noise)


def every_worldline(law):
    """Return all pairs of signs and events, also those that are not allowed."""
    count = 1 + 2 * law.slices**2
    turns = law.sweeps * len(law.moments.edges)
    events = list(product(range(count), repeat=turns))
    signs = list(product((-1.0, 1.0), repeat=law.sites))
    pairs = list(product(signs, events))
    return Worldline(
        jnp.array([s for s, _ in pairs]), jnp.array([e for _, e in pairs], jnp.int32)
    )


CHAINS = {
    "three slices": (Hubbard(u=6.0, beta=1.4, extents=(3,), time_slices=3), 1),
    "four slices": (Hubbard(u=6.0, beta=1.4, extents=(3,), time_slices=4), 1),
    "two sweeps": (Hubbard(u=5.0, beta=1.2, extents=(2,), time_slices=4), 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHAINS)
def test_guesses_add_up_to_one_and_are_drawn_as_they_say(name, rng, key):
    """Over all events on all bonds, and all signs, at a field of no symmetry."""
    config, sweeps = CHAINS[name]
    law, params = law_of(config, rng, sweeps)
    every = every_worldline(law)
    x = jnp.asarray(rng.normal(0, 2, (law.slices, law.sites)))
    joint = jax.jit(jax.vmap(lambda u: law.apply(params, x, u, method="log_joint")))
    log_q, log_r = joint(every)
    r = np.exp(log_r)
    assert r.sum() == pytest.approx(1, abs=F64)
    assert np.sum(r > 1e-6) > 10
    guess = jax.jit(jax.vmap(lambda k: law.apply(params, k, x, method="guess")))
    u, drawn_q, drawn_r = guess(jax.random.split(key, 20_000))
    for drawn, again in zip((drawn_q, drawn_r), joint(u), strict=True):
        np.testing.assert_allclose(drawn, again, atol=F64)
    possible = r > 0
    entropy = -r[possible] @ np.asarray(log_r)[possible]
    assert_mean(-drawn_r, entropy)
    log_density = jax.nn.logsumexp(log_q)
    assert_mean(np.exp(drawn_q - drawn_r - log_density), 1.0)


@pytest.mark.slow  # compiles much
def test_worldlines_are_drawn_as_their_density_says(rng, key):
    """Signs and events have the shares that q(x, u) gives, x integrated out."""
    law, params = law_of(Hubbard(u=5.0, beta=2.0, extents=(3,), time_slices=4), rng)
    every = every_worldline(law)

    def log_q(u):  # at x = the mean the noise has one and the same density for all u
        moments = jnp.broadcast_to(u.signs, (4, 3))
        for bond, event in zip(law.moments.edges, u.events, strict=True):
            for site in bond:
                moments = moments.at[:, site].multiply(factors(event, 4))
        return law.apply(params, moments * law.u_tilde, u, method="log_joint")[0]

    log_noise = -6 * np.log(2 * np.pi * law.u_tilde)
    q = np.exp(jax.jit(jax.vmap(log_q))(every) - log_noise)
    assert q.sum() == pytest.approx(1, abs=F64)
    draw = jax.jit(jax.vmap(lambda k: law.apply(params, k, method="draw")[1]))
    drawn = draw(jax.random.split(key, 20_000))
    table = np.column_stack([every.signs, every.events])
    place = {tuple(row): i for i, row in enumerate(table)}
    rows = np.column_stack([drawn.signs, drawn.events])
    found = [place[tuple(row)] for row in rows]
    assert_counts(np.bincount(found, minlength=len(table)), q)


TRIANGLE = {"lattice": "graph", "edges": ((0, 1), (1, 2), (0, 2))}
CASES = {
    "ring": Hubbard(u=9.0, lattice="ring", extents=(4,), time_slices=8),
    "chain": Hubbard(u=12.0, beta=1.5, extents=(3,), time_slices=6),
    "uneven blocks": Hubbard(u=8.0, extents=(2,), time_slices=13),
    "one slice": Hubbard(u=6.0, extents=(3,), time_slices=1),
    "negative hopping": Hubbard(u=7.0, kappa=-0.8, extents=(3,), time_slices=5),
    "a triangle, negative hopping": Hubbard(
        u=8.0, kappa=-0.7, extents=(3,), time_slices=2, **TRIANGLE
    ),
    "no hopping": Hubbard(u=5.0, beta=1.3, kappa=0.0, extents=(2,), time_slices=3),
    "no edges": Hubbard(u=4.0, beta=0.7, lattice="graph", extents=(3,), time_slices=2),
    "a site apart": Hubbard(
        u=9.0, lattice="graph", extents=(4,), edges=((0, 1), (1, 3)), time_slices=4
    ),
}


# Of the larger systems, up to a quarter of a minute each.
LARGER = ("ring", "uneven blocks", "a site apart", "a triangle, negative hopping")


@pytest.mark.slow  # compiles much
@pytest.mark.parametrize("name", with_slow(CASES, LARGER))
def test_weights_are_unbiased(name, rng, key):
    """log Z and observables are those of the exact trace, at perturbed parameters."""
    config = CASES[name]
    target = config.build()
    settings = {"worldlines.blocks": 9, "worldlines.guesses": 8}
    config = resolve("hubbard", settings={"method": "worldlines", **settings}).config
    model = build_model(target, config)
    params = model.init(jax.random.key(0))
    leaves = jax.tree.leaves(params)
    assert all(leaf.size for leaf in leaves)  # files cannot hold empty ones
    assert all(np.all(np.isfinite(leaf)) for leaf in leaves)
    noise = random_params(lambda: params, rng, 0.1)
    params = jax.tree.map(jnp.add, params, noise)

    @jax.jit
    def draw(key):
        samples = model.sample(params, key, 10_000)
        log_w = -jax.vmap(target.action)(samples.x) - samples.log_q
        return log_w, jax.vmap(target.measure)(samples.x)

    log_w, values = draw(key)
    weights = np.exp(np.asarray(log_w) - target.exact.log_z)
    assert_mean(weights, 1.0)
    assert weights.std() < 1
    for quantity in target.exact.observables:
        deviation = np.asarray(values[quantity]) - target.exact.observables[quantity]
        assert_mean(weights * deviation, 0.0)


@pytest.mark.slow
def test_more_guesses_bring_the_density_closer(key):
    """The mean of log w grows with the guesses, towards KL(q | p) of x alone."""
    target = CASES["chain"].build()
    log_w = []
    for guesses in (1, 8):
        settings = {"method": "worldlines", "worldlines.guesses": guesses}
        model = build_model(target, resolve("hubbard", settings=settings).config)
        params = model.init(jax.random.key(0))
        samples = jax.jit(model.sample, static_argnums=2)(params, key, 6000)
        actions = jax.jit(jax.vmap(target.action))(samples.x)
        log_w.append(np.asarray(-actions - samples.log_q))
    gain = log_w[1] - log_w[0]  # of one and the same fields
    assert gain.mean() > 5 * gain.std() / np.sqrt(len(gain))
    assert log_w[-1].mean() < target.exact.log_z


@pytest.mark.slow  # 300 steps; weights are unbiased by the tests above
def test_training_brings_worldlines_closer_and_agrees_with_the_trace():
    """From the second-order rates, which are too small at these coarse slices."""
    target = CASES["chain"].build()
    settings = {
        "method": "worldlines",
        "training.steps": 150,
        "evaluation.samples": 20_000,
        "evaluation.batch_size": 1000,
    }
    config = resolve("hubbard", settings=settings).config
    model = build_model(target, config)
    start = model.init(jax.random.key(0))
    trained = jax.tree.map(lambda leaf: leaf[0], fit(model, target, config).params)
    draw = build_draw(model, target, config)
    weights, ess = [], []
    for params in (start, trained):
        draws = draw(params, jax.random.key(1))
        weights.append(np.exp(draws.log_w - target.exact.log_z))
        ess.append(np.mean(weights[-1]) ** 2 / np.mean(weights[-1] ** 2))
    assert ess[0] + 0.01 < ess[1]
    assert ess[1] > 0.95
    assert_mean(weights[1], 1.0)
    for name, value in target.exact.observables.items():
        assert_mean(weights[1] * (draws.observables[name] - value), 0.0)


def test_a_drawn_gradient_is_that_of_the_log_mean(rng, key):
    """Terms t_k = z_k sin(a k) + b / (k + 1), differentiated in a and b."""
    z, count = jnp.asarray(rng.normal(size=5)), jnp.arange(5)
    at = jnp.array([0.7, -1.2])

    def term(p, k):
        return z[k] * jnp.sin(p[0] * k) + p[1] / (k + 1)

    def exact(p):
        return jax.nn.logsumexp(term(p, count)) - np.log(5)

    def drawn(p, key):
        return log_mean(key, term(at, count), lambda k: term(p, k) + 3.0)

    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(drawn), (None, 0)))(
        at, jax.random.split(key, 5000)
    )
    np.testing.assert_allclose(values, exact(at), atol=F64)
    assert_mean(slopes, jax.grad(exact)(at))


GUESSES = {
    "strong coupling": (Hubbard(u=18.0, extents=(2,), time_slices=8), 16),
    "many bonds": (
        Hubbard(u=18.0, lattice="honeycomb", extents=(3, 3), time_slices=10),
        32,
    ),
    "low temperature": (Hubbard(u=4.0, beta=4.0, kappa=-1.0, time_slices=20), 64),
    "no hopping": (Hubbard(u=4.0, kappa=0.0, time_slices=2), 16),
    "no edges": (Hubbard(u=1.0, lattice="graph", extents=(3,), time_slices=2), 16),
}


@pytest.mark.slow  # compiles much
@pytest.mark.parametrize("name", GUESSES)
def test_guesses_grow_with_the_exchanges_to_expect(name):
    target, number = GUESSES[name][0].build(), GUESSES[name][1]
    config = resolve("hubbard", settings={"method": "worldlines"}).config
    assert config.worldlines.guesses is None
    assert complete(config, target).worldlines.guesses == number
    given = replace(config, worldlines=replace(config.worldlines, guesses=3))
    assert complete(given, target).worldlines.guesses == 3
    assert build_model(target, config).integrated is None  # reports draw the same


REFUSALS = {
    "another target": ("phi4_real", {}, "made for the Hubbard model"),
    "density": ("hubbard", {"density": "orbit"}, "density of x alone"),
    "training": ("hubbard", {"training.density": "orbit"}, "training.density 'orbit'"),
    "objective": ("hubbard", {"training.objective": "reverse_kl"}, "'forward_kl'"),
    "gradient": ("hubbard", {"training.gradient": "path"}, "gradient 'total'"),
    "sweeps": ("hubbard", {"worldlines.sweeps": 0}, "worldlines.sweeps=0"),
    "guesses": ("hubbard", {"worldlines.guesses": -1}, "worldlines.guesses=-1"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_worldlines_cannot_do_is_refused(name):
    target, settings, message = REFUSALS[name]

    def build():
        run = resolve(target, settings={"method": "worldlines", **settings})
        build_model(run.target.build(run.target_name), run.config)

    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    "settings",
    [
        {"density": "augmented"},
        {"density": "marginal"},
        {"training.density": "augmented"},
        {"training.density": "marginal"},
        {"training.objective": "forward_kl"},
    ],
)
def test_what_only_other_methods_can_do_is_refused_for_modulated_flows(settings):
    run = resolve("hubbard", settings=settings)
    with pytest.raises(ValueError, match="those of methods 'worldlines' and"):
        build_model(run.target.build(run.target_name), run.config)

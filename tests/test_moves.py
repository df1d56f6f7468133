"""Moves of chains: each leaves exact samples as they are, and goes back as often."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerances import SIGMAS

from sesamo_jax.config import Config, HMCConfig, SMCConfig, complete
from sesamo_jax.core import Model, Samples, Target
from sesamo_jax.estimators.autocorrelation import gamma_method
from sesamo_jax.reference import independence_chain
from sesamo_jax.reference import moves as moves_module
from sesamo_jax.reference.hmc import run_hmc
from sesamo_jax.reference.move import nothing
from sesamo_jax.reference.moves import build_moves, orbit_move, radial_move
from sesamo_jax.reference.smc import run_smc
from sesamo_jax.symmetries import ON, U1, Cyclic, sign_flips
from sesamo_jax.targets import build_target

EVENTS = 40_000


def lopsided(symmetry, shape):
    """Return a mixture of two correlated Gaussians, far from symmetric."""
    size = int(np.prod(shape))
    rng = np.random.default_rng(size)
    factor = np.tril(rng.normal(size=(size, size))) / 2 + np.diag(np.full(size, 0.6))
    inverse = jnp.asarray(np.linalg.inv(factor))
    means = jnp.asarray(0.8 * rng.normal(size=(2, size)) + 0.3)
    shares = jnp.array([0.7, 0.3])

    def action(x):
        white = jax.vmap(lambda mean: inverse @ (x.ravel() - mean))(means)
        return -jax.nn.logsumexp(-jnp.sum(white**2, axis=1) / 2 + jnp.log(shares))

    def sample(key, n):
        mode_key, key = jax.random.split(key)
        mode = jax.random.categorical(mode_key, jnp.log(shares), shape=(n,))
        normal = jax.random.normal(key, (n, size))
        x = normal @ jnp.asarray(factor).T + means[mode]
        return x.reshape(n, *shape)

    return Target("lopsided", shape, action, symmetry, jnp.float64, sample=sample)


def leaning(shape):
    """Return a Gaussian that a field, and little else, makes no rotation's image."""
    precision = jnp.asarray([1.0, 1.4, 0.7])
    centre = jnp.asarray([0.5, -0.8, 0.3])

    def action(x):
        return jnp.sum(precision * (x - centre) ** 2) / 2

    def sample(key, n):
        normal = jax.random.normal(key, (n, *shape))
        return centre + normal / jnp.sqrt(precision)

    symmetry = ON(3, broken=True, linear=True)
    return Target("leaning", shape, action, symmetry, jnp.float64, sample=sample)


SIX_SIGNS = lopsided(sign_flips((6,), [[0, 3], [1], [2], [4], [5]]), (6,))
FOUR_SIGNS = lopsided(sign_flips((4,), [[1, 2], [0], [3]]), (4,))
CASES = {
    "listed rotations": (lopsided(Cyclic(5, broken=True), (2,)), orbit_move, True),
    "listed signs": (FOUR_SIGNS, orbit_move, True),
    "signs by parts": (SIX_SIGNS, orbit_move, False),
    "circle": (lopsided(U1(broken=True), (2, 2)), orbit_move, True),
    "sphere": (lopsided(ON(3, broken=True), (2, 3)), orbit_move, True),
    "sphere by a line": (leaning((2, 3)), orbit_move, True),
    "radial": (lopsided(None, (3,)), radial_move, True),
}


def functions(x):
    """Return functions of one event that no symmetry here leaves as it is."""
    flat = x.ravel()
    powers = jnp.arange(1, flat.size + 1)
    return jnp.stack(
        [
            jnp.sum(flat * powers),
            jnp.tanh(flat[0] - 0.4) * flat[-1],
            jnp.cos(flat[0] + 0.5 * flat[1] - 0.3),
            jnp.sum((flat + 0.2) ** 3 * powers) / 10,
            (flat[0] > 0.3) * 1.0,
        ]
    )


def moved(move, target, key):
    """Return exact samples, where a move takes them, and its rates."""
    sample_key, key = jax.random.split(key)
    x = target.sample(sample_key, EVENTS)
    keys = jax.random.split(key, EVENTS)
    step = jax.jit(jax.vmap(lambda k, x: move.step(k, x, target.action, nothing)))
    return x, *step(keys, x)[:2]


def pulls(values):
    """Return the mean of each column over its standard error."""
    values = np.asarray(values)
    return values.mean(axis=0) / (values.std(axis=0) / np.sqrt(len(values)))


@pytest.mark.parametrize("name", CASES)
def test_moves_leave_exact_samples_as_they_are(name, key):
    """Means agree; of reversible moves the pair (x, x') may be exchanged, too."""
    target, build, reversible = CASES[name]
    x, there, rates = moved(build(target), target, key)
    g, h = jax.vmap(functions)(x), jax.vmap(functions)(there)
    assert np.all(np.abs(pulls(h - g)) < SIGMAS)
    if reversible:
        exchanged = g[:, :1] * h[:, 1:] - h[:, :1] * g[:, 1:]
        assert np.all(np.abs(pulls(exchanged)) < SIGMAS)
    changed = np.any(np.asarray(there != x).reshape(EVENTS, -1), axis=1)
    assert 0.2 < changed.mean()
    assert np.all((rates >= 0) & (rates <= 1))


def test_a_wrong_move_would_be_noticed(key):
    """With the volume of another dimension the radial move drifts."""
    target = lopsided(None, (3,))
    wrong = radial_move(Target("line", (1,), lambda x: jnp.sum(x**2)))
    x, there, _ = moved(wrong, target, key)
    difference = jax.vmap(functions)(there) - jax.vmap(functions)(x)
    assert np.max(np.abs(pulls(difference))) > SIGMAS


@pytest.mark.slow  # compiles much
def test_the_angle_is_never_refused_where_its_law_is_exact(key):
    target = build_target("phi4_complex", shape=(3, 2), alpha=0.3, dtype="float64")
    move = orbit_move(target)
    x = jax.random.normal(key, (200, 3, 2, 2))
    step = jax.vmap(lambda k, x: move.step(k, x, target.action, nothing))
    there, rates, _ = step(jax.random.split(key, 200), x)
    np.testing.assert_allclose(rates, 1, atol=1e-9)
    np.testing.assert_allclose(jnp.sum(there**2, -1), jnp.sum(x**2, -1))


def test_observables_are_means_over_the_orbit(key):
    target, build, _ = CASES["listed rotations"]
    move, x = build(target), jnp.array([1.3, -0.4])
    *_, mean = move.step(key, x, target.action, lambda x: {"first": x[0], "both": x})
    images = [target.symmetry.act(jnp.asarray(u), x)[0] for u in range(5)]
    weights = np.exp([-float(target.action(image)) for image in images])
    expected = np.average(np.array(images), axis=0, weights=weights)
    np.testing.assert_allclose(mean["both"], expected)
    np.testing.assert_allclose(mean["first"], expected[0])


def test_large_products_move_part_by_part(monkeypatch):
    """They take the sum of the factors' orders, smaller ones their product."""
    assert orbit_move(SIX_SIGNS).calls == 2 * 5
    monkeypatch.setattr(moves_module, "MOST_JOINT", 32)
    assert orbit_move(SIX_SIGNS).calls == 2**5


@pytest.mark.slow  # compiles much
@pytest.mark.parametrize("beta", [1.0, 4.0])
def test_chains_from_one_start_reach_all_sectors(beta, key):
    """Fig. 10: plain HMC stays where it began, and knows nothing of R."""
    target = build_target("hubbard", beta=beta)
    config = HMCConfig(chains=8, warmup=100, samples=250, one_start=True)
    chains = run_hmc(target, config, key)
    ratio = chains.observables["breaking_ratio"]
    means, exact = ratio.mean(axis=1), target.exact.observables["breaking_ratio"]
    # At beta = 4 the mean over any orbit is R, to rounding.
    error = means.std(ddof=1) / np.sqrt(8) + 1e-12
    assert abs(means.mean() - exact) < SIGMAS * error
    shares = np.bincount(chains.sectors.ravel(), minlength=4) / chains.sectors.size
    assert np.all(np.abs(shares - target.exact.sectors) < 0.05)
    assert set(chains.move_acceptance) == {"radial", "orbit"}
    assert chains.move_acceptance["orbit"] == 1


@pytest.mark.slow  # compiles much
def test_every_evaluation_is_counted_with_moves(key):
    calls = []

    def action(x):
        jax.debug.callback(lambda _: calls.append(1), x[0])
        return jnp.sum(x**4) / 4 + 0.1 * x[0]

    target = Target("quartic", (2,), action, Cyclic(3, broken=True), jnp.float64)
    config = HMCConfig(chains=4, warmup=60, samples=4, thinning=2, leapfrog_steps=5)
    chains = run_hmc(target, config, key)
    jax.effects_barrier()
    assert chains.energy_calls == len(calls)
    assert chains.energy_calls - chains.gradient_calls == 4 * (60 + 4 * 2) * 3
    calls.clear()
    config = SMCConfig(populations=2, particles=5, leapfrog_steps=3)
    populations = run_smc(target, config, key)
    jax.effects_barrier()
    assert populations.energy_calls == len(calls)


def test_moves_can_be_switched_off():
    target, plain = build_target("gmm"), lopsided(None, (3,))
    assert build_moves(target, False) == ()
    assert [move.name for move in build_moves(target, None)] == ["orbit"]
    assert build_moves(plain, None) == ()


@pytest.mark.parametrize("method", ["hmc", "smc"])
def test_what_no_move_suits_is_refused(method):
    asked = {"hmc": HMCConfig(modulation=True), "smc": SMCConfig(modulation=True)}
    config = Config(method=method, **{method: asked[method]})
    with pytest.raises(ValueError, match="'lopsided' declares no symmetry to move"):
        complete(config, lopsided(None, (3,)))
    large = Target("many", (2,), lambda x: jnp.sum(x**2), Cyclic(2**17))
    with pytest.raises(ValueError, match=r"group of 131072 elements, at most 65536"):
        complete(config, large)


def test_a_model_proposes_a_chain_of_the_target(key):
    """Drawn from a density of other shares and width, the chain has the target's."""
    target = CASES["listed rotations"][0]

    def sample(params, key, n):
        x = 2.5 * jax.random.normal(key, (n, 2))
        log_q = -jnp.sum(x**2, axis=1) / (2 * 2.5**2) - jnp.log(2 * jnp.pi * 2.5**2)
        return Samples(x, log_q, x, jnp.zeros(n, int), jnp.zeros(n))

    model = Model(lambda key: {}, sample, None, None, None, lambda y: y[:, :0])
    chain_key, exact_key = jax.random.split(key)
    chain = independence_chain(model, target, {}, chain_key, 60_000)
    assert 0.1 < chain.acceptance < 0.9
    found = np.asarray(jax.vmap(functions)(chain.x))
    exact = np.asarray(jax.vmap(functions)(target.sample(exact_key, 60_000)))
    for column, other in zip(found.T, exact.T, strict=True):
        estimate = gamma_method(column[None])
        error = np.hypot(estimate.error, other.std() / np.sqrt(len(other)))
        assert abs(estimate.mean - other.mean()) < SIGMAS * error
    walled = replace(target, action=lambda x: jnp.inf + x[0])
    with pytest.raises(ValueError, match="of 50 samples of the model none"):
        independence_chain(model, walled, {}, key, 50)

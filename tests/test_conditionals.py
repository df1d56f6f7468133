"""Half of a lattice's sites drawn from their exact conditional."""

from dataclasses import replace
from math import gamma, log, pi

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_counts, assert_mean, random_params
from scipy import integrate, special
from tolerances import F64

from sesamo_jax import Target, evaluate, fit
from sesamo_jax.config import build_model, complete, resolve
from sesamo_jax.config.record import difference, fingerprint, from_json, to_json
from sesamo_jax.geometry.neighbours import NearestNeighbours
from sesamo_jax.samplers.conditionals.odd_sites import odd_sites
from sesamo_jax.samplers.conditionals.site import site_conditional
from sesamo_jax.samplers.conditionals.sites import sites_notice
from sesamo_jax.symmetries import Z2
from sesamo_jax.targets import build_target

POTENTIALS = {
    "shallow": (lambda r: 0.956 * r**2 + 0.022 * r**4, 2.4),
    "critical": (lambda r: 6.008 * r**4, 8.0),
    "two wells": (lambda r: -4 * r**2 + 2 * r**4, 4.0),
    "sine-Gordon": (lambda r: 2.6 * r**2 - 3 * np.cos(2 * r), 4.0),
}


def exact_log_zeta(potential, components, h):
    """Return log zeta by Bessel functions and adaptive quadrature over |x|."""
    r = np.linspace(0, 12, 4001)
    peak = r[np.argmax(h * r - potential(r))]
    top = h * peak - potential(peak)
    order = components / 2 - 1

    def integrand(r):
        t = r * h
        angular = 1.0
        if t > 1e-9:  # of exp(h . x - t) over directions
            angular = gamma(components / 2) * (2 / t) ** order * special.ive(order, t)
        return r ** (components - 1) * np.exp(t - potential(r) - top) * angular

    edges = sorted({0.0, max(peak - 1, 0.0), peak, peak + 1, 12.0})
    parts = [
        integrate.quad(integrand, a, b, epsabs=0, epsrel=1e-11)[0]
        for a, b in zip(edges, edges[1:], strict=False)
    ]
    sphere = 2 * pi ** (components / 2) / gamma(components / 2)
    return top + log(sphere * sum(parts))


@pytest.mark.parametrize("components", [1, 2])
@pytest.mark.parametrize("name", POTENTIALS)
def test_zeta_in_single_precision_is_the_integral(name, components):
    check_log_zeta(name, components)


@pytest.mark.parametrize("components", [3, 4])
def test_zeta_of_more_components(components):
    check_log_zeta("shallow", components)


def check_log_zeta(name, components):
    potential, bonds = POTENTIALS[name]
    site = site_conditional(potential, components, bonds, 0.1, np.float32)
    largest = site.spacing * (len(site.slopes) - 1)
    fields = np.array([0, 1e-3, 0.3, 1.234, largest / 3, 0.97 * largest])
    found = site.log_zeta(jnp.asarray(fields**2, jnp.float32))
    exact = np.array([exact_log_zeta(potential, components, h) for h in fields])
    error = np.abs(np.asarray(found, np.float64) - exact)
    assert np.all(error <= 1e-6 * np.maximum(1, np.abs(exact)))


def test_the_slope_of_log_zeta_is_that_of_its_table_also_beyond_it():
    """2 d log zeta / d h^2 = <x . h> / h^2, and a Gaussian's is linear everywhere."""
    site = site_conditional(lambda r: 0.8 * r**2, 2, 1.2, 0.0, np.float64)
    squares = jnp.asarray([0.0, 0.37, 5.0, 1e6])
    slopes = jax.vmap(jax.grad(site.log_zeta))(squares)
    np.testing.assert_allclose(slopes, 1 / 3.2, rtol=1e-9)
    np.testing.assert_allclose(
        site.log_zeta(squares), log(pi / 0.8) + squares / 3.2, rtol=1e-9
    )


def direction(components):
    return jnp.arange(1.0, components + 1) / np.linalg.norm(
        np.arange(1, components + 1)
    )


@pytest.mark.parametrize(
    ("components", "size"), [(1, 0.0), (1, 3.3), (2, 0.37), (2, 9.0), (4, 2.0)]
)
def test_a_site_is_drawn_as_reported_and_as_the_action_says(components, size, key):
    """exp(-V + h . x) / zeta over the reported density is 1, and hardly varies."""
    potential, bonds = POTENTIALS["shallow"]
    site = site_conditional(potential, components, bonds, 0.1, np.float32)
    h = jnp.asarray(size * direction(components), jnp.float32)
    x = jax.jit(jax.vmap(lambda k: site.draw(k, h)))(jax.random.split(key, 40_000))
    reported = jax.jit(jax.vmap(lambda x: site.log_prob(x, h)))(x)
    own, log_p = np.asarray(x, np.float64), np.asarray(reported, np.float64)
    exact = own @ np.asarray(h, np.float64) - potential(np.linalg.norm(own, axis=1))
    exact -= exact_log_zeta(potential, components, size)
    assert np.var(exact - log_p) < (1e-4 if components == 4 else 2e-6)
    assert_mean(np.exp(exact - log_p), 1.0)
    # What is drawn, in bins of its own part along h: the masses of the action.
    along = own @ np.asarray(direction(components))
    edges = np.quantile(along[::2], np.linspace(0, 1, 21)[1:-1])
    grid = np.linspace(-9, 9, 60_001)
    if components == 1:
        density = np.exp(size * grid - potential(np.abs(grid)))
    else:
        rho = np.linspace(0, 9, 901)[1:] - 0.005
        radii = np.hypot(grid[::20, None], rho)
        across = np.exp(-potential(radii)) @ rho ** (components - 2)
        density = np.exp(size * grid) * np.interp(grid, grid[::20], across)
    masses = np.cumsum(density) / density.sum()
    bins = np.diff(np.concatenate([[0], np.interp(edges, grid, masses), [1]]))
    rest = along[1::2]  # the edges know nothing of
    assert_counts(np.histogram(rest, np.concatenate([[-99], edges, [99]]))[0], bins)


def test_a_site_beyond_its_table_is_still_drawn_as_reported(key):
    """By the law of the last row, turned to where the field points."""
    potential, bonds = POTENTIALS["critical"]
    site = site_conditional(potential, 2, bonds, 0.0, np.float64)
    far = 40 * site.spacing * (len(site.slopes) - 1)
    h = jnp.asarray([-0.6, 0.8]) * far
    x = jax.jit(jax.vmap(lambda k: site.draw(k, h)))(jax.random.split(key, 20_000))
    axis, step = np.linspace(-2.5, 2.5, 401, retstep=True)
    nodes = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    log_prob = jax.jit(jax.vmap(lambda x: site.log_prob(x, h)))
    density = np.exp(np.asarray(log_prob(nodes))) * step**2
    assert density.sum() == pytest.approx(1, abs=1e-3)
    assert_mean(np.asarray(x), density @ nodes, sigmas=6)
    assert np.isfinite(log_prob(jnp.asarray([[0.0, 0.0], [1e8, -1e12]]))).all()


THEORIES = {
    "real-(2,2)": ("phi4_real", {"shape": (2, 2), "kappa": 0.31, "lam": 0.4}),
    "real-(4,)": ("phi4_real", {"shape": (4,), "mass2": -1.3, "lam": 0.9}),
    "complex-(2,)": ("phi4_complex", {"shape": (2,), "kappa": 0.4, "lam": 0.2}),
}


@pytest.mark.parametrize("name", THEORIES)
@pytest.mark.parametrize("alpha", [0.0, 0.35])
def test_the_action_of_even_sites_is_the_integral_over_odd_ones(name, alpha, rng):
    """Odd sites, two numbers in all of these, on a grid; bonds across 2 count twice."""
    system, fields = THEORIES[name]
    target = build_target(system, **fields, alpha=alpha, dtype="float64")
    odd = odd_sites(target)
    axis, step = np.linspace(-6, 6, 241, retstep=True)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)

    @jax.jit
    def integral(even):
        def action(values):
            return target.action(odd.sites.merge(even, values.reshape(even.shape)))

        return -jax.nn.logsumexp(-jax.vmap(action)(grid)) - 2 * log(step)

    action = jax.jit(odd.action_of_even)
    shape = (*odd.sites.shape, *target.event_shape[len(odd.sites.extents) :])
    for even in rng.normal(size=(3, *shape)):
        assert float(action(even)) == pytest.approx(float(integral(even)), abs=1e-7)


def potential_of(fields):
    return lambda x: (1 - 2 * fields["lam"]) * x**2 + fields["lam"] * x**4


def transfer_log_z(shape, hopping, potential, alpha, limit, points):
    """Return log Z of a real field by the trace of a transfer matrix over rows.

    A row's states are the points of a grid at each site; translations and reflections
    of a row leave a few representatives of each orbit.
    """
    rows, length = shape
    axis, step = np.linspace(-limit, limit, points, retstep=True)
    local = step * np.exp(-potential(axis) - alpha * axis)
    states = np.indices((points,) * length).reshape(length, -1)
    within = hopping * sum(
        axis[states[j]] * axis[states[(j + 1) % length]] for j in range(length)
    )
    half = np.sqrt(np.prod(local[states], axis=0) * np.exp(within))
    kernel = np.exp(hopping * np.outer(axis, axis))
    images = [np.roll(states, s, 0)[::d] for s in range(length) for d in (1, -1)]
    numbers = [np.ravel_multi_index(tuple(i), (points,) * length) for i in images]
    orbit, first, members = np.unique(
        np.min(numbers, axis=0), return_index=True, return_counts=True
    )
    assert len(orbit) == len(first)
    vectors = np.zeros((len(first), states.shape[1]))
    vectors[np.arange(len(first)), first] = 1

    def apply(vectors):
        out = (vectors * half).reshape(-1, *(points,) * length)
        for site in range(length):
            out = np.moveaxis(np.tensordot(out, kernel, (site + 1, 0)), -1, site + 1)
        return out.reshape(len(vectors), -1) * half

    for _ in range(rows // 2):
        vectors = apply(vectors)
    return log(np.sum(members * np.sum(vectors**2, axis=1)))


def even_action(target):
    """Return the jitted action of batches of even sites."""
    return jax.jit(jax.vmap(odd_sites(target).action_of_even))


def test_log_z_of_two_by_two_is_that_of_the_transfer_matrix():
    target = build_target("phi4_real", shape=(2, 2), mass2=-4.0, lam=6.008)
    axis, step = np.linspace(-2, 2, 201, retstep=True)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2, 1)
    f = np.asarray(even_action(target)(jnp.asarray(grid, jnp.float32)), np.float64)
    log_z = log(np.sum(np.exp(-f)) * step**2)
    assert log_z == pytest.approx(1.488073, abs=2e-6)
    exact = transfer_log_z((2, 2), 2.0, lambda x: 6.008 * x**4, 0.0, 2.0, 41)
    assert exact == pytest.approx(1.488073, abs=1e-6)


def test_log_z_of_two_by_four_is_that_of_the_transfer_matrix():
    fields = {"kappa": 0.31, "lam": 0.4, "alpha": 0.15}
    target = build_target("phi4_real", shape=(4, 2), **fields)
    axis, step = np.linspace(-3.2, 3.2, 23, retstep=True)
    grid = np.stack(np.meshgrid(*[axis] * 4, indexing="ij"), -1).reshape(-1, 4, 1)
    f = np.asarray(even_action(target)(jnp.asarray(grid, jnp.float32)), np.float64)
    exact = transfer_log_z((4, 2), 0.62, potential_of(fields), 0.15, 4.0, 33)
    assert log(np.sum(np.exp(-f)) * step**4) == pytest.approx(exact, abs=1e-4)


SMALL = {
    "training.steps": 2,
    "training.batch_size": 8,
    "evaluation.samples": 4000,
    "evaluation.audit": False,
    "flow.steps": 2,
    "flow.features": 3,
    "flow.time_modes": 1,
}
MODELS = {
    "real": ("phi4_real", {"kappa": 0.25, "lam": 0.1, "alpha": 0.07}),
    "complex-broken": (
        "phi4_complex_broken",
        {"kappa": 0.25, "lam": 0.1, "alpha": 0.3},
    ),
}


@pytest.fixture(scope="module", params=MODELS)
def model_of(request):
    """Return a target on 4 x 4, its configuration, a model of random parameters."""
    system, fields = MODELS[request.param]
    fields = {f"target.{name}": value for name, value in fields.items()}
    space = {"target.shape": (4, 4), "target.dtype": "float64"}
    run = resolve(system, settings=SMALL | fields | space)
    target = run.target.build(system)
    config = complete(run.config, target)
    model = build_model(target, config)
    params = model.init(jax.random.key(1))
    shaken = random_params(lambda: params, np.random.default_rng(3), 0.1)
    params = jax.tree.map(lambda a, b: a + 0.3 * b, params, shaken)
    samples = jax.jit(model.sample, static_argnums=2)(params, jax.random.key(2), 4000)
    return request.param, target, config, model, params, samples


def log_weights(model, target, params, samples):
    """Return log of exp(-f(x)) / q(x)."""

    @jax.jit
    def weigh(params, samples):
        log_q = model.log_prob(params, samples.x, samples)
        return -jax.vmap(target.action)(samples.x) - log_q

    return np.asarray(weigh(params, samples))


@pytest.mark.slow  # compiles much
def test_odd_sites_add_no_variance_to_the_weights(model_of):
    _, target, config, model, params, samples = model_of
    assert config.sites == "even"
    even, on_even = model.marginal
    restricted = jax.vmap(on_even.geometry.restrict)(samples.x)
    whole = -jax.jit(jax.vmap(target.action))(samples.x) - samples.log_q
    half = even.flow_log_prob(params, samples.y, drawn=True) + samples.log_p_u
    odd = jax.vmap(odd_sites(target).log_prob)(samples.x)
    log_w = -jax.jit(jax.vmap(on_even.action))(restricted) - (half - odd)
    assert np.var(log_w) > 1e-3
    assert np.var(whole - log_w) < 8 * 2e-6
    assert abs(np.mean(whole - log_w)) < 1e-4


@pytest.mark.slow  # compiles much
def test_the_density_of_samples_is_that_at_their_x(model_of):
    name, _, config, model, params, samples = model_of
    few = jax.tree.map(lambda leaf: leaf[:50], samples)
    log_prob = jax.jit(model.log_prob)
    found = log_prob(params, few.x)
    as_drawn = log_prob(params, few.x, few)
    np.testing.assert_allclose(found, as_drawn, atol=3e-3)  # two Runge-Kutta steps
    if "complex" in name:
        np.testing.assert_allclose(as_drawn, few.log_q, atol=F64)
    of_flow = model.flow_log_prob(params, few.y, drawn=True)
    np.testing.assert_allclose(of_flow + few.log_p_u, few.log_q, atol=3e-3)


def test_observables_are_those_of_the_whole_field(model_of):
    """Odd sites have the second moment of even ones, by a reweighted mean."""
    _, target, _, model, params, samples = model_of
    log_w = log_weights(model, target, params, samples)
    w = np.exp(log_w - log_w.max())
    odd = odd_sites(target)
    even_part, odd_part = jax.vmap(odd.sites.split)(samples.x)
    axes = tuple(range(1, even_part.ndim))
    apart = np.mean(even_part**2, axis=axes) - np.mean(odd_part**2, axis=axes)
    assert_mean(w / w.mean() * apart, 0.0)


@pytest.mark.slow  # compiles much
@pytest.mark.parametrize("model_of", ["real"], indirect=True)
def test_log_z_of_four_by_four_is_that_of_the_transfer_matrix(model_of):
    name, target, _, model, params, samples = model_of
    _, fields = MODELS[name]
    exact = transfer_log_z((4, 4), 0.5, potential_of(fields), 0.07, 3.0, 10)
    weights = np.exp(log_weights(model, target, params, samples) - exact)
    assert weights.std() / len(weights) ** 0.5 < 0.02
    assert_mean(weights, 1.0)


@pytest.mark.slow  # compiles much
@pytest.mark.parametrize("model_of", ["real"], indirect=True)  # compiles soonest
def test_training_and_report_are_of_the_same_weights(model_of):
    _, target, config, model, params, _ = model_of
    result = fit(model, target, config)
    trained = jax.tree.map(lambda leaf: leaf[0], result.params)
    report = evaluate(model, target, config, trained, jax.random.key(0))
    assert np.isfinite(result.history["loss"]).all()
    assert report["ess"] > 0.2
    batch = float(result.history["log_z"][0, 0])
    assert abs(batch - report["log_z"]) < 1.0


@pytest.mark.slow  # compiles much
def test_a_free_field_has_constant_weights(key):
    """The nearest Gaussian on even sites is then the theory: log Z is exact."""
    settings = SMALL | {"target.shape": (4, 6), "target.lam": 0.0, "target.kappa": 0.2}
    run = resolve("phi4_complex", settings=settings | {"target.dtype": "float64"})
    target = run.target.build("phi4_complex")
    model = build_model(target, complete(run.config, target))
    params = model.init(key)
    samples = jax.jit(model.sample, static_argnums=2)(params, key, 200)
    log_w = -jax.jit(jax.vmap(target.action))(samples.x) - samples.log_q
    momenta = np.meshgrid(np.fft.fftfreq(4), np.fft.fftfreq(6), indexing="ij")
    energies = 1 - 0.4 * np.cos(2 * pi * np.array(momenta)).sum(axis=0)
    exact = np.sum(np.log(pi / energies))
    np.testing.assert_allclose(log_w, exact, atol=0.05)
    assert abs(np.mean(log_w) - exact) < 3e-3


def sine_gordon():
    lattice = NearestNeighbours(
        (4, 4), lambda x: 2.3 * x**2 - 0.8 * jnp.cos(2 * x), 1.0
    )
    flip = Z2((4, 4))
    return Target("sine_gordon", (4, 4), lattice.action, flip, geometry=lattice)


@pytest.mark.slow  # compiles much
def test_an_action_of_ones_own_gets_it_from_its_potential_and_coupling(key):
    target = sine_gordon()
    run = resolve("gmm", settings={"base.kind": "spectral"})
    config = complete(run.config, target)
    assert config.sites == "even"
    found = {}
    for sites in ("even", "all"):
        model = build_model(target, replace(config, sites=sites))
        params = model.init(key)
        samples = jax.jit(model.sample, static_argnums=2)(params, key, 20_000)
        log_w = log_weights(model, target, params, samples)
        w = np.exp(log_w - log_w.max())
        found[sites] = log_w.max() + log(w.mean()), w.std() / w.mean() / len(w) ** 0.5
    (even, even_error), (whole, error) = found["even"], found["all"]
    assert even_error < error < 0.1
    assert abs(even - whole) < 5 * np.hypot(even_error, error)


def claimed(action=None, potential=lambda x: 2.3 * x**2, **fields):
    lattice = NearestNeighbours((4, 4), potential, 1.0, **fields)
    return Target("claim", (4, 4), action or lattice.action, geometry=lattice)


def next_nearest(x):
    lattice = NearestNeighbours((4, 4), lambda x: 2.3 * x**2, 1.0)
    return lattice.action(x) - 0.1 * jnp.sum(x * jnp.roll(x, (1, 1), (0, 1)))


WRONG = {
    "farther": ({"action": next_nearest}, "differ on random fields"),
    "lopsided": ({"potential": lambda x: 2.3 * x**2 + x**3 / 9}, "depends on more"),
    "unbounded": ({"potential": lambda x: 1.9 * x**2}, "without a lower bound"),
    "falling": ({"potential": lambda x: -(x**4)}, "without a lower bound"),
    "spiky": (
        {"potential": lambda x: 2.3 * x**2 - jnp.cos(400 * x)},
        "varies too much within",
    ),
    "components": ({"field": (0.0, 0.0)}, "declares a field"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_claims_are_refused_in_one_sentence(name):
    fields, message = WRONG[name]
    with pytest.raises(ValueError, match=message) as refusal:
        odd_sites(claimed(**fields))
    assert str(refusal.value).count(". ") == 0


FALLS_BACK = {
    "odd extents": ("phi4_real", {"target.shape": (4, 5)}, "are not all even"),
    "checkerboard": ("phi4_real", {"flow.name": "checkerboard"}, "whole lattices"),
    "aligned": ("phi4_complex", {"target.space": "aligned"}, "declares no action"),
    "no lattice": ("gmm", {}, "declares no action"),
}


@pytest.mark.parametrize("name", FALLS_BACK)
def test_all_sites_are_covered_where_even_ones_are_not_enough(name):
    system, settings, message = FALLS_BACK[name]
    run = resolve(system, settings=settings)
    target = run.target.build(system)
    assert complete(run.config, target).sites == "all"
    with pytest.raises(ValueError, match=message):
        complete(replace(run.config, sites="even"), target)


def test_runs_from_before_there_was_a_choice_covered_all_sites():
    tree = to_json(resolve("phi4_real"))
    del tree["sites"]
    assert from_json(tree).config.sites == "all"
    now = to_json(resolve("phi4_real", settings={"sites": "all"}))
    even = to_json(resolve("phi4_real", settings={"sites": "even"}))
    assert difference(tree, now) is None
    assert fingerprint(tree) == fingerprint(now) != fingerprint(even)
    assert "sites" in difference(tree, even)


def test_reports_begin_with_the_sites_that_a_flow_covers():
    run = resolve("phi4_real", settings={"target.shape": (4, 5)})
    target = run.target.build("phi4_real")
    odd = sites_notice(complete(run.config, target), target)
    assert odd == "the flow covers all sites: the extents (4, 5) are not all even"
    target = build_target("phi4_real")
    config = complete(resolve("phi4_real").config, target)
    assert "the even sites" in sites_notice(config, target)
    assert "sites=all" in sites_notice(replace(config, sites="all"), target)
    mixture = build_target("gmm")
    assert sites_notice(complete(resolve("gmm").config, mixture), mixture) is None

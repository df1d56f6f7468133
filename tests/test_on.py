"""O(N): the slice and its volume factor, laws on the sphere, whole densities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_counts, assert_mean, random_params
from scipy.stats import vonmises_fisher
from tolerances import SIGMAS

from sesamo_jax import Config, Target, build_model
from sesamo_jax.config import BaseConfig, HMCConfig
from sesamo_jax.estimators.autocorrelation import gamma_method
from sesamo_jax.flows.continuous.slice import SliceContinuousConfig
from sesamo_jax.geometry.sphere import log_mean_exp_on_sphere, surface
from sesamo_jax.modulation.circle.von_mises import VonMisesLaw
from sesamo_jax.modulation.sphere.grid import GRIDS, SphereHeatBathLaw, SphereLearnedLaw
from sesamo_jax.modulation.sphere.law import SphereExactLaw
from sesamo_jax.modulation.sphere.von_mises_fisher import (
    VonMisesFisherLaw,
    draw_von_mises_fisher,
)
from sesamo_jax.reference.hmc import run_hmc
from sesamo_jax.symmetries import ON, U1
from sesamo_jax.targets import build_target

LATTICE = (3, 2)
SITES = 6
DRAWS = 40_000


def directions(components, count=4):
    """Return unit vectors on both hemispheres, and one close to each pole."""
    rng = np.random.default_rng(components)
    vectors = rng.normal(size=(count, components))
    vectors = np.concatenate([vectors, -vectors])
    poles = np.zeros((2, components))
    poles[:, 0], poles[:, 1] = (1, -1), 1e-5
    every = np.concatenate([vectors, poles])
    return jnp.asarray(every / np.linalg.norm(every, axis=1, keepdims=True))


def on_slice(key, components, lattice=LATTICE):
    """Return a field on the slice with m > 0."""
    y = jax.random.normal(key, (*lattice, components)) + jnp.eye(components)[0]
    return ON(components).undo(ON(components).sector(y), y)


@pytest.mark.parametrize("components", [2, 3, 4])
def test_direction_and_slice_are_coordinates_with_volume_m(components, key):
    symmetry, y = ON(components), on_slice(key, components)
    size = SITES * components
    across = np.zeros((components - 1, SITES, components))
    across[:, :, 1:] = np.eye(components - 1)[:, None] / SITES**0.5
    across = across.reshape(components - 1, size)
    basis = np.linalg.svd(np.eye(size) - across.T @ across)[0][:, : 1 - components]

    for direction in directions(components):
        tangent = np.linalg.svd(np.asarray(direction)[None])[2][1:]

        def embed(v, direction=direction, tangent=tangent):
            moved = direction + v[: components - 1] @ tangent
            moved = moved / jnp.linalg.norm(moved)
            field = (basis @ v[components - 1 :]).reshape(*LATTICE, components)
            return symmetry.act(moved, field)[0].ravel()

        start = jnp.concatenate([jnp.zeros(components - 1), basis.T @ y.ravel()])
        expected = jnp.linalg.slogdet(jax.jacfwd(embed)(start))[1]
        x, log_volume = symmetry.act(direction, y)
        assert log_volume == pytest.approx(float(expected), abs=1e-9)
        np.testing.assert_allclose(symmetry.sector(x), direction, atol=1e-12)
        np.testing.assert_allclose(symmetry.undo(direction, x), y, atol=1e-12)
    assert symmetry.margins(y) < 0


def test_two_components_are_turned_as_phases_do(key):
    x = jax.random.normal(key, (*LATTICE, 2))
    for angle in (0.3, 2.5, 4.0, 6.1):
        direction = jnp.array([jnp.cos(angle), jnp.sin(angle)])
        ours, phases = ON(2).act(direction, x), U1().act(angle, x)
        for own, other in zip(ours, phases, strict=True):
            np.testing.assert_allclose(own, other, atol=1e-12)


def test_a_field_of_sum_zero_has_a_direction_and_derivatives():
    x = jnp.zeros((*LATTICE, 3))
    np.testing.assert_array_equal(ON(3).sector(x), [1, 0, 0])
    assert np.isfinite(jax.jacfwd(ON(3).sector)(x)).all()


@pytest.mark.parametrize("components", [1, 5, 0])
def test_other_numbers_of_components_are_refused(components):
    with pytest.raises(ValueError, match="2, 3 or 4 components"):
        ON(components)
    with pytest.raises(ValueError, match=r"target\.components"):
        build_target("phi4_on", components=components if components != 1 else 7)


@pytest.mark.parametrize("components", [2, 3, 4])
def test_means_over_the_sphere_are_those_of_scipy(components):
    for kappa in (1e-5, 5e-4, 2e-3, 0.3, 7.0, 400.0):
        mean = np.eye(components)[0]
        density = vonmises_fisher(mean, kappa).logpdf(mean)
        known = -density - np.log(surface(components))
        found = log_mean_exp_on_sphere(jnp.asarray(kappa), components)
        assert float(found) == pytest.approx(known, rel=1e-6, abs=1e-8)
        single = log_mean_exp_on_sphere(jnp.float32(kappa), components)
        assert float(single) == pytest.approx(known, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("kappa", [0.0, 0.2, 3.0, 2e4])
@pytest.mark.parametrize("components", [2, 3, 4])
def test_von_mises_fisher_draws_have_its_density(components, kappa, key):
    """By quantiles of the angle to the mean; in float32, as samples are."""
    mean = np.asarray(directions(components)[1])
    keys = jax.random.split(key, DRAWS)
    b = jnp.asarray(kappa * mean, jnp.float32)
    drawn = np.asarray(jax.vmap(lambda key: draw_von_mises_fisher(key, b))(keys))
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1, atol=1e-5)
    drawn = drawn.astype(np.float64)
    apart = np.linalg.norm(drawn - mean, axis=1)
    angle = 2 * np.arcsin(np.minimum(apart / 2, 1))
    nodes = np.linspace(0, min(np.pi, 10 / np.sqrt(max(kappa, 1e-9))), 20_001)
    exponent = -2 * kappa * np.sin(nodes / 2) ** 2
    radial = np.exp(exponent) * np.sin(nodes) ** (components - 2)
    masses = (radial[1:] + radial[:-1]) / 2
    cumulative = np.concatenate([[0], np.cumsum(masses)]) / masses.sum()
    edges = np.interp(np.linspace(0, 1, 11), cumulative, nodes)
    counts = np.histogram(angle, np.append(edges[:-1], 4))[0]
    assert_counts(counts, np.full(10, 0.1))
    # no direction around the mean is preferred
    around = drawn - (drawn @ mean)[:, None] * mean
    assert_mean(around, 0.0)


def quadratic(scale):
    """Return an action that breaks rotations by linear and quadratic terms."""

    def action(x):
        weights = jnp.arange(1, x.shape[-1] + 1)
        return scale * jnp.sum(weights * (x - 0.3) ** 2) + 0.2 * jnp.sum(x[0] * x[1])

    return action


def laws(components):
    """Return a law of each kind, with parameters."""
    symmetry, action = ON(components, broken=True), quadratic(0.2)
    learned = SphereLearnedLaw(symmetry, dtype=jnp.float64)
    rng = np.random.default_rng(components)
    logits = rng.normal(size=int(np.prod(GRIDS[components].bins)))
    return {
        "exact": (SphereExactLaw(symmetry), {}),
        "linear": (VonMisesFisherLaw(symmetry, action), {}),
        "grid": (SphereHeatBathLaw(symmetry, action), {}),
        "learned": (learned, {"params": {"logits": jnp.asarray(logits)}}),
    }


@pytest.mark.parametrize("name", ["exact", "linear", "grid", "learned"])
@pytest.mark.parametrize("components", [2, 3, 4])
def test_what_a_law_draws_has_the_density_that_it_reports(components, name, key):
    """Means of functions, drawn and by importance from uniform directions."""
    law, params = laws(components)[name]
    y = 0.4 * on_slice(key, components)
    keys = jax.random.split(key, DRAWS)
    drawn, log_p = jax.jit(jax.vmap(lambda key: law.apply(params, key, y)))(keys)
    normal = jax.random.normal(jax.random.key(5), (DRAWS, components))
    uniform = normal / jnp.linalg.norm(normal, axis=1, keepdims=True)

    def log_prob(direction):
        return law.apply(params, direction, y, method="log_prob")

    density = jnp.exp(jax.vmap(log_prob)(uniform)) * surface(components)
    assert_mean(density, 1.0)
    np.testing.assert_allclose(jax.vmap(log_prob)(drawn), log_p, atol=1e-9)

    def functions(direction):
        products = direction[:, None] * direction
        return jnp.concatenate(
            [direction, products.ravel(), jnp.abs(direction) ** 3, direction > 0.5]
        )

    weighted = jax.vmap(functions)(uniform) * density[:, None]
    assert_mean(jax.vmap(functions)(drawn) - weighted, 0.0)


def test_the_linear_law_is_the_conditional_of_a_linear_action(key):
    """The weight does not depend on the direction; for N = 2 as on the circle."""
    for components in (2, 3, 4):
        b = jnp.asarray(np.random.default_rng(1).normal(size=components))
        y = on_slice(key, components)

        def action(x, b=b):
            return jnp.sum(x**4) * 0 + jnp.sum(x**2) - jnp.sum(x @ b)

        law = VonMisesFisherLaw(ON(components, broken=True, linear=True), action)
        every = directions(components)

        def weight(direction, law=law, action=action, y=y):
            log_p = law.apply({}, direction, y, method="log_prob")
            return action(law.symmetry.act(direction, y)[0]) + log_p

        values = jax.vmap(weight)(every)
        np.testing.assert_allclose(values, values[0], atol=1e-10)
        if components == 2:
            angles = jnp.arctan2(every[:, 1], every[:, 0]) % (2 * jnp.pi)
            circle = VonMisesLaw(U1(broken=True, linear=True), action)
            for angle, direction in zip(angles, every, strict=True):
                own = law.apply({}, direction, y, method="log_prob")
                other = circle.apply({}, angle, y, method="log_prob")
                assert float(own) == pytest.approx(float(other), abs=1e-10)


def free_field(components, h, lattice=LATTICE):
    """Return a Gaussian theory and its log Z."""
    target = build_target(
        "phi4_on", shape=lattice, components=components, lam=0.0, kappa=0.15, h=h,
        dtype="float64",
    )  # fmt: skip
    momenta = np.meshgrid(
        *[2 * np.pi * np.arange(n) / n for n in lattice], indexing="ij"
    )
    spectrum = 1 / (2 - 4 * 0.15 * sum(np.cos(k) for k in momenta))
    log_z = components / 2 * np.sum(np.log(2 * np.pi * spectrum))
    return target, log_z + h**2 * np.prod(lattice) * spectrum.ravel()[0] / 2


SMALL_FLOW = SliceContinuousConfig(features=3, time_modes=2, steps=4)


@pytest.mark.slow  # compiles much
@pytest.mark.parametrize("h", [0.0, 0.4])
@pytest.mark.parametrize("components", [3, 4])
def test_the_untrained_free_field_is_exact(components, h, key):
    """The slice base with the heat bath is the Gaussian theory itself, with its log Z.

    A field h moves the mean, to where the base looks for it.
    """
    target, log_z = free_field(components, h)
    config = Config(base=BaseConfig(kind="slice"), flow=SMALL_FLOW, sites="all")
    model = build_model(target, config)
    samples = jax.jit(model.sample, static_argnums=2)(model.init(key), key, 100)
    log_w = -jax.vmap(target.action)(samples.x) - samples.log_q
    np.testing.assert_allclose(log_w, log_z, atol=1e-5)


@pytest.mark.slow  # compiles much
@pytest.mark.parametrize("law", ["heat_bath", "learned"])
@pytest.mark.parametrize("components", [3, 4])
def test_density_on_the_whole_space_gives_the_free_partition_function(
    components, law, key
):
    """Of a flow far from the identity, in the symmetric phase, where m reaches 0."""
    lattice = (3,)
    target, log_z = free_field(components, 0.3, lattice)
    config = Config(
        modulation=law,
        base=BaseConfig(kind="slice"),
        flow=SliceContinuousConfig(features=3, time_modes=2, steps=30),
        sites="all",
    )
    model = build_model(target, config)
    params = model.init(key)
    rng = np.random.default_rng(1)
    params["flow"]["params"]["bijection"] = random_params(
        lambda: params["flow"]["params"]["bijection"], rng, gain=0.3
    )
    if law == "learned":
        params["modulation"] = random_params(lambda: params["modulation"], rng, 2.0)
    samples = jax.jit(model.sample, static_argnums=2)(params, key, DRAWS)
    w = np.exp(-jax.vmap(target.action)(samples.x) - samples.log_q - log_z)
    assert np.std(w) > 0.05
    assert_mean(w, 1.0)
    again = jax.jit(model.log_prob)(params, samples.x[:100])
    np.testing.assert_allclose(again, samples.log_q[:100], atol=1e-3)


def test_one_and_two_components_are_the_real_and_the_complex_theory(key):
    shape = {"shape": LATTICE, "kappa": 0.27, "lam": 0.1, "dtype": "float64"}
    for components, name in ((1, "phi4_real"), (2, "phi4_complex")):
        own = build_target("phi4_on", components=components, h=-0.3, **shape)
        other = build_target(name, alpha=0.3, **shape)
        assert own.event_shape == other.event_shape
        assert own.symmetry == other.symmetry
        x = jax.random.normal(key, own.event_shape)
        assert float(own.action(x)) == float(other.action(x))
        found, known = own.observe(x), other.observe(x)
        assert found.keys() == known.keys()
        for observable, value in found.items():
            np.testing.assert_array_equal(value, known[observable])


def test_correlations_along_and_across_add_up(key):
    """And agree with sums over pairs of slices, for unequal extents."""
    target = build_target("phi4_on", shape=(4, 3), components=4, dtype="float64")
    x = jax.random.normal(key, target.event_shape) + 0.2
    found = target.observe(x)
    total = found["correlator_along"] + 3 * found["correlator_across"]
    np.testing.assert_allclose(total, found["correlator"], atol=1e-12)
    slices = np.asarray(x).mean(axis=1)
    mean = slices.mean(axis=0)
    direction = mean / np.linalg.norm(mean)
    across = slices - (slices @ direction)[:, None] * direction
    pairs = [np.mean(np.sum(across * np.roll(across, t, 0), 1)) / 3 for t in range(4)]
    np.testing.assert_allclose(found["correlator_across"], pairs, atol=1e-12)
    waves = np.exp(2j * np.pi * np.outer([1, 2], np.arange(4)) / 4) @ across
    spectrum = np.sum(np.abs(waves) ** 2, axis=1) / 3 * 12 / 16
    np.testing.assert_allclose(found["spectrum_across"], spectrum, atol=1e-12)


def test_a_target_of_ones_own_is_turned_too(key):
    """Any action of N components in Python; a law on the grid, for one not linear."""
    target = Target(
        "own", (2, 2, 3), lambda x: jnp.sum(x**2) + 0.3 * jnp.sum(x[..., 0] ** 2),
        ON(3, broken=True), jnp.float64,
    )  # fmt: skip
    config = Config(base=BaseConfig(kind="slice"), flow=SMALL_FLOW)
    model = build_model(target, config)
    assert jax.eval_shape(model.init, key)["modulation"] == {}


@pytest.mark.parametrize("h", [0.05, 0.4])
def test_chains_obey_the_ward_identity_of_rotations(h, key):
    """<M_1> = h V <M_2^2>, which no sampler knows; on a lattice of unequal extents."""
    target = build_target(
        "phi4_on", shape=(4, 2), components=4, kappa=0.3, lam=0.1, h=h, dtype="float64"
    )
    config = HMCConfig(chains=32, warmup=100, samples=400, leapfrog_steps=5)
    found = run_hmc(target, config, key).observables
    across = np.asarray(found["transverse_susceptibility"])
    difference = gamma_method(np.asarray(found["magnetization"]) - h * across)
    assert abs(difference.mean) < SIGMAS * difference.error
    assert difference.error < 0.02 * np.mean(found["magnetization"]) / h**0.5

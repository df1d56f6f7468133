"""Double-well and Lennard-Jones particles: energies, minima, symmetries, references."""

from dataclasses import replace
from itertools import product
from math import lgamma

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_mean
from scipy.optimize import minimize
from tolerances import F64

from sesamo_jax.geometry.particles import coordinates
from sesamo_jax.reference.quadrature import nodes_and_weights, quadrature
from sesamo_jax.targets import TARGETS, build_target
from sesamo_jax.targets.particles.double_well import DoubleWell
from sesamo_jax.targets.particles.lennard_jones import LennardJones

SKEWED = DoubleWell(
    *(3, 2, "twice", 1.7, "float64"), linear=0.3, quadratic=-2, quartic=0.4, offset=3
)
SKEWED_CLUSTER = LennardJones(
    *(5, 2, "once", 0.6, "float64"), epsilon=1.3, radius=0.8, oscillator=0.4
)
SYSTEMS = {
    "dw4": replace(TARGETS["dw4"], dtype="float64"),
    "lj13": replace(TARGETS["lj13"], dtype="float64"),
    "double wells": SKEWED,
    "cluster": SKEWED_CLUSTER,
}
every_system = pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)


def icosahedron(radius):
    """Return thirteen positions, one of them in the middle."""
    golden = (1 + 5**0.5) / 2
    corners = [[0, a, b * golden] for a, b in product((1, -1), repeat=2)]
    corners = np.concatenate([np.roll(corners, turn, axis=1) for turn in range(3)])
    corners *= radius / np.linalg.norm(corners[0])
    return np.concatenate([[np.zeros(3)], corners])


def random_positions(system, rng):
    """Return positions at distances that matter, with no symmetry left."""
    if system.particles == 13:
        return icosahedron(1.0) + 0.05 * rng.normal(size=(13, 3))
    return rng.normal(0, 1.5, (system.particles, system.dimension))


def energy_by_loops(system, x):
    """Return u(x) by sums over particles, as their formulas say."""
    total = 0.0
    for i, j in product(range(len(x)), repeat=2):
        if i != j:
            d = np.linalg.norm(x[i] - x[j])
            share = {"once": 0.5, "twice": 1.0}[system.pairs]
            if isinstance(system, DoubleWell):
                s = d - system.offset
                energy = system.linear * s + system.quadratic * s**2
                total += share * (energy + system.quartic * s**4)
            else:
                ratio = system.radius / d
                total += share * system.epsilon * (ratio**12 - 2 * ratio**6)
    if isinstance(system, LennardJones):
        total += system.oscillator / 2 * np.sum((x - x.mean(axis=0)) ** 2)
    return total


@pytest.mark.slow
@every_system
def test_action_is_the_sum_over_pairs_over_the_temperature(system, rng):
    target, x = system.build(), random_positions(system, rng)
    y = coordinates(x)
    expected = energy_by_loops(system, x)
    assert abs(expected) > 0.1
    action = float(target.action(y))
    np.testing.assert_allclose(action, expected / system.temperature, rtol=F64)
    np.testing.assert_allclose(target.observe(y)["energy"], expected, rtol=F64)


@every_system
def test_action_is_invariant_under_permutations_and_motions_of_space(system, rng):
    target, x = system.build(), random_positions(system, rng)
    action = jax.jit(target.action)
    before = float(action(coordinates(x)))
    orthogonal = np.linalg.qr(rng.normal(size=(system.dimension, system.dimension)))[0]
    reflected = orthogonal @ np.diag([-1, *[1] * (system.dimension - 1)])
    shift = rng.normal(size=system.dimension)
    for turn in (orthogonal, reflected):
        moved = coordinates(x[rng.permutation(len(x))] @ turn + shift)
        assert np.max(np.abs(moved - coordinates(x))) > 0.1
        assert float(action(moved)) == pytest.approx(before, abs=1e-10)
    stretched = x * np.array([1.1, *[1] * (system.dimension - 1)])
    assert abs(action(coordinates(stretched)) - before) > 0.01


# Two particles in two wells


@pytest.mark.parametrize(
    ("fields", "log_z", "energy", "left_well", "distance"),
    [
        ({}, 7.2604, -3.8707, 0.3246, 4.5151),
        ({"pairs": "twice"}, 11.3236, -8.3595, 0.3182, None),
        ({"dimension": 3}, 9.1144, -3.8814, None, None),
    ],
    ids=["once", "twice", "in space"],
)
def test_dw2_references(fields, log_z, energy, left_well, distance):
    exact = build_target("dw2", **fields).exact
    assert exact.log_z == pytest.approx(log_z, abs=5.1e-5)
    expected = {"energy": energy, "left_well": left_well, "distance": distance}
    for name, value in expected.items():
        if value is not None:
            assert exact.observables[name] == pytest.approx(value, abs=5.1e-5)
    assert "quadrature" in exact.source


@pytest.mark.parametrize("pairs", ["once", "twice"])
def test_references_of_two_particles_are_those_of_the_plane(pairs):
    """By quadrature over both coordinates, which knows nothing of distances."""
    target = replace(SKEWED, particles=2, pairs=pairs).build()
    known = quadrature(target, half_width=6.0, panels=24)
    assert target.exact.log_z == pytest.approx(known.log_z, abs=1e-8)
    for name, value in target.exact.observables.items():
        # The nodes do not follow the circle where a pair changes wells.
        allowed = 1e-3 if name == "left_well" else 1e-7
        assert known.observables[name] == pytest.approx(value, abs=allowed), name


def test_two_particles_on_a_line_are_two_wells_on_each_side():
    target = replace(SKEWED, particles=2, dimension=1).build()
    nodes, weights = nodes_and_weights(6.0, panels=200)
    mass = weights * np.exp(-jax.vmap(target.action)(nodes.reshape(-1, 1, 1)))
    assert target.exact.log_z == pytest.approx(np.log(mass.sum()), abs=1e-8)


@pytest.mark.parametrize(
    ("dimension", "offset", "temperature"),
    [(2, 7e3, 1.3), (40, 3.1, 0.7), (100, 6.0, 2.0), (3, 2.5, 1e-3)],
)
def test_references_of_two_particles_at_any_distance_dimension_and_temperature(
    dimension, offset, temperature
):
    """The trapezoidal rule over all distances where anything can be."""
    system = DoubleWell(
        2, dimension, "twice", temperature, "float64", -0.9, -2.1, 0.4, offset
    )
    d = np.linspace(max(offset - 6, 1e-6), offset + 12, 400_001)
    s = d - offset
    energy = 2 * (-0.9 * s - 2.1 * s**2 + 0.4 * s**4)
    log_p = (dimension - 1) * np.log(d) - energy / temperature
    p = np.exp(log_p - log_p.max())
    half = dimension / 2
    log_sphere = np.log(2) + half * np.log(np.pi / 2) - lgamma(half)
    log_z = np.log(p.sum() * (d[1] - d[0])) + log_p.max() + log_sphere
    exact = system.build().exact
    assert exact.log_z == pytest.approx(log_z, rel=1e-9)
    known = p @ np.stack([energy, d], axis=1) / p.sum()
    assert exact.observables["energy"] == pytest.approx(known[0], rel=1e-6)
    assert exact.observables["distance"] == pytest.approx(known[1], rel=1e-9)


def test_virial_of_three_particles_on_a_line():
    target = replace(SKEWED, dimension=1).build()
    assert target.exact.observables == {"virial": 2.0}
    assert target.exact.log_z is None
    known = quadrature(target, half_width=8.0, panels=60)
    assert known.observables["virial"] == pytest.approx(2, abs=1e-3)


def test_virial_of_a_lennard_jones_pair():
    """Over the radius |y|; also that the straight core has no mass."""
    target = replace(SKEWED_CLUSTER, particles=2, dimension=3).build()
    nodes, weights = nodes_and_weights(10.0, panels=2000)
    y = nodes[nodes > 0, None, None] * np.array([2.0, -1.0, 2.0]) / 3
    radius = nodes[nodes > 0]
    mass = weights[nodes > 0] * radius**2 * np.exp(-jax.vmap(target.action)(y))
    virial = jax.vmap(lambda y: target.observe(y)["virial"])(y)
    assert mass @ virial / mass.sum() == pytest.approx(3, abs=1e-8)
    core = radius * 2**0.5 < SKEWED_CLUSTER.radius / 2
    assert core.sum() > 100
    assert mass[core].sum() < 1e-300


def test_virial_of_dw4_by_importance_sampling(key):
    """From a wide Gaussian; the weights are poor, the error says so."""
    system = replace(SYSTEMS["dw4"], temperature=20.0)
    target, scale = system.build(), 2.2
    y = scale * jax.random.normal(key, (50_000, 3, 2))
    log_w = -jax.vmap(target.action)(y) + jnp.sum(y**2, axis=(1, 2)) / (2 * scale**2)
    weights = np.exp(log_w - log_w.max())
    weights *= len(weights) / weights.sum()
    assert len(weights) / np.mean(weights**2) > 2000
    virial = np.asarray(jax.vmap(lambda y: target.observe(y)["virial"])(y))
    assert_mean(weights * (virial - 6), 0)


# Minima


def minima(energy, starts):
    """Return the energies that descent from the starts ends at, all of them."""
    value_and_grad = jax.jit(jax.value_and_grad(energy))
    shape = starts[0].shape

    def flat(y):
        value, gradient = value_and_grad(y.reshape(shape))
        return float(value), np.asarray(gradient).ravel()

    options = {"gtol": 1e-8, "ftol": 1e-14}
    ends = [
        minimize(flat, y.ravel(), jac=True, method="L-BFGS-B", options=options)
        for y in starts
    ]
    return np.array([end.fun for end in ends])


@pytest.mark.slow  # compiles much
@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ("once", [-25.7922, -25.3124, -24.3524, -23.4654, -21.0665]),
        ("twice", [-51.5844, -50.6249, -48.7049, -46.9309, -42.1330]),
    ],
)
def test_dw4_has_five_minima(pairs, expected, rng):
    energy = replace(SYSTEMS["dw4"], pairs=pairs).build().action
    starts = rng.normal(0, 2.5, (40, 4, 2))
    # The one that few starts lead to: a triangle around the fourth particle.
    angles = 2 * np.pi * np.arange(3) / 3
    starts[0] *= 0.05
    starts[0, :3] += 3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = minima(energy, [np.asarray(coordinates(x)) for x in starts])
    distances = np.abs(found[:, None] - np.array(expected))
    assert np.all(distances.min(axis=1) < 1e-3)
    assert np.all(distances.min(axis=0) < 1e-3)


@pytest.mark.parametrize(
    ("pairs", "trapped", "expected"),
    [("twice", 1, -83.0900), ("once", 1, -38.772), ("once", 0, -44.3268)],
)
def test_lj13_is_lowest_as_an_icosahedron(pairs, trapped, expected, rng):
    target = replace(SYSTEMS["lj13"], pairs=pairs).build()

    def energy(y):
        return target.action(y) - (1 - trapped) * jnp.sum(y**2) / 2

    start = icosahedron(1.0) + 0.05 * rng.normal(size=(13, 3))
    (found,) = minima(energy, [np.asarray(coordinates(start))])
    assert found == pytest.approx(expected, abs=1e-3)


# Close pairs


def test_lennard_jones_pairs_have_a_straight_core():
    system = SKEWED_CLUSTER
    core = system.radius / 2
    slope = jax.vmap(jax.grad(system.pair_energy))
    outside, inside = core * (1 + 1e-12), core * (1 - 1e-12)
    np.testing.assert_allclose(
        system.pair_energy(np.array([outside, inside])), 3968 * 1.3, rtol=1e-9
    )
    np.testing.assert_allclose(*slope(np.array([outside, inside])), rtol=1e-9)
    assert float(system.pair_energy(0.0)) == pytest.approx(52352 * 1.3)
    slopes = slope(np.linspace(0, core, 7)[:-1])
    np.testing.assert_allclose(slopes, slopes[0], rtol=1e-12)
    assert slopes[0] < 0


@every_system
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_coinciding_particles_have_a_high_action_and_a_finite_gradient(system, dtype):
    target = replace(system, dtype=dtype).build()
    value_and_grad = jax.jit(jax.value_and_grad(target.action))
    together = jnp.zeros(target.event_shape, dtype)
    for y in (together, together.at[-1, 0].set(0.1)):  # all, and all but one
        value, gradient = value_and_grad(y)
        assert np.isfinite(value)
        assert np.all(np.isfinite(gradient))
        assert value > 20

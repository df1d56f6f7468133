"""Finite groups from generators: orders, cells, products, densities, refusals."""

from functools import cache, partial
from itertools import permutations
from math import factorial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_counts, grid, random_params
from tolerances import F64

from sesamo_jax.checks import check_symmetry
from sesamo_jax.config import BaseConfig, Config, build_model, complete
from sesamo_jax.core import Target
from sesamo_jax.flows import RealNVPConfig
from sesamo_jax.geometry.particles import coordinates, helmert, positions
from sesamo_jax.modulation import build_law
from sesamo_jax.symmetries import (
    U1,
    Cyclic,
    Product,
    alternating,
    dihedral,
    finite_group,
    hyperoctahedral,
    icosahedral,
    joined,
    lattice_moves,
    octahedral,
    particle_permutations,
    rotations,
    subgroup_chain,
    symmetric,
    tetrahedral,
)
from sesamo_jax.symmetries.finite.reference_point import nearest_border

ORDERS = {
    "D5": (partial(dihedral, 5), 10),
    "Z7": (partial(rotations, 7), 7),
    "S4": (partial(symmetric, 4), 24),
    "A5": (partial(alternating, 5), 60),
    "B4": (partial(hyperoctahedral, 4), 384),
    "T": (tetrahedral, 12),
    "Td": (partial(tetrahedral, True), 24),
    "O": (octahedral, 24),
    "Oh": (partial(octahedral, True), 48),
    "I": (icosahedral, 60),
    "Ih": (partial(icosahedral, True), 120),
    "particles": (partial(particle_permutations, 4, 3), 24),
    "translations": (partial(lattice_moves, (3, 4, 2), (0, 1)), 12),
    "lattice": (partial(lattice_moves, (3, 4, 2), (0, 1), True), 48),
}


@pytest.mark.parametrize("name", ORDERS)
def test_orders_are_those_of_the_books(name):
    build, order = ORDERS[name]
    group = build()
    assert group.order == order
    matrices = np.round(group.maps.matrices(), 6)
    assert len(np.unique(matrices.reshape(order, -1), axis=0)) == order
    np.testing.assert_array_equal(matrices[0], np.eye(matrices.shape[1]))


def corners_of(name):
    golden = (1 + 5**0.5) / 2
    return {
        "D5": [[np.cos(a), np.sin(a)] for a in 2 * np.pi * np.arange(5) / 5],
        "Td": [[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]],
        "Oh": np.stack(np.meshgrid(*[[-1, 1]] * 3), -1).reshape(-1, 3),
        "Ih": [
            np.roll([0, a * golden, b], shift)
            for a in (-1, 1)
            for b in (-1, 1)
            for shift in range(3)
        ],
        "S4": list(permutations([0.3, -1.0, 2.0, 5.0])),
    }[name]


@pytest.mark.parametrize("name", ["D5", "Td", "Oh", "Ih", "S4"])
def test_groups_permute_the_corners_of_their_solids(name):
    corners = np.array(corners_of(name), float)
    images = ORDERS[name][0]().maps.matrices() @ corners.T
    for image in images:
        found = np.abs(image.T[:, None] - corners).max(axis=2) < 1e-9
        np.testing.assert_array_equal(found.sum(axis=0), 1)


def test_particles_are_permuted_as_they_are_counted(rng):
    group, x = particle_permutations(3, 2), rng.normal(size=(3, 2))
    images = jax.vmap(group.act, (0, None))(np.arange(6), coordinates(x))[0]
    found = np.sort([np.array(positions(y)).ravel() for y in images], axis=0)
    centred = x - x.mean(axis=0)
    every = np.sort([centred[list(p)].ravel() for p in permutations(range(3))], axis=0)
    np.testing.assert_allclose(found, every, atol=F64)


def test_an_axis_is_moved_alike_for_all_indices_of_the_others(rng):
    y = rng.normal(size=(3, 4, 2))
    group = dihedral(5, event_shape=(3, 4, 2), axis=-1)
    g = jnp.asarray(7)
    expected = np.einsum("ij,xyj->xyi", group.maps.matrices()[7], y)
    np.testing.assert_allclose(group.act(g, y)[0], expected, atol=F64)
    np.testing.assert_allclose(group.undo(g, expected), y, atol=F64)
    # The cell is that of the mean field's direction.
    one = dihedral(5)
    assert group.sector(y) == one.sector(y.sum(axis=(0, 1)))


def test_cells_lie_far_from_their_borders_and_where_they_are_put():
    """The best distance of S_n is that of equal gaps, of D_n half the angle's."""
    gaps = np.arange(4) - 1.5
    best = np.sqrt(0.5) / np.linalg.norm(gaps)
    found = symmetric(4)
    assert nearest_border(found.maps, found.reference) > 0.98 * best
    found = dihedral(5)
    assert nearest_border(found.maps, found.reference) > 0.98 * np.sin(np.pi / 10)
    point = [0.3, 2.0, -1.0, 0.5]
    group = symmetric(4, reference=point)
    assert group.sector(jnp.array(point)) == 0
    assert np.all(group.margins(jnp.array(point)) < 0)


def test_margins_are_distances_from_the_planes_half_way(rng):
    group = tetrahedral(True)
    y = jnp.asarray(rng.normal(size=3))
    images = np.array([m @ group.reference[:, 0] for m in group.maps.matrices()])
    for margin, image in zip(group.margins(y), images[1:], strict=True):
        normal = image - images[0]
        # Both images are equally far from the plane through 0 normal to this.
        expected = y @ normal / np.linalg.norm(normal)
        np.testing.assert_allclose(margin, expected, atol=F64)


@pytest.mark.parametrize("group", [symmetric(3), hyperoctahedral(3)])
def test_every_point_of_a_border_has_exactly_one_element(group):
    """Ties go to the first element, in batches as one at a time."""
    x = np.array([[1.0, 1.0, 2.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [2.0, 1.0, 2.0]])
    found = jax.jit(jax.vmap(group.sector))(x)
    np.testing.assert_array_equal(found, [group.sector(event) for event in x])
    y = jax.vmap(group.undo)(found, x)
    assert np.all(jax.vmap(group.margins)(y) <= F64)
    np.testing.assert_allclose(jax.vmap(group.act)(found, y)[0], x, atol=F64)


def skew(x):
    """No symmetry at all."""
    return (
        jnp.sum(x**2) / 2
        + 0.4 * x[0]
        - 0.3 * x[-1]
        + 0.3 * jnp.cos(x[0] - 2 * x[-1] + x[1])
    )


S3 = [[1, 0, 2], [1, 2, 0]]
SMOOTH = RealNVPConfig(2, 1, 8, "tanh", shared=True, log_scale_bound=0.3)
DENSITIES = {
    "D5": (dihedral(5, broken=True), 2, "heat_bath"),
    "D5-learned": (dihedral(5, broken=True), 2, "learned"),
    "S3": (symmetric(3, broken=True), 3, "heat_bath"),
    "T": (tetrahedral(broken=True), 3, "heat_bath"),
    "S3-chain": (subgroup_chain(S3, broken=True), 3, "heat_bath"),
    "S3-cosets": (subgroup_chain(S3, broken=True), 3, "cosets"),
}


@cache
def leaking(name):
    """Return a model off the centre of its cell, with random parameters, and log q."""
    group, n, modulation = DENSITIES[name]
    target = Target(name, (n,), skew, group, jnp.float64)
    base = BaseConfig(mean=0.6, variance=1.0)
    model = build_model(target, Config(modulation=modulation, flow=SMOOTH, base=base))
    init = partial(model.init, jax.random.key(0))
    params = random_params(init, np.random.default_rng(5))
    return model, params, jax.jit(partial(model.log_prob, params))


def nodes_of(name):
    n = DENSITIES[name][1]
    return grid(9.0, 180 if n == 2 else 40, n)


@pytest.mark.slow  # compiles much
@pytest.mark.parametrize("name", DENSITIES)
def test_log_prob_of_a_leaking_flow_integrates_to_one(name):
    """In three dimensions the grid is coarse; cell accounting is off by a half."""
    model, params, log_prob = leaking(name)
    nodes, volume = nodes_of(name)
    total = jnp.sum(jnp.exp(log_prob(nodes))) * volume
    np.testing.assert_allclose(total, 1, atol=1e-6 if nodes.shape[1] == 2 else 3e-4)
    samples = jax.jit(partial(model.sample, n=len(nodes)))(params, jax.random.key(1))
    assert 0.1 < jnp.mean(model.leaked(samples.y))
    assert np.all(log_prob(samples.x) >= samples.log_q - F64)


@pytest.mark.slow  # compiles much
def test_a_chain_is_the_same_group_as_its_list(rng):
    """And the same density under the same law, whatever the cells."""
    chain, group = subgroup_chain(S3, broken=True), symmetric(3, broken=True)
    x = rng.normal(size=3)
    of_chain, of_list = (
        np.sort(np.round(jax.vmap(g.act, (0, None))(np.arange(6), x)[0], 9), axis=0)
        for g in (chain, group)
    )
    np.testing.assert_array_equal(of_chain, of_list)
    nodes, _ = nodes_of("S3")
    found, expected = (leaking(name)[2](nodes) for name in ("S3-chain", "S3"))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_the_law_of_cosets_draws_what_it_says(key):
    group = DENSITIES["S3-cosets"][0]
    law = build_law("cosets", Target("s", (3,), skew, group, jnp.float64))
    y = jnp.array([0.4, -1.0, 0.2])
    log_probs = jax.jit(lambda y: law.apply({}, y, method="log_probs"))(y)
    np.testing.assert_allclose(np.exp(log_probs).sum(), 1, atol=F64)
    # By hand: the last level first, each by the target's own weights.
    expected = np.zeros(6)

    def weight(x):
        return np.exp(-float(skew(x)))

    inner = [group.lift(1, t, y) for t in range(2)]
    for t1, image in enumerate(inner):
        outer = [weight(group.lift(0, t, image)) for t in range(3)]
        share = weight(image) / sum(map(weight, inner))
        for t0 in range(3):
            expected[2 * t0 + t1] = share * outer[t0] / sum(outer)
    np.testing.assert_allclose(np.exp(log_probs), expected, atol=F64)
    draws = jax.jit(jax.vmap(lambda k: law.apply({}, k, y)))(
        jax.random.split(key, 20_000)
    )
    assert_counts(np.bincount(draws[0], minlength=6), expected)
    np.testing.assert_allclose(draws[1], log_probs[draws[0]], atol=F64)


@pytest.mark.slow  # compiles much
def test_chains_reach_groups_beyond_any_list(rng):
    shift, swap = np.roll(np.arange(9), 1), [1, 0, *range(2, 9)]
    group = subgroup_chain([shift, swap])
    assert group.order == factorial(9)
    x = jnp.asarray(rng.normal(size=9))
    y = jax.jit(lambda x: group.undo(group.sector(x), x))(x)
    np.testing.assert_allclose(np.sort(y), np.sort(x))
    assert np.all(group.margins(y) < 0)
    target = Target("many", (9,), lambda x: jnp.sum(x**4), group, jnp.float64)
    check_symmetry(group, target)
    flow = RealNVPConfig(2, 0, 4)
    with pytest.raises(ValueError, match="use modulation 'cosets'"):
        build_model(target, Config(flow=flow))
    model = build_model(target, Config(modulation="cosets", flow=flow))
    init = partial(model.init, jax.random.key(0))
    params = random_params(init, np.random.default_rng(1))
    samples = jax.jit(partial(model.sample, n=20))(params, jax.random.key(1))
    # The action is invariant, so each of the 9! elements has the same probability.
    np.testing.assert_allclose(samples.log_p_u, -np.log(float(factorial(9))))
    with pytest.raises(ValueError, match=r"'canonicalization' lists at most 65536"):
        complete(Config(method="canonicalization", flow=flow), target)


def test_matrices_in_a_chain_are_the_group_of_their_list():
    full = icosahedral(True)
    chain = subgroup_chain(list(full.generators.matrices()[1:]))
    assert chain.order == 120
    by_points = subgroup_chain(
        [helmert(5)[:, p] @ helmert(5).T for p in ([1, 2, 3, 4, 0], [1, 0, 2, 3, 4])],
        points=helmert(5).T,
    )
    assert by_points.indices == (5, 4, 3, 2)


@pytest.mark.slow  # compiles much
def test_groups_are_joined_or_make_products(rng):
    shape = (2, 3)
    cube, exchange = (
        octahedral(event_shape=shape, axis=1),
        symmetric(2, event_shape=shape, axis=0),
    )
    both = joined(cube, exchange)
    assert both.order == 48
    x = rng.normal(size=shape)
    images = jax.vmap(both.act, (0, None))(np.arange(48), x)[0]
    expected = [
        cube.act(g, exchange.act(h, x)[0])[0] for g in range(24) for h in range(2)
    ]
    apart = np.abs(images[:, None] - np.array(expected)).max(axis=(2, 3))
    assert np.all(apart.min(axis=0) < F64)
    # Rows exchanged keep the sum over rows, by which the cube's cell is known.
    product = Product((cube, exchange))
    target = Target("both", shape, lambda x: jnp.sum(x**4), product, jnp.float64)
    check_symmetry(product, target)


REFUSED = {
    "not orthogonal": (
        lambda: finite_group([[[1, 0.2], [0, 1]]]),
        r"generator 0 is not orthogonal, M\^T M is off 1 by 0.2",
    ),
    "no end": (
        lambda: finite_group([[[0.6, -0.8], [0.8, 0.6]], np.diag([1, -1])]),
        "more than 65536 elements, 6553. so far",
    ),
    "no end of a chain": (
        lambda: subgroup_chain([[[0.6, -0.8], [0.8, 0.6]]]),
        r"point \[1.0, 0.0\] has more than 4096 images",
    ),
    "none": (lambda: finite_group([]), "at least one generator"),
    "no permutation": (lambda: finite_group([[1, 1, 0]]), r"of shape \(3,\) is neith"),
    "sizes": (
        lambda: finite_group([[1, 0], [1, 0, 2]]),
        r"different numbers of components, \[2, 3\]",
    ),
    "shape": (
        lambda: symmetric(3, event_shape=(4,)),
        r"acts on 3 numbers, and an event of shape \(4,\) has 4:",
    ),
    "axis": (
        lambda: symmetric(3, event_shape=(3, 2), axis=2),
        r"axis=2 is none of an event",
    ),
    "mirror": (
        lambda: symmetric(3, reference=[1, 1, 0]),
        r"keeps the reference point \[1. 1. 0.\], which lies on a mirror",
    ),
    "origin": (lambda: symmetric(3, reference=[0, 0, 0]), "lies on a mirror"),
    "reference": (
        lambda: symmetric(3, reference=[1, 0]),
        r"has shape \(2,\): give one of shape \(3,\)",
    ),
    "joined": (lambda: joined(symmetric(3), symmetric(4)), "cannot be joined"),
    "corners": (lambda: dihedral(1), "corners=1 must be at least 2"),
    "axes": (lambda: lattice_moves((4, 4), (2,)), r"axes=\(2,\) must be some of 0..1"),
    "points": (
        lambda: subgroup_chain(S3, points=[[1, 1, 1], [1, 0, 0]]),
        "leaves every one of the 2 points",
    ),
    "too many": (
        lambda: subgroup_chain([np.roll(np.arange(13), 1), [1, 0, *range(2, 13)]]),
        "has 6227020800 elements, and at most 2147483647",
    ),
    "nothing": (lambda: subgroup_chain([[0, 1]]), "every generator is the identity"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_impossible_groups_are_refused(name):
    build, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        build()


def test_what_a_method_or_law_cannot_do_with_a_group_is_refused():
    target = Target("field", (2, 2), lambda x: jnp.sum(x**2), U1(), jnp.float64)
    with pytest.raises(ValueError, match="has a continuous symmetry, and method 'can"):
        complete(Config(method="canonicalization"), target)
    ring = Target("ring", (2,), skew, Cyclic(3, broken=True), jnp.float64)
    with pytest.raises(ValueError, match="goes down a chain of subgroups, which"):
        complete_and_build(ring, "cosets")


def complete_and_build(target, modulation):
    return build_model(target, Config(modulation=modulation))

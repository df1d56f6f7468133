"""The Hubbard model where one slice spans far more than 16 digits, against mpmath."""

from itertools import product

import jax
import mpmath as mp
import numpy as np
import pytest
from helpers import with_slow
from test_fock import operators

from sesamo_jax.geometry.graphs import adjacency
from sesamo_jax.targets.hubbard.fock import fock_reference
from sesamo_jax.targets.hubbard.target import Hubbard


def exact_hopping(config):
    """Return e^h of one slice, an mpmath matrix."""
    per_slice = mp.mpf(config.kappa) * config.beta / config.time_slices
    return mp.expm(per_slice * mp.matrix(adjacency(config.graph(), config.sites)))


def exact_fermions(hop, x):
    """Return log det(1 + B_T ... B_1), its gradient, and Green's functions."""
    slices, sites = x.shape
    one = mp.eye(sites)
    steps = [hop * mp.diag([mp.exp(float(v)) for v in field]) for field in x]
    before = [one]
    for step in steps:
        before.append(step * before[-1])
    after = [one]
    for step in steps[::-1]:
        after.append(after[-1] * step)
    green = [mp.inverse(one + a * b) for a, b in zip(before, after[::-1], strict=True)]
    ahead = [(b * green[0]).tolist() for b in before]
    slope = [[1 - g[i, i] for i in range(sites)] for g in green[:-1]]
    log_det = mp.log(abs(mp.det(one + before[-1])))
    numbers = np.array([g.tolist() for g in green], float), np.array(ahead, float)
    return log_det, np.array(slope, float), numbers


# kappa beta / N_t, U~, slices, lattice, and signs of the mode near which the field is;
# "far" is a field of six times the noise of the prior.
SQUARE = {"lattice": "square", "extents": (2, 3), "periodic": False}
STAR = {"lattice": "graph", "extents": (5,), "edges": ((0, 1), (0, 2), (0, 3), (3, 4))}
CASES = {
    "chain": (30.0, 1000.0, 1, {"extents": (5,)}, (1, -1, 1, -1, 1)),
    "ring": (20.0, 360.0, 3, {"lattice": "ring", "extents": (4,)}, (1, -1, 1, -1)),
    "minus": (-17.0, 80.0, 2, {"extents": (3,)}, (1, 1, -1)),
    "square": (25.0, 700.0, 2, SQUARE, (1, 1, -1, -1, 1, 1)),
    "honeycomb": (
        9.0,
        30.0,
        3,
        {"lattice": "honeycomb", "extents": (1, 3), "periodic": False},
        (1, -1, 1, -1, -1, 1),
    ),
    "star": (0.01, 900.0, 4, STAR, (-1, 1, 1, 1, -1)),
    "triangle": (28.0, 50.0, 2, {"lattice": "ring", "extents": (3,)}, (1, 1, -1)),
    "far": (4.0, 40.0, 2, {"extents": (4,)}, None),
}


# Their programs take up to a minute to compile.
LARGER = ("square", "honeycomb")


@pytest.mark.parametrize("name", with_slow(CASES, LARGER))
def test_action_gradient_and_green_functions_are_those_of_many_digits(name, rng):
    hopping, u_tilde, slices, lattice, signs = CASES[name]
    config = Hubbard(
        u=u_tilde, beta=slices, kappa=hopping, time_slices=slices, **lattice
    )
    noise = u_tilde**0.5 * rng.normal(size=(slices, config.sites))
    x = 6 * noise if signs is None else u_tilde * np.array(signs) + noise
    with mp.workdps(400 + int(slices * (np.abs(x).max() + 4 * abs(hopping)))):
        hop = exact_hopping(config)
        up, down = (exact_fermions(hop, s * x) for s in (1, -1))
        gauss = sum(mp.mpf(v) ** 2 for v in x.ravel()) / (2 * config.u_tilde)
        expected = float(gauss - up[0] - down[0])
        size = float(gauss + abs(up[0]) + abs(down[0]))
    target = config.build()
    value, gradient = jax.jit(jax.value_and_grad(target.action))(x)
    assert abs(float(value) - expected) < 1e-13 * size
    slope = x / config.u_tilde - up[1] + down[1]
    np.testing.assert_allclose(gradient, slope, atol=1e-10)
    found = jax.jit(target.measure.green_functions)(x)
    for green, exact in zip(found, up[2], strict=True):
        np.testing.assert_allclose(
            green, exact, atol=1e-10 * max(1, np.abs(exact).max())
        )


@pytest.mark.parametrize(
    ("config", "log_z"),
    [
        (Hubbard(u=4.0, beta=18.0, lattice="ring", extents=(4,)), 228.4522),
        (Hubbard(u=4.0, beta=20.0, lattice="ring", extents=(4,)), 252.6630),
        (Hubbard(u=30.0, beta=29.0, extents=(3,)), None),
        (Hubbard(u=2.5, beta=23.0, kappa=-1.2, lattice="ring", extents=(3,)), None),
    ],
    ids=["ring 18", "ring 20", "chain", "triangle"],
)
def test_both_references_are_the_sum_over_principal_minors(config, log_z):
    """Z = (2 pi U~)^{N / 2} sum_{S, S'} h_S h_S' e^{U~ |S - S'|^2 / 2} at one slice."""
    subsets = np.array(list(product((0, 1), repeat=config.sites)))
    with mp.workdps(400):
        hop, total = exact_hopping(config), mp.mpf(0)
        minors = [mp.mpf(1)]
        for subset in subsets[1:]:
            chosen = np.flatnonzero(subset)
            rows = [[hop[int(i), int(j)] for j in chosen] for i in chosen]
            minors.append(mp.det(mp.matrix(rows)))
        terms = list(zip(subsets, minors, strict=True))
        for (a, one), (b, other) in product(terms, repeat=2):
            weight = config.u_tilde * int(np.sum((a - b) ** 2)) / 2
            total += one * other * mp.exp(weight)
        gauss = config.sites / 2 * mp.log(2 * mp.pi * config.u_tilde)
        expected = float(mp.log(total) + gauss)
    assert log_z is None or expected == pytest.approx(log_z, abs=6e-5)
    assert config.build().exact.log_z == pytest.approx(expected, rel=1e-13)
    hopping = config.kappa * adjacency(config.graph(), config.sites)
    trace = fock_reference(hopping, config.u, config.beta, 1)
    assert trace.log_z == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(
    ("u", "beta", "kappa", "slices"),
    [(100.0, 30.0, 3.0, 3), (1.0, 60.0, -1.0, 2), (1000.0, 2.0, 0.0, 2)],
)
def test_the_trace_keeps_its_digits_at_steep_slices(u, beta, kappa, slices):
    modes = operators(2)
    numbers = [m.T @ m for m in modes]
    moments = [numbers[i] - numbers[2 + i] for i in range(2)]
    hops = sum(
        kappa * modes[s + i].T @ modes[s + 1 - i] for i in range(2) for s in (0, 2)
    )
    with mp.workdps(800):
        local = mp.diag([float(v) for v in np.diag(sum(m @ m for m in moments))])
        potential = mp.mpf(u) * beta / (2 * slices) * local
        step = mp.expm(mp.mpf(beta) / slices * mp.matrix(hops))
        step *= mp.diag([mp.exp(potential[i, i]) for i in range(16)])
        powers = [step**t for t in range(slices + 1)]
        z = trace(powers[-1])
        gauss = slices * mp.log(2 * mp.pi * u * beta / slices)
        log_z = float(mp.log(z) + gauss)
        double = float(trace(mp.matrix(numbers[0] @ numbers[2]) * powers[-1]) / z)
        spins = [
            [float(trace(mp.matrix(a @ b) * powers[-1]) / z / 4) for a in moments]
            for b in moments
        ]
        hopped = float(trace(mp.matrix(hops) * powers[-1]) / z)
        lower = mp.matrix(modes[0])
        ahead = [
            float(trace(powers[slices - t] * lower * powers[t] * lower.T) / z)
            for t in range(slices + 1)
        ]
    found = fock_reference(kappa * adjacency(((0, 1),), 2), u, beta, slices)
    assert found.log_z == pytest.approx(log_z, rel=1e-13)
    assert found.double_occupancy == pytest.approx(double, abs=1e-12)
    np.testing.assert_allclose(found.spin_correlation, spins, atol=1e-12)
    energy = -hopped / 2 + u * (double - 0.25)
    assert found.energy == pytest.approx(energy, rel=1e-11)
    np.testing.assert_allclose(found.correlator, ahead, atol=1e-11)


def trace(matrix):
    """Return the trace of an mpmath matrix."""
    return mp.fsum(matrix[i, i] for i in range(matrix.rows))

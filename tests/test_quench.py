"""Quenching samples to minima, and telling minima apart."""

import numpy as np
import pytest
from tolerances import SIGMAS

from sesamo_jax.config import SMCConfig
from sesamo_jax.geometry.particles import coordinates, positions
from sesamo_jax.run.data import reference_sets
from sesamo_jax.targets import build_target

# Of four particles in double wells, pairs counted once: energies, and the share of each
# state among 3,000 samples of replica exchange.
LEVELS = np.array([-25.7922, -25.3124, -24.3524, -23.4654, -21.0665])
SHORTEST = [2.699, 2.477, 2.412, 2.385, 3.053]


@pytest.fixture(scope="module")
def quench(experiment):
    return experiment("particles.quench")


@pytest.fixture(scope="module")
def four(quench):
    target = build_target("dw4", dtype="float64")
    starts = np.random.default_rng(0).normal(0, 2, (150, 3, 2))
    return quench.quench(target, starts)


@pytest.mark.slow  # compiles much
def test_four_particles_have_the_five_known_minima(quench, four):
    states = quench.distinct(four, 1e-2)
    np.testing.assert_allclose(four.energies[states], LEVELS, atol=1e-4)
    np.testing.assert_allclose(four.distances[states, 0], SHORTEST, atol=1e-3)
    assert four.found.sum() == len(four.energies) > 120


def test_a_cluster_at_rest_is_the_icosahedron(quench):
    """Three starts around it; its energy is a published one, the radius its own."""
    golden = (1 + 5**0.5) / 2
    corners = [[0, a, b * golden] for a in (1, -1) for b in (1, -1)]
    corners = np.concatenate([np.roll(corners, turn, axis=1) for turn in range(3)])
    x = np.concatenate([np.zeros((1, 3)), corners / np.linalg.norm(corners[0])])
    rng = np.random.default_rng(1)
    starts = [coordinates(x + 0.05 * rng.normal(size=x.shape)) for _ in range(3)]
    minima = quench.quench(build_target("lj13", dtype="float64"), np.array(starts))
    np.testing.assert_allclose(minima.energies, -83.0900, atol=1e-3)
    radii = np.linalg.norm(positions(minima.y[0]), axis=1)
    np.testing.assert_allclose(np.sort(radii)[1:], 0.9622, atol=1e-3)
    assert len(quench.distinct(minima, 1e-2)) == 1


def test_images_under_symmetries_are_one_state(quench, four):
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(2, 2)))[0]
    y = four.y[quench.distinct(four, 1e-2)]
    x = np.array([positions(one) for one in y])
    images = [x, x[:, ::-1], x @ turn, x[:, [2, 0, 3, 1]] @ turn * [-1, 1]]
    starts = np.array([coordinates(one) for one in np.concatenate(images)])
    minima = quench.quench(build_target("dw4", dtype="float64"), starts)
    assert len(minima.energies) == 20
    assert len(quench.distinct(minima, 1e-2)) == 5
    assert len(quench.distinct(minima, 1e3)) == 1


def test_a_saddle_point_is_no_minimum(quench):
    """A square, where the gradient vanishes and two diagonals want to change."""
    side = 3.0
    square = side * np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    target = build_target("dw4", dtype="float64")
    minima = quench.quench(target, coordinates(square)[None])
    # A square stays one under its own symmetric gradient.
    assert minima.found.tolist() == [False]


def test_shares_count_weights(quench, four):
    levels = four.energies[quench.distinct(four, 1e-2)]
    weights = np.ones(len(four.found))
    weights[four.found] = np.where(four.energies < -25.5, 3.0, 1.0)
    plain, weighted = (quench.shares(four, levels, w) for w in (None, weights))
    lowest = np.mean(np.abs(four.energies - LEVELS[0]) < 1e-3)
    assert plain[0] == pytest.approx(lowest)
    assert weighted[0] == pytest.approx(3 * lowest / (1 + 2 * lowest))
    assert [plain.sum(), weighted.sum()] == pytest.approx([1, 1])


@pytest.mark.slow
def test_samples_of_the_target_have_the_known_shares(quench):
    """Against another sampler's, whose errors are as large."""
    start = SMCConfig(variance=4.5)
    sets = reference_sets(build_target("dw4"), start, 1000, 10, seed=5)
    x = np.concatenate([one.samples for one in sets.values()])[:400]
    y = np.array([coordinates(one) for one in x])
    minima = quench.quench(build_target("dw4", dtype="float64"), y)
    known = np.array([0.483, 0.411, 0.060, 0.037, 0.009])
    # Samples of one population are not quite independent: half as many count.
    error = np.sqrt(known * (1 - known) * (1 / 200 + 1 / 3000))
    assert np.all(np.abs(quench.shares(minima, LEVELS) - known) < SIGMAS * error)

"""Exact traces against closed forms, the continuum, and a second way to trace."""

from functools import reduce

import numpy as np
import pytest
from scipy.linalg import expm

from sesamo_jax.targets.hubbard.fock import fock_reference
from sesamo_jax.targets.hubbard.gaussian_expansion import gaussian_expansion
from sesamo_jax.targets.hubbard.hopping import hopping as exponential

# Uneven hoppings and a triangle, so that no symmetry can hide an error.
UNEVEN = np.array([[0, 1, 0.3], [1, 0, 0.7], [0.3, 0.7, 0]])


@pytest.mark.parametrize("sites", [2, 3, 4])
def test_log_z_of_one_slice_is_the_gaussian_expansion(sites):
    bonds = np.diag(0.4 + 0.3 * np.arange(sites - 1), k=1)
    hopping = bonds + bonds.T
    log_masses, _ = gaussian_expansion(exponential(1.5 * hopping), 3.0)
    reference = fock_reference(hopping, 2.0, 1.5, 1)
    assert reference.log_z == pytest.approx(np.logaddexp.reduce(log_masses), abs=1e-10)


def operators(sites):
    """Return lowering operators of 2 N modes on the whole Fock space, Jordan-Wigner."""
    lower, sign, one = np.array([[0, 1], [0, 0]]), np.diag([1, -1]), np.eye(2)
    return [
        reduce(np.kron, [sign] * n + [lower] + [one] * (2 * sites - n - 1))
        for n in range(2 * sites)
    ]


@pytest.mark.parametrize("slices", [1, 5, None])
def test_all_values_are_those_of_operators_on_the_whole_space(slices):
    u, beta, sites = 2.3, 1.1, 3
    modes = operators(sites)
    numbers = [m.T @ m for m in modes]
    moments = [numbers[i] - numbers[sites + i] for i in range(sites)]
    hops = sum(
        UNEVEN[i, j] * modes[s + i].T @ modes[s + j]
        for i in range(sites)
        for j in range(sites)
        for s in (0, sites)
    )
    potential = u / 2 * sum(m @ m for m in moments)
    if slices is None:
        step, count, gauss = expm(beta * (hops + potential)), 1, 0.0
    else:
        step = expm(beta / slices * hops) @ expm(beta / slices * potential)
        count = slices
        gauss = sites * slices / 2 * np.log(2 * np.pi * u * beta / slices)
    whole = np.linalg.matrix_power(step, count)
    z = np.trace(whole)
    # Next to e^K, where `energy` puts the hopping; the rest commutes with e^V.
    found = fock_reference(UNEVEN, u, beta, slices)
    assert found.log_z == pytest.approx(np.log(z) + gauss, abs=1e-11)
    spin = [[np.trace(a @ b @ whole) / z / 4 for a in moments] for b in moments]
    np.testing.assert_allclose(found.spin_correlation, spin, atol=1e-12)
    doubles = [numbers[i] @ numbers[sites + i] for i in range(sites)]
    expected = np.trace(sum(doubles) @ whole) / z / sites
    assert found.double_occupancy == pytest.approx(expected, abs=1e-12)
    onsite = u * (expected - 0.5 * np.trace(sum(numbers) @ whole) / z / sites + 0.25)
    energy = -np.trace(hops @ whole) / z / sites + onsite
    assert found.energy == pytest.approx(energy, abs=1e-12)
    ahead = [
        sum(
            np.trace(
                np.linalg.matrix_power(step, count - t)
                @ m
                @ np.linalg.matrix_power(step, t)
                @ m.T
            )
            for m in modes[:sites]
        )
        / (z * sites)
        for t in range(count + 1)
    ]
    np.testing.assert_allclose(found.correlator, ahead, atol=1e-12)


def test_slices_approach_the_continuum_quadratically():
    continuum = fock_reference(UNEVEN, 3.0, 1.2)
    errors = [
        fock_reference(UNEVEN, 3.0, 1.2, slices).energy - continuum.energy
        for slices in (20, 40)
    ]
    assert 1e-6 < abs(errors[1]) < 0.02
    assert errors[0] / errors[1] == pytest.approx(4, abs=0.1)


def test_free_particles_and_the_atomic_limit():
    free = fock_reference(UNEVEN, 1e-12, 1.4, 5)
    gauss = 15 / 2 * np.log(2 * np.pi * 1.4e-12 / 5)
    expected = 2 * np.linalg.slogdet(np.eye(3) + expm(1.4 * UNEVEN))[1] + gauss
    assert free.log_z == pytest.approx(expected, abs=1e-8)
    atoms = fock_reference(np.zeros((2, 2)), 2.0, 1.0, 4)
    expected = 1 / (2 + 2 * np.exp(2.0 / 2))
    assert atoms.double_occupancy == pytest.approx(expected)
    np.testing.assert_allclose(atoms.correlator[[0, -1]], 0.5)

"""Exact traces against the closed form at one time slice, and against quadrature."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from sesamo_jax.reference.fock import fock_reference
from sesamo_jax.reference.quadrature import quadrature
from sesamo_jax.targets import build_target
from sesamo_jax.targets.hubbard import exp_symmetric, gaussian_expansion


@pytest.mark.parametrize("sites", [2, 3, 4])
def test_log_z_of_one_slice_is_the_gaussian_expansion(sites):
    """Uneven hoppings, so that no symmetry of the chain can hide an error."""
    bonds = np.diag(0.4 + 0.3 * np.arange(sites - 1), k=1)
    hop = exp_symmetric(bonds + bonds.T)
    log_masses, _ = gaussian_expansion(hop, 3.0)
    reference = fock_reference(hop, 3.0, 1)
    assert reference.log_z == pytest.approx(np.logaddexp.reduce(log_masses), abs=1e-10)


def test_spin_correlation_is_that_of_the_field():
    """At one slice <x_i x_j> = U~^2 <m_i m_j> + U~ delta_ij: x is U~ m and noise."""
    products = {
        f"{i}{j}": partial(lambda x, i, j: x[0, i] * x[0, j], i=i, j=j)
        for i, j in ((0, 0), (0, 1))
    }
    target = replace(build_target("hubbard", u=4.0, beta=0.7), observables=products)
    reference = fock_reference(exp_symmetric(0.7 * np.eye(2)[::-1]), 2.8, 1)
    exact = quadrature(target, half_width=20.0)
    assert exact.log_z == pytest.approx(reference.log_z, abs=1e-8)
    diagonal = 2.8**2 * reference.spin[0, 0] + 2.8
    assert exact.observables["00"] == pytest.approx(diagonal, abs=1e-6)
    assert exact.observables["01"] == pytest.approx(2.8**2 * reference.spin[0, 1])


def test_free_particles_and_the_atomic_limit():
    hop = exp_symmetric(np.diag([0.7, 0.2], k=1) + np.diag([0.7, 0.2], k=-1))
    free = fock_reference(hop, 1e-12, 5)
    power = np.linalg.matrix_power(hop, 5)
    gauss = 15 / 2 * np.log(2 * np.pi * 1e-12)
    expected = 2 * np.linalg.slogdet(np.eye(3) + power)[1] + gauss
    assert free.log_z == pytest.approx(expected, abs=1e-8)
    np.testing.assert_allclose(free.double_occupancy, 0.25, atol=0.1)
    atoms = fock_reference(np.eye(2), 0.5, 4)
    weight = np.exp(4 * 0.5 / 2)
    np.testing.assert_allclose(atoms.double_occupancy, 1 / (2 + 2 * weight))

"""The Gaussian mixture against quadrature, closed forms and quoted values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_counts, assert_mean, quadrature
from scipy.special import ndtr
from tolerances import F64, QUOTED

from sesamo_jax.reference.quadrature import nodes_and_weights
from sesamo_jax.targets.gaussian_mixture import GaussianMixture

DRAWS = 100_000


@pytest.mark.parametrize(
    ("breaking", "log_z", "weights"),
    [
        (0.0, 3.91732, [0.125] * 8),
        (
            0.05,
            4.09231,
            [0.0577, 0.0450, 0.0577, 0.1052, 0.1917, 0.2458, 0.1917, 0.1052],
        ),
    ],
)
def test_mixture_agrees_with_quadrature_and_quoted_values(breaking, log_z, weights):
    target = GaussianMixture(breaking=breaking, dtype="float64").build()
    numerical, masses, density, nodes = quadrature(target, 20.0, 400)
    np.testing.assert_allclose(target.exact.log_z, numerical, atol=F64)
    np.testing.assert_allclose(target.exact.log_z, log_z, atol=QUOTED)
    np.testing.assert_allclose(target.exact.sectors, weights, atol=6e-5)
    # A mode leaks 2e-6 of its mass into each neighbouring sector.
    np.testing.assert_allclose(target.exact.sectors, masses, atol=2e-5)
    means = [target.exact.observables[f"mean_x{i}"] for i in (1, 2)]
    np.testing.assert_allclose(means, density @ nodes, atol=F64)


def wedge_by_columns(mean, modes):
    """Return the mass of a unit Gaussian at angles within pi / modes of the first axis.

    An integral over x_1 > 0 of what the wedge cuts from each column.
    """
    if modes == 2:
        return ndtr(mean[0])
    start, end = max(0.0, mean[0] - 12), max(0.0, mean[0] + 12)
    offsets, weights = nodes_and_weights((end - start) / 2, panels=200)
    x = (start + end) / 2 + offsets
    height = np.tan(np.pi / modes) * x
    columns = ndtr(height - mean[1]) - ndtr(-height - mean[1])
    density = np.exp(-((x - mean[0]) ** 2) / 2) / np.sqrt(2 * np.pi)
    return (weights * density) @ columns


@pytest.mark.parametrize(
    ("modes", "radius", "breaking"),
    [
        (2, 12.0, 0.0),
        (3, 30.0, 0.02),
        (8, 12.0, 0.05),
        *((modes, 0.1, -0.7) for modes in (2, 3, 5)),
        *((modes, radius, 0.13) for modes in (2, 4, 7, 12) for radius in (3.0, 41.0)),
        (2, 200.0, 0.001),
        (12, 200.0, -0.02),
        (3, 1e4, 0.0),
    ],
)
def test_sectors_are_those_of_columns_for_any_modes_radius_and_tilt(
    modes, radius, breaking
):
    exact = GaussianMixture(modes, radius, breaking, dtype="float64").build().exact
    angles = 2 * np.pi * np.arange(modes) / modes
    centres = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    log_masses = -breaking * centres.sum(axis=1)
    weights = np.exp(log_masses - np.logaddexp.reduce(log_masses))
    means = centres - breaking
    expected = []
    for angle in angles:
        cos, sin = np.cos(angle), np.sin(angle)
        turned = means @ np.array([[cos, -sin], [sin, cos]])
        masses = [wedge_by_columns(mean, modes) for mean in turned]
        expected.append(weights @ masses)
    np.testing.assert_allclose(exact.sectors, expected, atol=1e-12)
    assert abs(exact.sectors.sum() - 1) < 1e-12


def test_mixture_samples_follow_the_tilted_modes(key):
    """The tilt shifts every mode by -breaking (1, 1) besides changing its weight."""
    target = GaussianMixture(breaking=0.05, dtype="float64").build()
    x = target.sample(key, DRAWS)
    sector = jax.jit(jax.vmap(target.symmetry.sector))(x)
    assert_counts(np.bincount(sector, minlength=8), target.exact.sectors)
    _, _, density, nodes = quadrature(target, 20.0, 400)
    assert_mean(x, density @ nodes)
    assert_mean(x**2, density @ nodes**2)
    first = np.asarray(x)[np.asarray(sector) == 0]
    assert_mean(first, [12 - 0.05, -0.05])
    assert_mean((first - [11.95, -0.05]) ** 2, 1.0)


def test_mixture_without_tilt_has_unit_modes_on_the_circle():
    target = GaussianMixture(modes=5, radius=7.0, dtype="float64").build()
    angles = 2 * np.pi * np.arange(5) / 5
    centres = 7 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    x = np.array([6.5, 1.2])
    expected = -np.log(np.sum(np.exp(-np.sum((x - centres) ** 2, axis=1) / 2)))
    np.testing.assert_allclose(target.action(jnp.asarray(x)), expected, rtol=F64)
    np.testing.assert_allclose(target.exact.log_z, np.log(2 * np.pi * 5), rtol=F64)

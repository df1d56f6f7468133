"""Quadrature against closed forms that it shares no code with."""

from math import erf

import jax.numpy as jnp
import numpy as np
import pytest
from tolerances import F64

from sesamo_jax.core import Target
from sesamo_jax.reference.quadrature import nodes_and_weights, quadrature
from sesamo_jax.symmetries import Z2, sign_flips
from sesamo_jax.targets import build_target

MEAN, SIGMA = np.array([0.7, -1.9]), np.array([0.8, 2.3])


def normal_cdf(x):
    return (1 + np.vectorize(erf)(x / np.sqrt(2))) / 2


def gaussian(symmetry=None, shape=(2,)):
    """An off-centre Gaussian of two widths, lifted by a constant."""

    def action(x):
        return jnp.sum(((x.ravel() - MEAN) / SIGMA) ** 2) / 2 - 5.0

    return Target(
        "gaussian",
        shape,
        action,
        symmetry=symmetry,
        dtype=jnp.float64,
        observables={
            "x1": lambda x: x.ravel()[0],
            "x2": lambda x: x.ravel()[1],
            "square2": lambda x: x.ravel()[1] ** 2,
        },
    )


@pytest.mark.parametrize("shape", [(2,), (1, 2), (2, 1)])
def test_gaussian_product(shape):
    result = quadrature(gaussian(shape=shape), half_width=25.0)
    log_z = np.log(2 * np.pi * SIGMA.prod()) + 5
    assert result.log_z == pytest.approx(log_z, abs=F64)
    assert result.sectors is None
    expected = {"x1": MEAN[0], "x2": MEAN[1], "square2": MEAN[1] ** 2 + SIGMA[1] ** 2}
    assert result.observables == pytest.approx(expected, abs=F64)


def test_sectors_whose_borders_are_panel_borders_are_exact():
    symmetry = sign_flips((2,), [[0], [1]])
    result = quadrature(gaussian(symmetry), half_width=25.0)
    plus = normal_cdf(MEAN / SIGMA)
    minus = 1 - plus
    expected = {
        (1, 1): plus[0] * plus[1],
        (1, -1): plus[0] * minus[1],
        (-1, 1): minus[0] * plus[1],
        (-1, -1): minus[0] * minus[1],
    }
    for signs, probability in expected.items():
        sector = int(symmetry.sector(jnp.array(signs, jnp.float64)))
        assert result.sectors[sector] == pytest.approx(probability, abs=F64)


def test_sectors_with_a_diagonal_border_miss_at_most_one_row_of_nodes():
    result = quadrature(gaussian(Z2((2,))), half_width=25.0, panels=100)
    scale = np.hypot(*SIGMA)
    z = MEAN.sum() / scale
    row = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) / scale
    row *= np.diff(nodes_and_weights(25.0, panels=100)[0]).max()
    assert row < 0.01
    expected = normal_cdf(z)
    np.testing.assert_allclose(result.sectors, [expected, 1 - expected], atol=row)
    assert result.sectors.sum() == pytest.approx(1)


def test_tilted_gaussian_mixture():
    target = build_target("gmm_broken", dtype="float64", breaking=0.3)
    result = quadrature(target, half_width=21.0, panels=100)
    assert result.log_z == pytest.approx(target.exact.log_z, abs=F64)
    assert result.observables == pytest.approx(dict(target.exact.observables), abs=F64)
    # The modes are masses, the sectors cut off tails four standard deviations away.
    np.testing.assert_allclose(result.sectors, target.exact.sectors, atol=1e-4)
    assert result.sectors.max() > 3 * result.sectors.min()


@pytest.mark.slow
@pytest.mark.parametrize("fields", [{}, {"u": 4.0, "beta": 2.0, "kappa": 0.6}])
def test_hubbard_on_two_sites(fields):
    target = build_target("hubbard", **fields)
    result = quadrature(target, half_width=60.0, panels=60)
    assert result.log_z == pytest.approx(target.exact.log_z, abs=F64)
    np.testing.assert_allclose(result.sectors, target.exact.sectors, atol=F64)
    assert result.observables == pytest.approx(dict(target.exact.observables), abs=F64)


def test_three_components_are_refused():
    target = Target("cube", (3,), lambda x: jnp.sum(x**2), dtype=jnp.float64)
    with pytest.raises(ValueError, match=r"two components.*'cube'.*\(3,\)"):
        quadrature(target, half_width=5.0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"half_width": 13.0}, r"half_width=13.0 leaves .* 'gmm' .*: raise it"),
        ({"half_width": 400.0}, r"panels=40 .* do not resolve 'gmm'.* Raise panels"),
    ],
)
def test_squares_that_lose_mass_or_resolution_are_refused(fields, message):
    target = build_target("gmm", dtype="float64", modes=3, radius=11.0)
    with pytest.raises(ValueError, match=message):
        quadrature(target, **fields)


def test_nodes_integrate_polynomials_and_keep_off_the_middle():
    nodes, weights = nodes_and_weights(3.0, panels=4, order=5)
    assert weights.sum() == pytest.approx(6.0)
    # Degree 9 is exact with 5 points; an odd function cancels.
    assert weights @ nodes**8 == pytest.approx(2 * 3.0**9 / 9)
    assert weights @ nodes**9 == pytest.approx(0, abs=1e-9)
    assert np.abs(nodes).min() > 0.01

"""The Hubbard model against quadrature, closed forms and quoted values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_counts, assert_mean, quadrature, run_program
from tolerances import F64, QUOTED

from sesamo_jax.targets.hubbard.fermion_matrix import fermion_matrix
from sesamo_jax.targets.hubbard.target import Hubbard

DRAWS = 100_000


def hopping_exponential(sites, ring, b):
    """Return e^h from a Taylor series, b times the nearest-neighbour matrix."""
    h = np.zeros((sites, sites))
    for i in range(sites if ring else sites - 1):
        h[i, (i + 1) % sites] = h[(i + 1) % sites, i] = b
    term, total = np.eye(sites), np.eye(sites)
    for order in range(1, 60):
        term = term @ h / order
        total = total + term
    return total


@pytest.mark.parametrize(("u", "beta", "kappa"), [(18.0, 1.0, 1.0), (3.0, 0.7, 1.6)])
def test_two_site_action_has_the_corrected_closed_form(u, beta, kappa, rng):
    """det M[x] det M[-x] = 4 h^2, h = cosh (x1 + x2)/2 + cosh(b) cosh (x1 - x2)/2.

    Here b = kappa beta / N_t: eqs. 51 and 52 with beta in place of kappa, and with
    the Gaussian of eq. 49, exp(-x^2 / (2 U beta)), twice as wide as printed.
    """
    target = Hubbard(u=u, beta=beta, kappa=kappa).build()
    x = rng.normal(0, 5, (50, 1, 2))
    plus, minus = x.sum(axis=(1, 2)) / 2, (x[:, 0, 0] - x[:, 0, 1]) / 2
    h = np.cosh(plus) + np.cosh(kappa * beta) * np.cosh(minus)
    expected = np.sum(x**2, axis=(1, 2)) / (2 * u * beta) - np.log(4 * h**2)
    np.testing.assert_allclose(jax.vmap(target.action)(x), expected, rtol=F64)


@pytest.mark.parametrize("lattice", ["chain", "ring"])
@pytest.mark.parametrize("time_slices", [1, 2, 3])
def test_space_time_determinant_is_that_of_the_product_of_slices(
    lattice, time_slices, rng
):
    """det M[x] = det(1 + B_Nt ... B_1), B_t = e^h e^{x_t}: antiperiodic in time."""
    config = Hubbard(
        u=2.0,
        beta=1.3,
        kappa=0.8,
        lattice=lattice,
        extents=(4,),
        time_slices=time_slices,
    )
    hop = hopping_exponential(4, lattice == "ring", 0.8 * 1.3 / time_slices)
    x = rng.normal(0, 1.5, (time_slices, 4))

    def log_det(x):
        ordered = np.eye(4)
        for field in x:
            ordered = hop @ np.diag(np.exp(field)) @ ordered
        sign, value = np.linalg.slogdet(np.eye(4) + ordered)
        assert sign == 1
        return value

    scaled, log_scale = fermion_matrix(jnp.asarray(x), hop)
    sign, value = np.linalg.slogdet(scaled)
    assert sign == 1
    np.testing.assert_allclose(value + log_scale, log_det(x), rtol=F64)
    gaussian = np.sum(x**2) / (2 * 2.0 * 1.3 / time_slices)
    action = config.build().action(jnp.asarray(x))
    np.testing.assert_allclose(action, gaussian - log_det(x) - log_det(-x), rtol=F64)


@pytest.mark.parametrize(
    ("beta", "log_z", "ratio"),
    [(1.0, 24.63982, -0.4084), (2.0, 44.83282, -0.8680), (4.0, 85.42341, -0.9973)],
)
def test_two_sites_agree_with_quadrature_and_quoted_values(beta, log_z, ratio):
    target = Hubbard(beta=beta).build()
    exact, limit = target.exact, 18 * beta + 9 * np.sqrt(18 * beta)
    numerical, masses, density, nodes = quadrature(target, limit, 400)
    np.testing.assert_allclose(exact.log_z, numerical, rtol=F64)
    np.testing.assert_allclose(exact.log_z, log_z, atol=QUOTED)
    # Sector borders cut through the density, so this sum converges slowly.
    np.testing.assert_allclose(exact.sectors, masses, atol=1e-4)
    np.testing.assert_allclose(exact.observables["breaking_ratio"], ratio, atol=6e-5)
    signed = density @ np.sign(nodes).prod(axis=1)
    np.testing.assert_allclose(signed, ratio, atol=3e-4)
    assert ratio < 0
    if beta == 1:
        np.testing.assert_allclose(density @ np.abs(nodes), 17.997, atol=6e-3)


@pytest.mark.parametrize("lattice", ["chain", "ring"])
def test_three_sites_agree_with_quadrature(lattice):
    target = Hubbard(u=1.5, beta=0.8, lattice=lattice, extents=(3,)).build()
    log_z, masses, _, _ = quadrature(target, 9.0, 64)
    np.testing.assert_allclose(target.exact.log_z, log_z, rtol=F64)
    np.testing.assert_allclose(target.exact.sectors, masses, atol=2e-3)
    assert np.ptp(target.exact.sectors) > 0.02


def test_chain_and_ring_of_three_sites_differ():
    chain, ring = (
        Hubbard(lattice=name, extents=(3,)).build() for name in ("chain", "ring")
    )
    assert abs(chain.exact.log_z - ring.exact.log_z) > 1e-3


@pytest.mark.parametrize(
    ("sites", "lattice"), [(2, "chain"), (3, "chain"), (3, "ring")]
)
def test_hubbard_samples_follow_the_expansion(sites, lattice, key):
    target = Hubbard(u=4.0, lattice=lattice, extents=(sites,)).build()
    x = target.sample(key, DRAWS)
    sector = jax.jit(jax.vmap(target.symmetry.sector))(x)
    assert_counts(np.bincount(sector, minlength=2**sites), target.exact.sectors)
    assert_mean(x, 0.0)
    # The virial theorem, sum_i <x_i df/dx_i> = number of components, needs f alone.
    few = x[:2000]
    virial = few * jax.jit(jax.vmap(jax.grad(target.action)))(few)
    assert_mean(virial.sum(axis=(1, 2)), sites)
    if sites == 2:
        ratio = jax.vmap(target.measure)(x)["breaking_ratio"]
        assert_mean(ratio, target.exact.observables["breaking_ratio"])


def test_hubbard_gradients_of_large_batches_return():
    """They must not take batched LAPACK calls, which can wait for each other."""
    program = (
        "from sesamo_jax.targets import build_target\n"
        "target = build_target('hubbard', u=4.0, extents=(4,))\n"
        "gradients = jax.jit(jax.vmap(jax.grad(target.action)))\n"
        "x = jax.random.normal(jax.random.key(0), (20_000, 1, 4))\n"
        "for _ in range(30): gradients(x).block_until_ready()\n"
    )
    run_program(program, timeout=30)


@pytest.mark.parametrize("time_slices", [1, 2])
@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, -1)])
def test_hubbard_stays_finite_far_from_the_modes(time_slices, signs):
    target = Hubbard(time_slices=time_slices).build()
    x = 2000 * jnp.tile(jnp.array(signs, float), (time_slices, 1))
    value, gradient = jax.value_and_grad(target.action)(x)
    u_tilde = 18 / time_slices
    # Each determinant pair grows as e^{|x_t1| + |x_t2|} out there, up to constants.
    linear = np.sum(np.abs(x))
    np.testing.assert_allclose(value, np.sum(x**2) / (2 * u_tilde) - linear, rtol=1e-3)
    np.testing.assert_allclose(gradient, x / u_tilde - np.sign(x), atol=1e-3)


@pytest.mark.parametrize("time_slices", [1, 2, 3])
def test_hubbard_determinants_never_cancel_on_an_accepted_lattice(time_slices):
    """exp(-f) is a density only if det M[x] det M[-x] > 0 wherever f is defined.

    On an odd ring, which is not bipartite, three slices are enough for a field whose
    hole goes once around the triangle and makes one of the two determinants negative.
    """
    try:
        Hubbard(
            u=1.0, beta=3.0, lattice="ring", extents=(3,), time_slices=time_slices
        ).build()
    except ValueError:
        return
    hop = hopping_exponential(3, True, 3.0 / time_slices)
    x = jnp.asarray(np.full((3, 3), 5.0) - 20 * np.eye(3))[:time_slices]
    signs = [np.linalg.slogdet(fermion_matrix(field, hop)[0])[0] for field in (x, -x)]
    assert np.prod(signs) == 1


@pytest.mark.parametrize("shape", [(1, 2), (9, 2)])
def test_float32_fields_are_refused_by_the_determinant(shape):
    """By the matrix on space-time, and by the chain."""
    target = Hubbard(time_slices=shape[0]).build()
    with pytest.raises(TypeError, match="needs a float64 field, got float32.*x64"):
        target.action(jnp.zeros(shape, jnp.float32))


@pytest.mark.parametrize("time_slices", [1, 2])
def test_hubbard_action_keeps_the_global_flip_and_breaks_every_site_flip(
    time_slices, rng
):
    target = Hubbard(u=3.0, extents=(3,), time_slices=time_slices).build()
    x = jnp.asarray(rng.normal(0, 2, target.event_shape))
    action = jax.jit(target.action)
    before = action(x)
    np.testing.assert_allclose(action(-x), before, rtol=F64)
    for site in range(3):
        assert abs(action(x.at[:, site].multiply(-1)) - before) > 0.01

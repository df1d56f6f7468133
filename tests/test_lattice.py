"""Real phi^4, the spectral base, checkerboard couplings, HMC and its errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import random_params

from sesamo_jax import Target
from sesamo_jax.bases.spectral import nearest_spectral_gaussian
from sesamo_jax.config import HMCConfig
from sesamo_jax.estimators.autocorrelation import gamma_method
from sesamo_jax.estimators.weighted import derived
from sesamo_jax.flows import CheckerboardConfig
from sesamo_jax.reference.hmc import run_hmc
from sesamo_jax.targets import build_target
from sesamo_jax.targets.phi4.real import Phi4Real
from sesamo_jax.targets.phi4.theory import hopping_from_mass


def explicit_phi4(x, kappa, lam, alpha):
    """The action of eq. 53 as a loop over sites and directions."""
    total = 0.0
    for site in np.ndindex(x.shape):
        for axis in range(x.ndim):
            ahead = list(site)
            ahead[axis] = (ahead[axis] + 1) % x.shape[axis]
            total -= 2 * kappa * x[site] * x[tuple(ahead)]
        total += (1 - 2 * lam) * x[site] ** 2 + lam * x[site] ** 4 + alpha * x[site]
    return total


@pytest.mark.parametrize("shape", [(4, 6), (3, 4, 2), (5,)])
def test_real_action_site_by_site(shape):
    x = np.random.default_rng(0).normal(size=shape)
    target = Phi4Real(shape, kappa=0.31, lam=0.4, alpha=0.07, dtype="float64").build()
    expected = explicit_phi4(x, 0.31, 0.4, 0.07)
    assert float(target.action(jnp.asarray(x))) == pytest.approx(expected, rel=1e-12)


def test_mass_convention_is_the_same_theory():
    x = np.random.default_rng(1).normal(size=(4, 4))
    mass = Phi4Real((4, 4), mass2=-3.1, lam=5.2, dtype="float64").build()
    kappa, lam = hopping_from_mass(-3.1, 5.2, dimensions=2)
    hopping = Phi4Real((4, 4), kappa=kappa, lam=lam, dtype="float64").build()
    phi = jnp.sqrt(kappa) * x
    assert float(mass.action(phi)) == pytest.approx(float(hopping.action(x)), rel=1e-12)
    # the critical point of the literature sits at 1 - 2 lambda = 0
    assert hopping_from_mass(-4.0, 6.008, 2)[1] == pytest.approx(0.5)


def test_real_action_has_the_lattice_symmetries_and_breaks_the_flip():
    x = jax.random.normal(jax.random.key(0), (4, 4), jnp.float64)
    target = Phi4Real((4, 4), alpha=0.2, dtype="float64").build()
    f = float(target.action(x))
    for image in (jnp.roll(x, 1, 0), jnp.roll(x, 2, 1), x[::-1], x[:, ::-1], x.T):
        assert float(target.action(image)) == pytest.approx(f, rel=1e-12)
    assert float(target.action(-x)) == pytest.approx(f - 0.4 * float(x.sum()), rel=1e-9)


@pytest.mark.parametrize(
    ("fields", "phrase"),
    [
        ({"shape": (8, 1)}, "at least 2 in every entry"),
        ({"lam": -0.1}, "lam=-0.1 must be at least 0"),
        ({"lam": 0.0, "kappa": 0.3}, "lower bound"),
    ],
)
def test_bad_lattices_and_couplings(fields, phrase):
    with pytest.raises(ValueError, match=phrase):
        build_target("phi4_real", **fields)


def test_spectral_base_of_a_free_field_is_exact(key):
    """The harmonic start of a Gaussian theory is the theory: no variance in w."""
    shape, hopping = (4, 6), 0.15

    def action(x):
        neighbours = jnp.roll(x, -1, 0) + 0.5 * jnp.roll(x, -1, 1)
        return jnp.sum(x**2) - 2 * hopping * jnp.sum(x * neighbours)

    k0, k1 = np.meshgrid(*[2 * np.pi * np.arange(n) / n for n in shape], indexing="ij")
    eigenvalues = 1 - 2 * hopping * (np.cos(k0) + 0.5 * np.cos(k1))
    log_z = np.sum(np.log(np.pi / eigenvalues)) / 2
    base = nearest_spectral_gaussian(
        Target("free", shape, action, dtype=jnp.float64), None
    )
    noise = jax.random.normal(key, (20, *shape), jnp.float64)
    params = base.init(key, noise[0], method="from_noise")
    z, log_q = jax.vmap(lambda n: base.apply(params, n, method="from_noise"))(noise)
    np.testing.assert_allclose(-jax.vmap(action)(z) - log_q, log_z, atol=1e-10)
    again = jax.vmap(lambda v: base.apply(params, v, method="log_prob"))(z)
    np.testing.assert_allclose(again, log_q, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(4, 6), (2, 4, 2)])
def test_checkerboard_starts_as_the_identity_and_keeps_translations(key, shape):
    flow = CheckerboardConfig(couplings=3, channels=4).build(shape, jnp.float64)
    x = jax.random.normal(key, shape, jnp.float64)
    start = flow.init(key, x, method="forward_and_log_det")
    identity, nothing = flow.apply(start, x, method="forward_and_log_det")
    np.testing.assert_array_equal(identity, x)
    assert float(nothing) == 0
    params = random_params(lambda: start, np.random.default_rng(0), gain=0.7)
    y, _ = flow.apply(params, x, method="forward_and_log_det")
    assert np.max(np.abs(y - x)) > 0.1
    # shifts by two sites map the checkerboard to itself
    moved = flow.apply(params, jnp.roll(x, 2, 1), method="forward_and_log_det")[0]
    np.testing.assert_allclose(moved, jnp.roll(y, 2, 1), atol=1e-12)


def test_checkerboard_needs_even_extents():
    with pytest.raises(ValueError, match="even extents"):
        CheckerboardConfig().build((4, 5), jnp.float32)


def test_hmc_samples_a_skewed_well_like_quadrature(key):
    def action(x):
        return jnp.sum(0.3 * x**4 - 0.5 * x**2 + 0.4 * x) + 0.2 * x[0] * x[1]

    target = Target(
        "skewed", (2,), action, dtype=jnp.float64,
        observables={"x0": lambda x: x[0], "x0x1": lambda x: x[0] * x[1]},
    )  # fmt: skip
    chains = run_hmc(target, HMCConfig(chains=8, warmup=200, samples=1500), key)
    axis = np.linspace(-5, 5, 801)
    a, b = np.meshgrid(axis, axis, indexing="ij")
    f = 0.3 * (a**4 + b**4) - 0.5 * (a**2 + b**2) + 0.4 * (a + b) + 0.2 * a * b
    p = np.exp(-f) / np.exp(-f).sum()
    assert 0.6 < chains.acceptance < 0.99
    for name, exact in (("x0", (p * a).sum()), ("x0x1", (p * a * b).sum())):
        estimate = gamma_method(chains.observables[name])
        assert abs(estimate.mean - exact) < 5 * estimate.error
        assert estimate.error < 0.05


def test_derived_error_counts_correlations():
    """The variance of two correlated means' difference, known exactly."""
    rng = np.random.default_rng(2)
    common = rng.normal(size=20_000)
    values = {"a": common + 0.1 * rng.normal(size=20_000), "b": common}
    estimate = derived(lambda m: m["a"] - m["b"], values, np.zeros(20_000))
    assert estimate.error == pytest.approx(0.1 / np.sqrt(20_000), rel=0.03)
    assert abs(estimate.mean) < 5 * estimate.error

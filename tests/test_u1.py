"""U(1): the slice, its volume factor, couplings and base."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_mean, random_params
from scipy.stats import ncx2

from sesamo_jax import Config, Target, build_model
from sesamo_jax.bases.slice import radial_log_prob
from sesamo_jax.config import BaseConfig, HMCConfig
from sesamo_jax.estimators.autocorrelation import gamma_method
from sesamo_jax.estimators.weighted import reweighted
from sesamo_jax.flows import CheckerboardConfig, RealNVPConfig, SliceCouplingConfig
from sesamo_jax.reference.hmc import run_hmc
from sesamo_jax.symmetries import U1
from sesamo_jax.targets import build_target

LATTICE = (2, 4)
SITES = 8


def slice_basis():
    """Return orthonormal vectors that span the slice of LATTICE, (2 N, 2 N - 1)."""
    out = np.zeros((SITES, 2))
    out[:, 1] = SITES**-0.5
    return np.linalg.svd(np.eye(2 * SITES) - np.outer(out, out))[0][:, :-1]


def on_slice(key):
    """Return a field on the slice with m > 0."""
    y = jax.random.normal(key, (*LATTICE, 2)) + jnp.array([1.5, 0.0])
    return y - jnp.array([0.0, 1.0]) * jnp.mean(y, axis=(0, 1))


def test_angle_and_slice_are_coordinates_with_volume_m(key):
    symmetry, basis = U1(), slice_basis()
    y = on_slice(key)

    def embed(v):
        return symmetry.act(v[0], (basis @ v[1:]).reshape(*LATTICE, 2))[0].ravel()

    coordinates = jnp.concatenate([jnp.array([0.7]), basis.T @ y.ravel()])
    expected = jnp.linalg.slogdet(jax.jacfwd(embed)(coordinates))[1]
    assert symmetry.act(0.7, y)[1] == pytest.approx(float(expected), abs=1e-10)
    x = symmetry.act(0.7, y)[0]
    assert float(symmetry.sector(x)) == pytest.approx(0.7)
    np.testing.assert_allclose(symmetry.undo(0.7, x), y, atol=1e-12)
    assert symmetry.margins(y) < 0


def test_slice_coupling_keeps_the_zero_mode(key):
    flow = SliceCouplingConfig(couplings=3, channels=4).build(
        (*LATTICE, 2), jnp.float64
    )
    y = on_slice(key)
    rng = np.random.default_rng(0)
    params = random_params(
        lambda: flow.init(key, y, method="forward_and_log_det"), rng, gain=0.7
    )
    out, _ = flow.apply(params, y, method="forward_and_log_det")
    assert float(jnp.max(jnp.abs(out - y))) > 0.1
    np.testing.assert_allclose(out.mean((0, 1)), y.mean((0, 1)), atol=1e-12)


@pytest.mark.parametrize("centre", [0.0, 0.4, 8.0])
@pytest.mark.parametrize("components", [2, 3, 4])
def test_radial_density_is_that_of_a_norm(components, centre):
    """(m / sigma)^2 has a noncentral chi-square distribution."""
    m, sigma = np.geomspace(1e-3, 30, 200), 1.3
    log_p = radial_log_prob(jnp.asarray(m), centre, jnp.log(sigma), components)
    squared = ncx2(components, (centre / sigma) ** 2)
    known = squared.logpdf((m / sigma) ** 2) + np.log(2 * m / sigma**2)
    here = np.isfinite(known)
    assert here.mean() > 0.5
    np.testing.assert_allclose(log_p[here], known[here], rtol=1e-6, atol=1e-6)


def free_complex_field(mass, hopping):
    """Return a Gaussian complex theory, its exact log Z and <|x|^2> per site."""

    def action(x):
        neighbours = sum(jnp.roll(x, -1, axis) for axis in (0, 1))
        return mass * jnp.sum(x**2) - 2 * hopping * jnp.sum(x * neighbours)

    momenta = np.meshgrid(
        *[2 * np.pi * np.arange(n) / n for n in LATTICE], indexing="ij"
    )
    eigenvalues = mass - 2 * hopping * sum(np.cos(k) for k in momenta)
    target = Target(
        "free", (*LATTICE, 2), action, symmetry=U1(), dtype=jnp.float64,
        observables={"phi2": lambda x: jnp.sum(x**2) / SITES},
    )  # fmt: skip
    return target, np.sum(np.log(np.pi / eigenvalues)), np.mean(1 / eigenvalues)


@pytest.mark.slow
@pytest.mark.parametrize("law", ["exact", "heat_bath"])
def test_density_on_the_whole_space_gives_the_free_partition_function(key, law):
    """In the symmetric phase, where m reaches 0 and any slip in the Jacobian shows."""
    target, log_z, phi2 = free_complex_field(mass=1.0, hopping=0.2)
    config = Config(
        modulation=law,
        base=BaseConfig(kind="slice"),
        flow=SliceCouplingConfig(couplings=2, channels=4),
    )
    model = build_model(target, config)
    rng = np.random.default_rng(1)
    params = model.init(key)
    params["flow"]["params"]["bijection"] = random_params(
        lambda: params["flow"]["params"]["bijection"], rng, gain=0.2
    )
    samples = jax.jit(model.sample, static_argnums=2)(params, key, 40_000)
    log_w = -jax.vmap(target.action)(samples.x) - samples.log_q
    w = np.exp(log_w - log_z)
    assert_mean(w, 1.0)
    assert_mean(w * (jnp.sum(samples.x**2, axis=(1, 2, 3)) / SITES - phi2), 0.0)
    again = jax.jit(model.log_prob)(params, samples.x[:100])
    np.testing.assert_allclose(again, samples.log_q[:100], atol=1e-8)


@pytest.mark.slow  # compiles much
def test_the_untrained_free_base_is_exact(key):
    """Harmonic start: for a Gaussian theory the slice base is the theory itself."""
    target, log_z, _ = free_complex_field(mass=1.0, hopping=0.2)
    config = Config(
        modulation="exact",
        base=BaseConfig(kind="slice"),
        flow=SliceCouplingConfig(couplings=2, channels=4),
    )
    model = build_model(target, config)
    samples = model.sample(model.init(key), key, 50)
    log_w = -jax.vmap(target.action)(samples.x) - samples.log_q
    np.testing.assert_allclose(log_w, log_z, atol=1e-6)


def test_complex_actions_break_the_symmetry_as_documented(key):
    x = jax.random.normal(key, (8, 8, 2), jnp.float32)
    angle = 0.9
    rotated = U1().act(angle, x)[0]
    for name, breaking in (("phi4_complex", "re"), ("phi4_complex_broken", "re")):
        target = build_target(name, breaking=breaking)
        change = float(target.action(rotated) - target.action(x))
        alpha = 0.0 if name == "phi4_complex" else 0.005
        field = float(jnp.sum(rotated[..., 0] - x[..., 0]))
        assert change == pytest.approx(alpha * field, abs=2e-3)
        assert target.symmetry.broken == (alpha != 0)
    both = build_target("phi4_complex", alpha=1.0, breaking="re_plus_im")
    plain = build_target("phi4_complex")
    assert float(both.action(x) - plain.action(x)) == pytest.approx(
        float(jnp.sum(x)), abs=2e-3
    )


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"method": "canonicalization"}, "finite groups"),
        ({"density": "orbit"}, "use 'cell'"),
        ({"density": "strict"}, "use 'cell'"),
    ],
)
def test_what_needs_a_finite_group_is_refused(changes, phrase):
    config = Config(
        base=BaseConfig(kind="slice"), flow=SliceCouplingConfig(), **changes
    )
    with pytest.raises(ValueError, match=phrase):
        build_model(build_target("phi4_complex"), config)


@pytest.mark.parametrize(
    ("target", "changes", "phrase"),
    [
        ("phi4_complex", {"base": BaseConfig()}, "base.kind='gaussian' leaves"),
        ("phi4_complex", {"flow": RealNVPConfig()}, "flow RealNVPConfig leaves"),
        (
            "phi4_complex",
            {"method": "realnvp", "flow": RealNVPConfig()},
            "of a continuous group only",
        ),
        ("phi4_complex", {"method": "realnvp", "base": BaseConfig()}, "has none"),
        ("phi4_real", {"base": BaseConfig(), "sites": "all"}, "has none"),
        ("gmm", {}, "to itself, and method 'sesamo' on 'gmm' has none"),
        ("gmm", {"flow": RealNVPConfig()}, "of a continuous group only"),
    ],
)
def test_what_leaves_the_slice_is_refused(target, changes, phrase):
    """There y would count more dimensions than it has, and no weight would show it."""
    config = Config(base=BaseConfig(kind="slice"), flow=SliceCouplingConfig())
    with pytest.raises(ValueError, match=phrase):
        build_model(build_target(target), replace(config, **changes))


THEORY = {"shape": (4, 2), "kappa": 0.22, "lam": 0.022, "dtype": "float64"}
COMPARED = ("abs_magnetization", "action_density")


@pytest.fixture(scope="module")
def chains():
    """Return HMC's estimates of the theory on all of C^N."""
    config = HMCConfig(chains=16, warmup=200, samples=600, leapfrog_steps=8)
    drawn = run_hmc(build_target("phi4_complex", **THEORY), config, jax.random.key(3))
    return {name: gamma_method(drawn.observables[name]) for name in COMPARED}


@pytest.mark.slow  # chains beside reweighted samples; densities are checked above
@pytest.mark.parametrize("space", ["full", "aligned"])
def test_full_is_the_theory_that_hmc_samples_and_aligned_is_another(space, chains, key):
    """By the weights of untrained models, which are exact on their own space."""
    target = build_target("phi4_complex", space=space, **THEORY)
    full = space == "full"
    config = Config(
        modulation="exact",
        base=BaseConfig(kind="slice" if full else "spectral"),
        flow=SliceCouplingConfig(couplings=1, channels=2)
        if full
        else CheckerboardConfig(couplings=1, channels=2),
    )
    model = build_model(target, config)
    samples = jax.jit(model.sample, static_argnums=2)(model.init(key), key, 40_000)
    log_w = np.asarray(-jax.vmap(target.action)(samples.x) - samples.log_q)
    for name in COMPARED:
        values = np.asarray(jax.vmap(target.observables[name])(samples.x))
        found = reweighted(values, log_w)
        error = np.hypot(found.error, chains[name].error)
        assert error < 0.02
        assert (abs(found.mean - chains[name].mean) < 4 * error) == full
        assert full or abs(found.mean - chains[name].mean) > 10 * error

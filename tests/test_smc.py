"""Tempered sequential Monte Carlo: log Z, observables, and their errors."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_mean
from tolerances import SIGMAS

from sesamo_jax import Config, Target, build_target
from sesamo_jax.config import HMCConfig, SMCConfig, complete, resolve
from sesamo_jax.core import Derived
from sesamo_jax.reference.hmc import run_hmc
from sesamo_jax.reference.report import chain_report, population_report
from sesamo_jax.reference.smc import Populations, run_smc
from sesamo_jax.run.execute import execute
from sesamo_jax.run.report.printed import format_report
from sesamo_jax.symmetries import Z2

# Few, for the seconds. With ten populations, 5 sigma is one case in 1500.
SMALL = SMCConfig(populations=10, particles=500, leapfrog_steps=5)


def check_log_z(target, config, key, exact):
    """Run, and compare log Z with its exact value; return run and report."""
    populations = run_smc(target, config, key)
    out = population_report(populations, target)
    assert 0 < out["log_z_error"] < 0.1
    assert abs(out["log_z"] - exact) < SIGMAS * out["log_z_error"]
    return populations, out


@pytest.mark.slow
def test_log_z_of_a_free_field(key):
    """A Gaussian lattice theory has log Z = sum_k log(pi / eigenvalue_k) / 2.

    Particles that start from the nearest Gaussian field are at their end at once.
    """
    shape, kappa = (4, 4), 0.2
    target = build_target("phi4_real", shape=shape, kappa=kappa, lam=0.0)
    k0, k1 = np.meshgrid(*[2 * np.pi * np.arange(n) / n for n in shape])
    eigenvalues = 1 - 2 * kappa * (np.cos(k0) + np.cos(k1))
    exact = np.sum(np.log(np.pi / eigenvalues)) / 2
    at_once = population_report(run_smc(target, SMALL, key), target)
    assert at_once["log_z"] == pytest.approx(exact, abs=1e-4)
    assert at_once["temperatures"] == 1
    _, out = check_log_z(target, replace(SMALL, variance=3.0), key, exact)
    phi2 = out["observables"]["phi2"]
    assert abs(phi2["mean"] - np.mean(1 / eigenvalues) / 2) < SIGMAS * phi2["error"]
    density = out["observables"]["action_density"]
    assert abs(density["mean"] - 0.5) < SIGMAS * density["error"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("gmm", {"modes": 4, "radius": 5.0}),
        (
            "gmm_broken",
            {"modes": 4, "radius": 5.0, "breaking": 0.1, "dtype": "float64"},
        ),
        ("hubbard", {"u": 12.0}),
    ],
)
def test_log_z_and_sectors_of_separated_modes(name, fields, key):
    target = build_target(name, **fields)
    populations, out = check_log_z(target, SMALL, key, target.exact.log_z)
    assert populations.x.dtype == target.dtype
    assert populations.log_z.dtype == np.float64
    errors = np.array(out["sectors_error"])
    deviation = np.abs(np.array(out["sectors"]) - target.exact.sectors)
    assert np.all(deviation < SIGMAS * errors)
    assert errors.max() < 0.05
    assert out["sectors_expected"] == pytest.approx(target.exact.sectors)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gmm_broken", "phi4_real"])
def test_annealing_without_resampling(name, key):
    """Weights multiply along each particle's way, and are resampled at the end."""
    if name == "gmm_broken":
        target = build_target(name, modes=3, radius=2.0, breaking=0.3)
        exact = target.exact.log_z
    else:
        target = build_target(name, shape=(2, 2), mass2=-4.0, lam=6.008)
        exact = 1.488073  # of the transfer matrix, see test_conditionals
    config = replace(SMALL, resampling=False)
    populations, _ = check_log_z(target, config, key, exact)
    resampled = run_smc(target, replace(config, resampling=True), key)
    assert populations.temperatures == resampled.temperatures
    assert np.all(populations.log_z != resampled.log_z)


@pytest.mark.slow
def test_observables_of_phi4_are_those_of_hmc(key):
    fields = {"kappa": 0.25, "lam": 0.022, "dtype": "float64"}
    target = build_target("phi4_real", shape=(4, 4), **fields)
    out = population_report(run_smc(target, SMALL, key), target)
    chains = run_hmc(target, HMCConfig(chains=8, warmup=100, samples=300), key)
    expected = chain_report(chains, target)
    assert set(out["observables"]) == set(expected["observables"])
    for name, found in out["observables"].items():
        other = expected["observables"][name]
        if name in ("breaking_ratio", "magnetization"):  # 0 on every orbit
            assert other["mean"] == pytest.approx(0, abs=1e-12)
            other["error"] = 0.0
        error = np.hypot(found["error"], other["error"])
        deviation = np.abs(np.subtract(found["mean"], other["mean"]))
        assert np.all(deviation < SIGMAS * error), name
    assert set(expected) - set(out) == {"r_hat", "slowest"}
    assert set(out) - set(expected) == {"temperatures"}


def test_what_is_counted_and_returned(key):
    calls = []

    def action(x):
        jax.debug.callback(lambda _: calls.append(1), x[0])
        return jnp.sum(x**4) / 4

    target = Target("quartic", (2,), action, dtype=jnp.float64, symmetry=Z2((2,)))
    config = SMCConfig(populations=2, particles=5, leapfrog_steps=3)
    populations = run_smc(target, config, key)
    jax.effects_barrier()
    assert populations.x.shape == (2, 5, 2)
    assert populations.sectors.shape == (2, 5)
    assert populations.observables == {}
    assert populations.energy_calls == len(calls)
    moves = 2 * (populations.temperatures + 1) + populations.temperatures
    assert populations.gradient_calls == 5 * moves * (3 + 2)
    again = run_smc(target, config, key)
    np.testing.assert_array_equal(again.x, populations.x)
    np.testing.assert_array_equal(again.log_z, populations.log_z)
    assert not np.any(populations.x[0] == populations.x[1])


def test_a_wall_through_the_start_is_named(key):
    def action(x):
        return jnp.sum(x**2) / 2 + jnp.where(x[0] > 0, jnp.inf, 0.0)

    target = Target("wall", (2,), action)
    with pytest.raises(ValueError, match="temperature 0: .* 'wall' .* smc.variance"):
        run_smc(target, SMALL, key)


def made_up(rng, populations, correlation):
    """Return populations of one noisy observable around 2, and its square's.

    Z-hat varies by a tenth, particles share most of their population's deviation.
    """
    shared = rng.normal(size=(populations, 1))
    level = 2 + 0.1 * shared + 0.1 * rng.normal(size=(populations, 50))
    noise = rng.normal(size=populations)
    sectors = (rng.random((populations, 50)) < 0.3 + 0.05 * shared).astype(int)
    return Populations(
        x=np.zeros((populations, 50, 2)),
        observables={"level": level, "pair": np.stack([level, -level], axis=-1)},
        sectors=sectors,
        log_z=7 + 0.1 * (correlation * shared[:, 0] + noise),
        temperatures=12,
        acceptance=0.8,
        step_size=0.5,
        gradient_calls=100,
        energy_calls=120,
        seconds=1.0,
        tuning_seconds=2.0,
    )


def test_errors_are_the_spread_of_the_means_of_populations(rng):
    double = Derived(("level",), lambda mean: 2 * mean["level"])
    target = Target(
        "made_up", (2,), lambda x: jnp.sum(x**2), Z2((2,)), derived={"double": double}
    )
    pulls, shares, log_zs = [], [], []
    for _ in range(300):
        out = population_report(made_up(rng, 40, 0.0), target)
        level = out["observables"]["level"]
        pulls.append((level["mean"] - 2) / level["error"])
        shares.append((out["sectors"][1] - 0.3) / out["sectors_error"][1])
        log_zs.append((out["log_z"] - 7 - 0.1**2 / 2) / out["log_z_error"])
    for values in (pulls, shares, log_zs):
        assert_mean(values, 0)
        assert np.std(values) == pytest.approx(1, abs=0.15)
    assert out["observables"]["pair"]["mean"] == pytest.approx(
        [level["mean"], -level["mean"]]
    )
    assert out["observables"]["double"]["error"] == pytest.approx(2 * level["error"])


def test_populations_count_with_their_estimate_of_z(rng):
    target = Target("made_up", (2,), lambda x: jnp.sum(x**2), Z2((2,)))
    populations = made_up(rng, 5, 1.0)
    out = population_report(populations, target)
    z = np.exp(populations.log_z)
    means = populations.observables["level"].mean(axis=1)
    expected = np.sum(z * means) / np.sum(z)
    assert out["observables"]["level"]["mean"] == pytest.approx(expected)
    assert out["log_z"] == pytest.approx(np.log(np.mean(z)))
    error = np.std(z, ddof=1) / np.sqrt(5) / np.mean(z)
    assert out["log_z_error"] == pytest.approx(error)
    assert out["ess"] is None
    bare = population_report(populations._replace(sectors=None), target)
    assert bare["sectors"] is None


def test_a_run_leaves_the_same_files_as_hmc(tmp_path):
    settings = {
        "method": "smc",
        "target.shape": "4,4",
        "smc.particles": 300,
        "smc.populations": 3,
        "smc.leapfrog_steps": 8,
        "evaluation.keep": 60,
    }
    run = resolve("phi4_real", "smoke", settings, seed=3, seeds=2)
    metrics = execute(run, tmp_path / "run")
    assert [entry["seed"] for entry in metrics["seeds"]] == [3, 4]
    assert (metrics["method"], metrics["density"]) == ("smc", None)
    for entry in metrics["seeds"]:
        assert entry["samples_drawn"] == 900
        assert entry["log_z_error"] > 0
        assert entry["observables"]["phi2"]["error"] > 0
    assert metrics["peak_memory_bytes"] > 2**26
    with np.load(tmp_path / "run" / "samples.npz") as file:
        assert file["x"].shape == (2, 60, 4, 4)
    report = format_report(metrics)
    assert "temperatures" in report
    assert "smc, per seed" in report
    assert execute(run, tmp_path / "run", resume=True) == metrics


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("populations", 1, "at least 2"),
        ("particles", 0, "at least 1"),
        ("leapfrog_steps", 0, "at least 1"),
        ("variance", -1.0, "positive"),
        ("target_ess", 1.0, "between 0 and 1"),
        ("acceptance", 0.0, "between 0 and 1"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(field, value, words):
    config = Config(method="smc", smc=SMCConfig(**{field: value}))
    with pytest.raises(ValueError, match=f"smc.{field}={value} must .*{words}"):
        complete(config, build_target("gmm"))

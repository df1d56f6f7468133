"""The scripts of the particle study: profiles, counted velocities, runs, checks."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerances import SIGMAS

from sesamo_jax import estimators
from sesamo_jax.config import complete, resolve
from sesamo_jax.flows import KernelConfig
from sesamo_jax.flows.continuous.integrate import solve
from sesamo_jax.geometry.particles import helmert
from sesamo_jax.targets import TARGETS, build_target

SMALL = KernelConfig(kernels=7, time_kernels=3, reach=8.0, width=2.0)


@pytest.fixture(scope="module")
def profile(experiment):
    return experiment("particles.profile")


@pytest.fixture(scope="module")
def solvers(experiment):
    return experiment("particles.solvers")


def kernel_params(flow, rng, dtype=jnp.float64):
    module = flow.build((1, 2), dtype)
    y = jnp.asarray(rng.normal(0, 2, (5, 1, 2)), dtype)
    return module, module.init(jax.random.key(1), 0.0, y[0], method="velocity"), y


def test_every_run_of_the_study_is_a_configuration(experiment):
    runs = experiment("particles.runs").RUNS
    assert len(runs) > 40
    for name, entry in runs.items():
        settings = {key: str(value) for key, value in entry.settings.items()}
        run = resolve(entry.target, entry.preset, settings, 0, entry.seeds)
        target = build_target(entry.target)
        config = complete(run.config, target)
        config.flow.build(target.event_shape, target.dtype)
        if entry.target in ("dw2", "dw4", "lj13"):
            assert name.startswith(entry.target)
            assert run.config.evaluation.data.endswith(f"{entry.target}_held_out.npy")
    settings = runs["lj13_augmented_100"].settings
    assert settings["training.data"].endswith("lj13_train_100.npy")
    assert settings["training.batch_size"] == 64
    assert runs["dw4_kernel_10"].settings["training.batch_size"] == 10


def test_the_exact_profile_is_the_density_of_the_distance(profile):
    """Against the target itself, on the plane of y, and its known mean."""
    system = TARGETS["dw2"]
    d = np.linspace(0.01, 9, 4001)
    p = np.exp(-profile.exact_free_energy(d, system))
    target = build_target("dw2", dtype="float64")
    y = jnp.stack([d / 2**0.5, 0 * d], axis=-1)[:, None]
    # d^2 y = pi d dd, for y of length d / sqrt(2).
    known = np.pi * d * np.exp(-jax.vmap(target.action)(y) - target.exact.log_z)
    np.testing.assert_allclose(p, known, atol=1e-6)
    assert np.sum(p * d) * (d[1] - d[0]) == pytest.approx(4.5151, abs=1e-3)


def test_reweighting_brings_the_profile_back_within_its_error(profile, rng):
    """Uniform distances with the density of the target as weights."""
    system = TARGETS["dw2"]
    d = rng.uniform(0.5, 8.0, 50_000)
    w = np.exp(-profile.exact_free_energy(d, system))
    edges = np.linspace(2, 6.5, 91)
    value, error = profile.free_energy(d, w / w.sum(), edges)
    expected = profile.exact_free_energy((edges[1:] + edges[:-1]) / 2, system)
    assert np.all(error < 0.1)
    assert np.all(np.abs(value - expected) < SIGMAS * error + 0.01)
    spread = (value - expected) / error
    assert 0.7 < np.std(spread) < 1.3
    none = profile.free_energy(d, w / w.sum(), np.array([100.0, 101.0]))
    assert np.isnan(none).all()


@pytest.mark.slow
def test_exact_weights_give_log_z_and_estimated_ones_spread_around_them(profile, rng):
    """In wells so shallow that an untrained flow can be reweighted."""
    wells = {"offset": 1.0, "quadratic": -0.5, "quartic": 0.1}
    target = build_target("dw2", dtype="float64", **wells)
    _, params, _ = kernel_params(SMALL, rng)
    drawn = profile.draw(target, SMALL, params, 20_000, jax.random.key(3))
    found = estimators.log_z(np.asarray(drawn["exact"]))
    assert found.error < 0.05
    assert abs(found.mean - target.exact.log_z) < SIGMAS * found.error
    off = np.asarray(drawn["hutchinson"] - drawn["exact"])
    assert off.std() > 0.02
    assert abs(off.mean()) < SIGMAS * off.std() / len(off) ** 0.5


@pytest.mark.slow  # adaptive solves of a flow, compiled apart
def test_velocities_of_the_adaptive_integrator_are_counted(solvers, rng):
    flow = replace(SMALL, tolerance=1e-6)
    module, params, y = kernel_params(flow, rng)
    calls = []

    def velocity(t, y):
        jax.debug.callback(lambda _: calls.append(1), t)
        return module.apply(params, t, y, method="velocity")

    counted = []
    for one in y:
        calls.clear()
        jax.block_until_ready(solve(velocity, one, 1.0, 0.0, 1e-6).ys)
        jax.effects_barrier()
        counted.append(len(calls))
    known = solvers.velocities(flow, params, y)
    np.testing.assert_array_equal(known, counted)
    assert np.all(solvers.velocities(SMALL, params, y) == 80)


@pytest.mark.slow  # likewise, and their gradients
def test_both_ways_have_the_gradient_of_fine_steps(solvers, rng):
    """And the adaptive one loses its digits with its tolerance."""
    found = {}
    _, params, y = kernel_params(SMALL, rng)
    exact, exact_slope = solvers.gradient(replace(SMALL, steps=640), params, y)
    for tolerance in (0.0, 1e-3, 1e-8):
        flow = replace(SMALL, tolerance=tolerance)
        values, slope = solvers.gradient(flow, params, y)
        error = np.linalg.norm(slope - exact_slope) / np.linalg.norm(exact_slope)
        found[tolerance] = error, np.max(np.abs(values - exact))
    assert max(found[0.0]) < 1e-4
    assert max(found[1e-8]) < 1e-5
    assert found[1e-3][0] > 100 * found[1e-8][0]


def test_data_around_one_minimum_rest_there(experiment, rng):
    files, quench = experiment("particles.files"), experiment("particles.quench")
    x = files.around_minimum(rng.normal(0, 2, (30, 4, 2)))
    assert x.shape == (10_000, 4, 2)
    np.testing.assert_allclose(x.mean(axis=1), 0, atol=1e-6)
    spread = np.std(x - x.mean(axis=0))
    assert spread == pytest.approx(0.05 * (3 / 4) ** 0.5, rel=0.02)
    target = build_target("dw4", dtype="float64")
    minima = quench.quench(target, helmert(4) @ x[:20])
    np.testing.assert_allclose(minima.energies, minima.energies[0], atol=1e-6)


def test_checks_say_how_many_seeds_pass(experiment, monkeypatch):
    acceptance = experiment("particles.acceptance")
    check = acceptance.Check("a", "1 +- 0.1", [1.05, 1.2], acceptance.within(0.1, 1.0))
    nothing = acceptance.Check("b", "<= 1", [], acceptance.at_most(1.0))
    fine = acceptance.Check("c", ">= 1", [1.0, 3.0], acceptance.at_least(1.0))
    monkeypatch.setattr(acceptance, "checks", lambda: [check, nothing, fine])
    rows = acceptance.acceptance_table().splitlines()[2:]
    verdicts = [row.split("|")[-2].strip() for row in rows]
    assert verdicts == ["1 of 2", "not measured", "yes"]


def test_tables_put_rounds_together(experiment, monkeypatch):
    tables = experiment("particles.tables")
    energies = {"energies": [-25.79, -25.31]}
    state = {"source": "dw4_likelihood", "states": 2, **energies}
    rounds = [
        state | {"shares": [share, 1 - share], "reweighted": [0.5, 0.5]}
        for share in (0.4, 0.6)
    ]
    cluster = {"source": "noise", "loose": [1, 30, 1], "tight": [2, 90, 1]}
    found = {
        "dw4": rounds,
        "lj13": [cluster | {"lowest": -80.0}, cluster | {"lowest": -83.09}],
    }
    monkeypatch.setattr(tables, "measured", lambda _: found)
    plain, reweighted = tables.state_table().splitlines()[2:]
    assert plain == "| dw4_likelihood | 0.50(14) | 0.50(14) | 2, 2 |"
    assert reweighted == "| dw4_likelihood, reweighted | 0.5 | 0.5 | 2, 2 |"
    table = tables.cluster_table()
    assert table.splitlines()[2] == "| noise | -83.090 | 1 | 30 | 1 |"
    assert "| 2 | 90 | 1 |" in table  # folded

"""Judging a model: what the report says about given draws, and how it draws."""

import sys
from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import random_params
from tolerances import SIGMAS

from sesamo_jax import (
    BaseConfig,
    Config,
    EvaluationConfig,
    RealNVPConfig,
    build_model,
    build_target,
    evaluate,
)
from sesamo_jax.core import Derived, Exact, Target
from sesamo_jax.estimators.weighted import SECTOR_ESTIMATES
from sesamo_jax.evaluation.report import report
from sesamo_jax.evaluation.sampling import Draws, build_draw
from sesamo_jax.flows import FLOWS, CheckerboardConfig
from sesamo_jax.symmetries import Z2

EXACT = Exact(
    log_z=1.0,
    sectors=np.array([0.4, 0.6]),
    observables={"level": 3.0},
    source="made up",
)


def target(**fields):
    settings = {"symmetry": Z2((2,)), "exact": EXACT} | fields
    return Target("made_up", (2,), lambda x: jnp.sum(x**2), **settings)


def draws(**changes):
    """Return four draws with weights 1, 3, 0 and 4."""
    with np.errstate(divide="ignore"):
        log_w = np.log([1.0, 3.0, 0.0, 4.0])
    fields = {
        "x": np.zeros((4, 2)),
        "u": np.array([0, 0, 1, 1]),
        "action": np.array([0.5, 1.0, 2.0, 4.0]),
        "log_w": log_w,
        "leaked": np.array([True, False, False, False]),
        "sectors": np.array([0, 0, 1, 1]),
        "heat_bath": None,
        "observables": {"level": np.array([2.0, 4.0, 100.0, 1.0])},
        "forward_log_w": np.log([1.0, 2.0]),
        "integration_error": None,
    }
    return Draws(**{**fields, **changes})


def test_report_has_every_entry():
    out = report(draws(), target())
    errors = {"ess", "forward_ess", "log_z", "elbo", "kl", "nll"}
    errors |= {"sectors", "sectors_reweighted", "sectors_heat_bath"}
    plain = {"leak", "integration_error", "max_weight_share", "observables"}
    plain |= {"pareto_k", "sectors_expected"}
    plain |= {"imh_observable", "imh_acceptance", "imh_tau_int", "forward_from"}
    assert set(out) == errors | {f"{name}_error" for name in errors} | plain


def test_report_of_given_draws():
    out = report(draws(), target())
    assert out["ess"] == pytest.approx(2**2 / (26 / 4))
    assert out["ess_error"] > 0
    assert out["log_z"] == pytest.approx(np.log(2))
    # q's mean of w times 1/w under p, for two samples of p.
    assert out["forward_ess"] == pytest.approx(1 / (1.5 * 0.75))
    assert out["leak"] == 0.25
    assert out["max_weight_share"] == pytest.approx(0.5)
    assert 1 / 3 <= out["imh_acceptance"] <= 2 / 3
    assert out["imh_observable"] == "action"
    assert out["observables"]["level"]["mean"] == pytest.approx((2 + 12 + 4) / 8)
    assert out["sectors"] == [0.5, 0.5]
    assert out["sectors_reweighted"] == pytest.approx([0.5, 0.5])
    assert out["sectors_expected"] == [0.4, 0.6]
    assert out["sectors_heat_bath"] is None
    # A weight of zero makes the ELBO -inf, which is no number to report.
    for name in ("elbo", "kl"):
        assert out[name] is None
        assert out[f"{name}_error"] is None


def test_nll_of_held_out_data():
    out = report(draws(held_out_log_q=np.array([-1.0, -2.0, -6.0])), target())
    assert out["nll"] == pytest.approx(3)
    assert out["nll_error"] == pytest.approx((7 / 3) ** 0.5)
    nowhere = report(draws(held_out_log_q=np.array([-1.0, -np.inf])), target())
    assert nowhere["nll"] is nowhere["nll_error"] is None


def test_kl_is_the_distance_from_elbo_to_log_z():
    out = report(draws(log_w=np.array([0.1, 0.2, 0.3, 0.6])), target())
    assert out["elbo"] == pytest.approx(0.3)
    assert out["kl"] == pytest.approx(0.7)
    assert out["kl_error"] == out["elbo_error"] > 0


def test_what_does_not_exist_is_none():
    bare = draws(leaked=None, sectors=None, forward_log_w=None, observables={})
    out = report(bare, target(symmetry=None, exact=Exact()))
    for name in ("forward_ess", "kl", *SECTOR_ESTIMATES):
        assert out[name] is None
        assert out[f"{name}_error"] is None
    assert out["sectors_expected"] is None
    assert out["leak"] is None
    assert out["integration_error"] is None
    assert out["observables"] == {}
    assert out["log_z"] == pytest.approx(np.log(2))


def test_weights_that_determine_nothing_are_none():
    out = report(draws(log_w=np.full(4, -np.inf)), target())
    for name in ("ess", "log_z", "elbo", "kl", "max_weight_share"):
        assert out[name] is None
    assert out["observables"]["level"] == {"mean": None, "error": None}
    assert out["sectors_reweighted"] == [None, None]
    assert out["sectors"] == [0.5, 0.5]


def test_sectors_by_the_heat_bath_are_not_called_expected():
    # On an orbit of no mass at all, the third one, no sector has a probability.
    heat_bath = np.array([[0.9, 0.1], [0.8, 0.2], [np.nan, np.nan], [0.3, 0.7]])
    out = report(draws(heat_bath=heat_bath), target(exact=Exact()))
    first = (0.9 + 3 * 0.8 + 4 * 0.3) / 8
    assert out["sectors_heat_bath"] == pytest.approx([first, 1 - first])
    assert min(out["sectors_heat_bath_error"]) > 0
    assert out["sectors_expected"] is None


def test_an_observable_may_be_undefined_where_the_weight_is_zero():
    level = np.array([2.0, 4.0, np.nan, 1.0])
    pair = np.stack([level, 1 / level], axis=1)
    square = Derived(("level",), lambda mean: mean["level"] ** 2)
    out = report(
        draws(observables={"level": level, "pair": pair}),
        target(derived={"square": square}),
    )["observables"]
    mean = (2 + 12 + 4) / 8
    assert out["level"]["mean"] == pytest.approx(mean)
    error = np.hypot((2 - mean) / 8, 3 * (4 - mean) / 8)
    assert out["level"]["error"] == pytest.approx(np.hypot(error, (1 - mean) / 2))
    assert out["pair"]["mean"] == pytest.approx([mean, (0.5 + 0.75 + 4) / 8])
    assert out["square"]["mean"] == pytest.approx(mean**2)
    assert out["square"]["error"] == pytest.approx(2 * mean * out["level"]["error"])
    # Where the weight is not, a NaN is one of the mean.
    level = np.array([2.0, np.nan, 5.0, 1.0])
    out = report(draws(observables={"level": level}), target())["observables"]
    assert out["level"] == {"mean": None, "error": None}


def test_array_and_derived_observables():
    level = np.array([2.0, 4.0, 100.0, 1.0])
    pair = np.stack([level, -level], axis=1)
    double = Derived(("level",), lambda mean: 2 * mean["level"])
    out = report(
        draws(observables={"level": level, "pair": pair}),
        target(derived={"double": double}),
    )["observables"]
    mean, error = out["level"]["mean"], out["level"]["error"]
    assert out["pair"]["mean"] == pytest.approx([mean, -mean])
    assert out["pair"]["error"] == pytest.approx([error, error])
    assert out["double"]["mean"] == pytest.approx(2 * mean)
    assert out["double"]["error"] == pytest.approx(2 * error)


@pytest.fixture(scope="module", autouse=True)
def _quick_compilation():
    """These tests compile much and compute little."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


# Drawing, from an untrained model: a wide Gaussian modulated by the heat bath.

N = 1001


@cache
def hubbard(density, exact=True):
    """Return model, target, configuration, parameters and `build_draw`'s function."""
    target = build_target("hubbard", u=2.0)
    target = target if exact else replace(target, exact=Exact())
    config = Config(
        density=density,
        flow=RealNVPConfig(couplings=2, layers=0, width=4),
        base=BaseConfig(variance=8.0),
        evaluation=EvaluationConfig(samples=N, batch_size=400),
    )
    model = build_model(target, config)
    draw = build_draw(model, target, config)
    return model, target, config, jax.jit(model.init)(jax.random.key(0)), draw


def test_exactly_the_requested_number_of_samples_is_drawn(key):
    _, _, _, params, draw = hubbard("orbit")
    draws = draw(params, key)
    assert draws.x.shape == (N, 1, 2)
    for name in ("log_w", "leaked", "sectors", "forward_log_w"):
        assert getattr(draws, name).shape == (N,)
    assert draws.observables["breaking_ratio"].shape == (N,)
    assert draws.heat_bath is None
    # 400 + 400 + 201 different ones.
    assert len(np.unique(draws.x.reshape(N, 2), axis=0)) == N
    assert len(np.unique(draws.forward_log_w)) == N


def test_the_same_key_gives_the_same_draws(key):
    _, _, _, params, draw = hubbard("orbit")
    first, second = draw(params, key), draw(params, key)
    jax.tree.map(np.testing.assert_array_equal, first, second)
    other = draw(params, jax.random.fold_in(key, 1))
    assert not np.any(other.x == first.x)


def test_draws_know_their_sectors_leaks_and_weights(key):
    model, target, _, params, draw = hubbard("orbit")
    draws = draw(params, key)
    x = jnp.asarray(draws.x)
    sectors = jax.jit(jax.vmap(target.symmetry.sector))(x)
    np.testing.assert_array_equal(draws.sectors, sectors)
    actions = jax.jit(jax.vmap(target.action))(x)
    log_w = -actions - jax.jit(model.log_prob)(params, x)
    np.testing.assert_allclose(draws.log_w, log_w, atol=1e-9)
    # Three quarters of a centred Gaussian lie outside the cell, a quadrant.
    assert abs(draws.leaked.mean() - 0.75) < SIGMAS * np.sqrt(0.75 * 0.25 / N)


def test_an_untrained_model_is_weighed_without_bias(key):
    _, target, _, params, draw = hubbard("orbit")
    out, exact = report(draw(params, key), target), target.exact
    assert 0.02 < out["ess"] < 0.95
    assert abs(out["log_z"] - exact.log_z) < SIGMAS * out["log_z_error"]
    ratio = out["observables"]["breaking_ratio"]
    deviation = ratio["mean"] - exact.observables["breaking_ratio"]
    assert abs(deviation) < SIGMAS * ratio["error"]
    deviation = np.array(out["sectors_reweighted"]) - exact.sectors
    assert np.all(
        np.abs(deviation) < SIGMAS * np.array(out["sectors_reweighted_error"])
    )
    # Seen from samples of the target, the same overlap.
    error = np.hypot(out["forward_ess_error"], out["ess_error"])
    assert error < 0.05
    assert abs(out["forward_ess"] - out["ess"]) < SIGMAS * error


def test_strict_draws_and_the_heat_bath_expectation_of_sectors(key, monkeypatch):
    model, target, config, params, draw = hubbard("strict", exact=False)
    draws = draw(params, key)
    np.testing.assert_array_equal(np.isneginf(draws.log_w), draws.leaked)
    assert draws.heat_bath.shape == (N, 4)
    # The same programs as above, which need not be compiled again.
    module = sys.modules[evaluate.__module__]
    monkeypatch.setattr(module, "build_draw", lambda *arguments: draw)
    out = evaluate(model, target, config, params, key)
    alone = report(draws, target)
    assert {name: out[name] for name in alone} == alone
    assert out["kl"] is None
    exact = build_target("hubbard", u=2.0).exact.sectors
    expected = np.array(out["sectors_heat_bath"])
    errors = np.array(out["sectors_heat_bath_error"])
    assert 0 < errors.max() < 0.05
    assert np.all(np.abs(expected - exact) < SIGMAS * errors)
    # Without the noise of u it is sharper than the count.
    counted = [error for error in out["sectors_reweighted_error"] if error]
    assert len(counted) > 1
    assert errors.max() < max(counted)


# The error of integration, of continuous flows


@cache
def lattice(flow, **evaluation):
    """Return target, configuration, parameters and the function that draws."""
    target = build_target("phi4_real", shape=(2, 4), dtype="float64")
    config = Config(
        sites="all",
        flow=flow,
        base=BaseConfig(kind="spectral"),
        evaluation=EvaluationConfig(samples=300, batch_size=150, **evaluation),
    )
    model = build_model(target, config)
    params = jax.jit(model.init)(jax.random.key(0))
    inner = params["flow"]["params"]
    inner["bijection"] = random_params(
        lambda: inner["bijection"], np.random.default_rng(0), gain=0.7
    )
    return target, model, params, build_draw(model, target, config)


SMALL_FLOW = replace(
    FLOWS["continuous"], features=4, time_modes=2, steps=11, slope=50.0
)


@pytest.mark.slow  # three integrators; a large error is found below
def test_a_continuous_flow_reports_its_small_error_of_integration(key):
    """Against steps as coarse as in training it is much larger."""
    target, model, params, draw = lattice(SMALL_FLOW, tolerance=1e-10)
    draws = draw(params, key)
    out = report(draws, target)
    assert out["integration_error"] == draws.integration_error
    assert 1e-11 < out["integration_error"] < 1e-3
    samples = jax.jit(model.sample, static_argnums=2)(params, key, 300)
    adaptive = jax.jit(model.integrated.adaptive_log_prob)(params, samples.y)
    error = np.asarray(samples.log_q - samples.log_p_u - adaptive)
    assert np.sqrt(np.mean(error**2)) > 10 * out["integration_error"]


@pytest.mark.slow
def test_an_error_of_integration_beyond_the_bound_is_refused(key):
    _, _, params, draw = lattice(SMALL_FLOW, largest_error=1e-12)
    with pytest.raises(ValueError, match="the integration error .* of log q") as error:
        draw(params, key)
    assert "exceeds evaluation.largest_error=1e-12: " in str(error.value)
    assert "flow.steps" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow  # compiles much
def test_other_flows_have_no_error_of_integration(key):
    flow = CheckerboardConfig(couplings=1, channels=2)
    target, model, params, draw = lattice(flow, largest_error=1e-12)
    assert model.integrated is None
    assert report(draw(params, key), target)["integration_error"] is None

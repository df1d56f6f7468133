"""Reports of chains and populations: what is unknown is None, and what is not."""

import jax.numpy as jnp
import numpy as np
import pytest

from sesamo_jax import Target
from sesamo_jax.core import Derived
from sesamo_jax.estimators import doubts
from sesamo_jax.reference.hmc import Chains
from sesamo_jax.reference.report import (
    chain_report,
    chain_series,
    population_report,
)
from sesamo_jax.reference.smc import Populations
from sesamo_jax.run.figures import chains_figure
from sesamo_jax.run.report.printed import format_report
from sesamo_jax.run.text import aggregate
from sesamo_jax.symmetries import Z2

TARGET = Target(
    "made_up",
    (2,),
    lambda x: jnp.sum(x**2),
    Z2((2,)),
    derived={
        "twice": Derived(("level",), lambda mean: 2 * mean["level"]),
        "sum": Derived(("level", "charge"), lambda m: m["level"] + m["charge"]),
    },
)


def chains(rng, sectors):
    """Return chains of a noisy level, a charge that never changes, and both in one."""
    level = rng.normal(2, 0.3, size=(6, 200))
    charge = np.full((6, 200), -1.5)
    return Chains(
        x=np.zeros((6, 200, 2)),
        observables={
            "level": level,
            "charge": charge,
            "both": np.stack([level, charge], axis=-1),
        },
        at_samples={"level": level, "charge": charge},
        sectors=sectors,
        acceptance=0.9,
        step_size=0.1,
        gradient_calls=1,
        energy_calls=1,
        seconds=1.0,
        tuning_seconds=1.0,
    )


def test_what_chains_never_change_has_no_error(rng):
    out = chain_report(chains(rng, np.zeros((6, 200), int)), TARGET)
    found = out["observables"]
    assert found["charge"] == {
        "mean": -1.5,
        "error": None,
        "tau_int": None,
        "r_hat": None,
    }
    assert out["r_hat"] == found["level"]["r_hat"] == pytest.approx(1, abs=0.02)
    assert found["level"]["error"] == pytest.approx(0.3 / np.sqrt(1200), rel=0.2)
    assert found["both"]["mean"] == pytest.approx([found["level"]["mean"], -1.5])
    assert found["both"]["error"] == [found["level"]["error"], None]
    assert found["twice"]["error"] == pytest.approx(2 * found["level"]["error"])
    assert found["sum"]["mean"] == pytest.approx(found["level"]["mean"] - 1.5)
    assert found["sum"]["error"] is None
    assert out["sectors"] == [1.0, 0.0]
    assert out["sectors_error"] == [None, None]


def test_averages_over_orbits_that_hardly_vary_have_the_error_of_samples(rng):
    """Signs, all but always the same, and a quantity that one sample decides."""
    run = chains(rng, None)
    signs = np.where(rng.random((6, 200)) < 0.05, 1.0, -1.0)
    rare = np.zeros((6, 200))
    rare[2, 77] = 1.0
    constant = np.full((6, 200), -0.9)
    run = run._replace(
        observables={"level": constant, "charge": constant},
        at_samples={"level": signs, "charge": rare},
    )
    found = chain_report(run, TARGET)["observables"]
    assert found["level"]["mean"] == pytest.approx(-0.9)
    expected = 2 * np.sqrt(0.05 * 0.95 / 1200)
    assert found["level"]["error"] == pytest.approx(expected, rel=0.3)
    assert found["charge"]["error"] is None


def test_chains_that_each_stay_in_a_sector_do_not_tell_its_share(rng):
    stuck = np.repeat([[0], [1], [0], [0], [1], [0]], 200, axis=1)
    out = chain_report(chains(rng, stuck), TARGET)
    assert out["sectors"] == pytest.approx([2 / 3, 1 / 3])
    assert out["sectors_error"] == [None, None]
    moving = (rng.random((6, 200)) < 0.3).astype(int)
    out = chain_report(chains(rng, moving), TARGET)
    error = np.sqrt(0.3 * 0.7 / 1200)
    assert out["sectors_error"] == pytest.approx([error, error], rel=0.2)


def test_a_report_prints_what_has_no_error(rng):
    entry = chain_report(chains(rng, np.zeros((6, 200), int)), TARGET)
    entry |= {
        "samples_drawn": 1200,
        "wall_seconds": 1.0,
        "compile_seconds": 1.0,
        "seed": 0,
    }
    metrics = {
        "target": "made_up",
        "method": "hmc",
        "modulation": None,
        "density": None,
        "preset": "default",
        "peak_memory_bytes": 2**30,
        "seeds": [entry],
        "doubts": [],
        "aggregate": aggregate([entry]),
        "exact": {"log_z": None, "sectors": None, "observables": {}},
    }
    lines = format_report(metrics).splitlines()
    assert next(line for line in lines if "charge" in line).split() == [
        "charge",
        "-1.5?",
    ]
    assert "       0            1?              1?               -" in lines


def populations(rng, log_z, sectors=None):
    count = len(log_z)
    level = rng.normal(2, 0.3, size=(count, 50))
    return Populations(
        x=np.zeros((count, 50, 2)),
        observables={"level": level, "charge": np.full((count, 50), 0.1)},
        sectors=np.zeros((count, 50), int) if sectors is None else sectors,
        log_z=np.asarray(log_z, float),
        temperatures=3,
        acceptance=0.9,
        step_size=0.1,
        gradient_calls=1,
        energy_calls=1,
        seconds=1.0,
        tuning_seconds=1.0,
    )


def test_what_all_populations_agree_on_has_no_error(rng):
    drawn = populations(rng, np.zeros(8))
    out = population_report(drawn, TARGET)
    means = drawn.observables["level"].mean(axis=1)
    error = means.std(ddof=1) / np.sqrt(8)
    assert out["observables"]["level"]["error"] == pytest.approx(error)
    assert out["observables"]["charge"]["mean"] == pytest.approx(0.1)
    assert out["observables"]["charge"]["error"] is None
    assert out["sectors"] == pytest.approx([1.0, 0.0])
    assert out["sectors_error"] == [None, None]


@pytest.mark.parametrize("log_z", [[0.0], [0.0, 30.0, 1.0, 2.0], [-40.0, 3.0]])
def test_one_population_alone_has_no_error(log_z, rng):
    """Beside one with all the weight the spread of the others would count for 0."""
    out = population_report(populations(rng, log_z), TARGET)
    assert all(entry["error"] is None for entry in out["observables"].values())
    assert out["sectors_error"] == [None, None]


def test_two_populations_are_enough_for_an_error(rng):
    out = population_report(populations(rng, [0.0, 0.4]), TARGET)
    assert out["observables"]["level"]["error"] > 0
    assert out["observables"]["twice"]["error"] == pytest.approx(
        2 * out["observables"]["level"]["error"]
    )


def test_chains_are_shown_by_their_slowest_observable(rng):
    """Its traces, sectors and autocorrelation; what never changes is not slow."""
    drawn = chains(rng, (rng.random((6, 200)) < 0.3).astype(int))
    slow = np.cumsum(rng.normal(size=(6, 200)), axis=1) / 20
    drawn.observables["slow"] = drawn.at_samples["slow"] = slow
    entry = chain_report(drawn, TARGET) | {"seed": 0}
    assert entry["slowest"] == "slow"
    series = chain_series(drawn, entry)
    np.testing.assert_array_equal(series["slowest"], slow)
    np.testing.assert_array_equal(series["chain_sectors"], drawn.sectors)
    content = {"target": "made_up", "method": "hmc", "modulation": None}
    figure = chains_figure(series, content | {"seeds": [entry]})
    traces, sectors, correlation = figure.axes
    assert len(traces.lines) == 6
    assert sectors.get_ylabel() == "symmetry sector"
    assert correlation.lines[0].get_ydata()[0] == pytest.approx(1)
    drawn.observables.update(level=np.ones((6, 200)), slow=np.ones((6, 200)))
    assert chain_report(drawn, TARGET)["slowest"] is None


def test_chains_that_disagree_are_doubted(rng):
    drawn = chains(rng, np.zeros((6, 200), int))
    assert doubts.chains(chain_report(drawn, TARGET)) is None
    drawn.observables["level"][0] += 5
    sentence = doubts.chains(chain_report(drawn, TARGET))
    assert sentence.startswith("the chains disagree (R-hat = ")
    assert "level" in sentence

"""Numbers as text, means over seeds, and the printed report."""

import numpy as np
import pytest

from sesamo_jax.estimators.weighted import WITH_ERROR
from sesamo_jax.run.report.printed import format_report
from sesamo_jax.run.text import AGGREGATED, aggregate, value_error


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.951, 0.003, "0.951(3)"),
        (0.9512, 0.0031, "0.951(3)"),
        (4.09231, 0.00274, "4.092(3)"),
        (-1.5, 0.25, "-1.5(2)"),
        (-0.40837, 0.0046, "-0.408(5)"),
        (3.0, 2.4, "3(2)"),
        # A leading 1 keeps two digits of the error.
        (0.951, 0.0123, "0.951(12)"),
        (0.951, 0.01, "0.951(10)"),
        (0.951, 0.0149, "0.951(15)"),
        (0.951, 0.0194, "0.951(19)"),
        (2.0, 1.24, "2.0(12)"),
        # Rounding the error into the next decade, or away from a leading 1.
        (0.951, 0.0196, "0.95(2)"),
        (0.95123, 0.0096, "0.951(10)"),
        (0.95123, 0.00096, "0.9512(10)"),
        (0.95123, 0.0094, "0.951(9)"),
        (12.34, 0.96, "12.3(10)"),
        # Errors of ten and more are whole numbers.
        (123.4, 12.3, "123(12)"),
        (1234.4, 9.7, "1234(10)"),
        (1234.4, 34.0, "1230(30)"),
        (-1234.4, 123.0, "-1230(120)"),
        (1234.4, 96.0, "1230(100)"),
        # Nothing to say about the error.
        (0.5, 0.0, "0.5"),
        (9.699606, 1.9e-15, "9.69961"),
        (1.49136e-245, 0.0, "1e-245"),
        (0.123456789, None, "0.123457"),
        (2.0, float("nan"), "2"),
        (2.0, float("inf"), "2"),
        (None, None, "-"),
        (None, 0.1, "-"),
        # A value far below its error, and one far above.
        (0.0001, 0.03, "0.00(3)"),
        (0.9999995, 2e-7, "0.9999995(2)"),
    ],
)
def test_value_error(value, error, text):
    assert value_error(value, error) == text


def entry(**changes):
    """Return one seed's entry, as a run writes it."""
    scalars = dict.fromkeys(AGGREGATED, 0.5)
    errors = {f"{name}_error": 0.01 for name in WITH_ERROR}
    return {
        "seed": 0,
        **scalars,
        **errors,
        "nll": None,
        "sectors": [0.25, 0.75],
        "sectors_error": [0.01, 0.01],
        "sectors_reweighted": [0.31, 0.69],
        "sectors_reweighted_error": [0.02, 0.02],
        "sectors_expected": [0.3, 0.7],
        "sectors_heat_bath": None,
        "sectors_heat_bath_error": None,
        "observables": {"energy": {"mean": 2.5, "error": 0.04}},
        "steps": 100,
        "samples_drawn": 6400,
        "compile_seconds": 1.5,
        "nonfinite_steps": 0,
    } | changes


def metrics(seeds, **exact):
    return {
        "target": "wells",
        "method": "sesamo",
        "modulation": "learned",
        "density": "strict",
        "preset": "smoke",
        "peak_memory_bytes": 2**30 * 3 // 4,
        "seeds": seeds,
        "doubts": [],
        "aggregate": aggregate(seeds),
        "exact": {"log_z": None, "observables": {}} | exact,
    }


def test_aggregate_of_one_seed_shows_the_estimates_own_error():
    total = aggregate([entry(ess=0.912, ess_error=0.003)])
    assert total["ess"] == {"mean": 0.912, "std": None, "text": "0.912(3)"}
    assert total["energy"] == {"mean": 2.5, "std": None, "text": "2.50(4)"}
    assert total["leak"]["text"] == "0.5"


def test_aggregate_of_seeds_shows_their_spread():
    values = [0.90, 0.94, 0.98]
    energies = [{"energy": {"mean": mean, "error": 9.0}} for mean in (1.0, 2.0, 6.0)]
    total = aggregate(
        [
            entry(ess=ess, ess_error=7.0, observables=energy)
            for ess, energy in zip(values, energies, strict=True)
        ]
    )
    assert total["ess"]["mean"] == pytest.approx(0.94)
    assert total["ess"]["std"] == pytest.approx(0.04)
    assert total["ess"]["text"] == "0.94(4)"
    assert total["energy"]["mean"] == pytest.approx(3.0)
    assert total["energy"]["std"] == pytest.approx(np.std([1, 2, 6], ddof=1))


def test_aggregate_of_a_quantity_that_one_seed_lacks_is_nothing():
    total = aggregate([entry(), entry(elbo=None, elbo_error=None)])
    assert total["elbo"] == {"mean": None, "std": None, "text": "-"}
    assert total["ess"]["mean"] == 0.5


def test_array_observables_have_no_aggregate():
    observables = {
        "correlator": {"mean": [1.0, 0.5], "error": [0.1, 0.1]},
        "energy": {"mean": 2.5, "error": 0.04},
    }
    seeds = [entry(observables=observables)]
    assert "correlator" not in aggregate(seeds)
    report = format_report(metrics(seeds))
    assert "energy" in report
    assert "correlator" not in report


def rows(report):
    """Return the report's words by the name that begins a line."""
    table = {}
    for line in report.splitlines():
        name, *words = line.split() or [""]
        table.setdefault(name, words)
    return table


def test_report_never_shows_the_ess_alone():
    seeds = [entry(ess=0.91, leak=0.07, log_z=4.1)]
    report = format_report(metrics(seeds, log_z=4.05, observables={"energy": 2.4}))
    table = rows(report)
    assert table["ESS"] == ["0.910(10)", "1"]
    assert table["leak"] == ["0.07"]
    far = ["+5.0", "sigma,", "too", "far"]
    assert table["log"] == ["Z", "4.100(10)", "4.05", *far]
    assert table["energy"] == ["2.50(4)", "2.4", "+2.5", "sigma"]
    assert table["0"] == ["0.250(10)", "0.31(2)", "0.30000"]
    assert table["1"] == ["0.750(10)", "0.69(2)", "0.70000"]
    first = report.splitlines()[0]
    for word in ("wells", "sesamo", "learned", "strict", "smoke", "1 seed"):
        assert word in first


def test_report_of_several_seeds_shows_means_and_the_worst_skip_count():
    seeds = [
        entry(ess=0.90, sectors=[0.2, 0.8]),
        entry(ess=0.96, sectors=[0.3, 0.7], nonfinite_steps=4),
    ]
    report = format_report(metrics(seeds))
    table = rows(report)
    assert table["ESS"][0] == "0.93(4)"
    assert table["0"][0] == "0.25(7)"
    assert "2 seed(s)" in report
    assert "mean(std over seeds)" in report
    assert "4 skipped" in report


def test_without_exact_sectors_those_of_the_heat_bath_are_shown_by_their_name():
    own = {"sectors_heat_bath": [0.301, 0.699], "sectors_heat_bath_error": [0.004] * 2}
    table = rows(format_report(metrics([entry(sectors_expected=None, **own)])))
    assert table["0"][2] == "0.301(4)"
    assert table["sector"] == ["samples", "reweighted", "heat", "bath"]
    table = rows(format_report(metrics([entry()])))
    assert table["sector"] == ["samples", "reweighted", "exact"]


def test_estimates_without_an_error_are_marked():
    report = format_report(metrics([entry(ess=0.25, ess_error=None)]))
    assert rows(report)["ESS"] == ["0.25?", "1"]
    assert "? no error that could be trusted" in report
    # The spread over seeds needs no error of theirs.
    seeds = [entry(log_z=2.0), entry(log_z=3.0, log_z_error=None)]
    assert rows(format_report(metrics(seeds)))["log"] == ["Z", "2.5(7)"]
    # What never has an error has no mark either.
    report = format_report(metrics([entry()]))
    assert rows(report)["leak"] == ["0.5"]
    assert "?" not in report


def test_doubts_stand_at_the_head():
    sentences = ["seed 3: nothing works", "the action has no lower bound"]
    lines = format_report(metrics([entry()]) | {"doubts": sentences}).splitlines()
    assert lines[1:3] == [f"CAUTION: {sentence}." for sentence in sentences]
    many = [f"seed {seed}: nothing works" for seed in range(9)]
    lines = format_report(metrics([entry()]) | {"doubts": many}).splitlines()
    assert lines[5] == "CAUTION: seed 4: nothing works."
    assert lines[6] == "CAUTION: 4 more in metrics.json."
    assert not lines[7]


def test_report_of_a_metropolis_chain_and_of_memory():
    seeds = [entry(imh_acceptance=0.83, imh_tau_int=1.7, imh_observable="action")]
    report = format_report(metrics(seeds))
    assert report.splitlines()[-1] == "peak memory 0.75 GiB"
    table = rows(report)
    assert table["IMH"] == ["acceptance", "0.83"]
    assert "IMH tau_int                            1.7  of action" in report
    # Methods without a model have neither steps nor proposals.
    nothing = dict.fromkeys(("imh_acceptance", "imh_tau_int"))
    reference = entry(**nothing, gradient_calls=2000, energy_calls=3000, acceptance=0.8)
    del reference["steps"]
    lines = format_report(metrics([reference])).splitlines()
    assert lines[-1] == "peak memory 0.75 GiB"
    assert "2,000 gradients, 3,000 energies, acceptance 0.800" in lines[-2]
    assert "temperatures" not in lines[-2]
    tempered = reference | {"temperatures": 17}
    assert "17 temperatures" in format_report(metrics([tempered])).splitlines()[-2]


def test_report_of_what_does_not_exist_is_a_dash():
    nothing = dict.fromkeys(("ess", "forward_ess", "log_z", "elbo", "kl", "leak"))
    seeds = [entry(**nothing, max_weight_share=None, sectors=None, observables={})]
    unmodulated = metrics(seeds) | {"modulation": None}
    report = format_report(unmodulated)
    table = rows(report)
    assert table["ESS"] == ["-", "1"]
    assert table["leak"] == ["-"]
    assert "sector" not in table
    assert "wells: sesamo, density" in report


def test_the_report_says_what_comes_from_data():
    def report(**changes):
        seeds = [entry(sectors=None, **changes)]
        metrics = {
            **{"target": "dw4", "method": "realnvp", "modulation": None},
            **{"density": "orbit", "preset": "default", "peak_memory_bytes": 2**30},
            "seeds": seeds,
            "doubts": [],
            "aggregate": aggregate(seeds),
            "exact": {"log_z": None, "observables": {}},
        }
        lines = format_report(metrics).splitlines()
        found = [line for line in lines if line.startswith(("forward ESS", "NLL"))]
        return [" ".join(line.split()) for line in found]

    assert report(nll=7.25, nll_error=0.02, forward_from="data") == [
        "forward ESS 0.500(10) 1 from held-out data",
        "NLL 7.25(2) of held-out data",
    ]
    assert report(nll=None, forward_from="exact samples") == ["forward ESS 0.500(10) 1"]


def test_verdicts_stand_at_the_head_each_with_its_seeds():
    verdicts = ["agrees with HMC", "the model misses about 3 %", "agrees with HMC"]
    seeds = [entry(seed=seed, verdict=said) for seed, said in enumerate(verdicts)]
    lines = format_report(metrics(seeds)).splitlines()
    assert lines[1:3] == [
        "audit: agrees with HMC (seed 0, 2)",
        "audit: the model misses about 3 % (seed 1)",
    ]
    lines = format_report(metrics(seeds[:1])).splitlines()
    assert lines[1] == "audit: agrees with HMC"


def test_a_pull_over_seeds_takes_the_error_of_their_mean():
    """Of 4.00, 4.02 and 4.04 that is 0.02 / sqrt(3)."""
    seeds = [entry(seed=i, log_z=4 + 0.02 * i) for i in range(3)]
    report = format_report(metrics(seeds, log_z=4.05))
    assert rows(report)["log"][-2:] == ["-2.6", "sigma"]

"""The self-test: what it takes as exact, and that it notices errors too small."""

import csv

import jax
import numpy as np
import pytest

from sesamo_jax import build_target
from sesamo_jax.run.cli.main import main
from sesamo_jax.run.selftest.cases import FAMILIES, draw_cases, free
from sesamo_jax.run.selftest.coverage import coverage_figure, coverages, table
from sesamo_jax.run.selftest.pulls import Pull, measure

MEASURE = "sesamo_jax.run.selftest.pulls.measure"


@pytest.mark.parametrize(
    ("name", "shape", "components"),
    [("phi4_real", (3, 2), 1), ("phi4_complex", (2, 3), 2)],
)
def test_a_free_field_is_known_by_its_momenta(name, shape, components):
    """H(p) = 2 (1 - 2 kappa sum cos p); an external field meets p = 0 alone."""
    kappa, alpha = 0.11, 0.3
    fields = {"shape": shape, "lam": 0.0, "kappa": kappa, "alpha": alpha}
    exact = free(build_target(name, dtype="float64", **fields)).exact
    grids = np.meshgrid(*(2 * np.pi * np.arange(n) / n for n in shape), indexing="ij")
    modes = 2 * (1 - 2 * kappa * sum(np.cos(grid) for grid in grids)).ravel()
    sites = np.prod(shape)
    log_z = components * np.sum(np.log(2 * np.pi / modes)) / 2
    log_z += sites * alpha**2 / (2 * modes[0])
    mean = -alpha / modes[0]
    assert exact.log_z == pytest.approx(log_z, rel=1e-12)
    assert exact.observables["magnetization"] == pytest.approx(mean)
    phi2 = components * np.mean(1 / modes) + mean**2
    assert exact.observables["phi2"] == pytest.approx(phi2)


@pytest.mark.slow  # compiles much
def test_cases_are_those_of_their_seed():
    """Exact and broken ones of every family, all of known normalisation."""
    cases = draw_cases(3, 8)
    assert [case.name for case in cases[:5]] == [
        *(f"{name} 0" for name in FAMILIES),
        "mixture 1",
    ]
    again = draw_cases(3, 8)
    log_z = [case.target.exact.log_z for case in cases]
    assert log_z == [case.target.exact.log_z for case in again]
    assert len(set(log_z)) == 8
    broken = [case.target.symmetry.broken for case in draw_cases(1, 12)]
    assert any(broken)
    assert not all(broken)


def pulls(rng, scale, count=400):
    return [Pull("log Z", float(value)) for value in scale * rng.normal(size=count)]


def test_errors_too_small_are_noticed_and_larger_ones_pass(rng):
    (right,) = coverages(pulls(rng, 1.0))
    (small,) = coverages(pulls(rng, 1.4))
    (large,) = coverages(pulls(rng, 0.6))
    assert (right.holds, small.holds, large.holds) == (True, False, True)
    assert right.std == pytest.approx(1, abs=0.15)
    assert right.one == pytest.approx(0.683, abs=0.1)
    assert right.two == pytest.approx(0.954, abs=0.05)
    assert "errors too small" in table([small])
    assert "too small are the errors of log Z" in table([small])
    assert table([right]).endswith("or more often")


def test_marked_estimates_are_counted_and_not_judged(rng):
    found = coverages([*pulls(rng, 1.0, 50), Pull("log Z", None), Pull("ESS", None)])
    log_z, ess = found
    assert (log_z.pulls, log_z.marked) == (50, 1)
    assert (ess.pulls, ess.marked, ess.holds) == (0, 1, True)
    figure = coverage_figure([*pulls(rng, 1.0, 50), Pull("ESS", None)])
    assert len(figure.axes[0].lines) == 2  # the diagonal, and log Z


def test_the_command_prints_writes_and_fails(rng, monkeypatch, tmp_path, capsys):
    drawn = [*pulls(rng, 1.0), Pull("log Z, both", None)]
    monkeypatch.setattr(MEASURE, lambda *arguments: drawn)
    main(["selftest", "--cases", "1", "--output", str(tmp_path / "out")])
    assert "nominal" in capsys.readouterr().out
    assert (tmp_path / "out" / "coverage.png").stat().st_size > 0
    with (tmp_path / "out" / "pulls.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    read = [Pull(row["quantity"], float(row["pull"] or "nan")) for row in rows]
    assert read[:-1] == drawn[:-1]
    assert rows[-1] == {"quantity": "log Z, both", "pull": ""}
    monkeypatch.setattr(MEASURE, lambda *arguments: pulls(rng, 2.0))
    with pytest.raises(SystemExit) as left:
        main(["selftest", "--cases", "1"])
    assert left.value.code == 1
    assert "some errors are too small" in capsys.readouterr().err
    with pytest.raises(SystemExit) as left:
        main(["selftest", "--repeats", "1"])
    assert left.value.code == 2
    assert "--repeats 1 at least 2" in capsys.readouterr().err


@pytest.mark.slow  # trains a small sampler of every family
@pytest.mark.parametrize("index", range(len(FAMILIES)), ids=list(FAMILIES))
def test_pulls_of_every_family(index):
    """Of every kind that there is, and none far off."""
    case = draw_cases(7, len(FAMILIES))[index]
    found = measure(case, 4, jax.random.key(index))
    kinds = {pull.quantity for pull in found}
    assert {"ESS", "log Z", "log Z, both", "reweighted means", "chains"} <= kinds
    values = [pull.value for pull in found if pull.value is not None]
    assert len(values) > len(found) / 2
    assert np.max(np.abs(values)) < 6

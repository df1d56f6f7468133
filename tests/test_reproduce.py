"""Carrying out tables of runs in pieces, and comparing a repeated run."""

import copy
import json
import math
import sys

import pytest

from sesamo_jax.config import resolve
from sesamo_jax.config.resolve import to_json


@pytest.fixture
def runs(experiment, tmp_path, monkeypatch):
    """Three runs below a folder of their own, of which the first is finished."""
    studies = experiment("studies")
    monkeypatch.setattr(studies, "ROOT", tmp_path)
    runs = {name: studies.Entry("gmm", {"training.steps": 7}) for name in "abc"}
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "metrics.json").write_text("{}")
    config = to_json(resolve("gmm", "default", {"training.steps": "7"}, 0, 1))
    (tmp_path / "a" / "config.json").write_text(json.dumps(config))
    return runs


def test_finished_runs_are_skipped_and_failures_counted(
    experiment, runs, monkeypatch, capsys
):
    studies, started = experiment("studies"), []

    def finished_in(seconds, words):
        started.append(words[words.index("--output") + 1])
        assert "--resume" in words
        return started[-1] != "b"

    monkeypatch.setattr(studies, "finished_in", finished_in)
    assert studies.carry_out(runs) == 1
    assert started == ["b", "c"]
    assert "run.py --target gmm --set training.steps=7" in capsys.readouterr().out


def test_a_finished_run_of_another_configuration_is_refused(experiment, runs, capsys):
    studies = experiment("studies")
    other = {"a": runs["a"]._replace(settings={"training.steps": 8})}
    assert studies.carry_out(other) == 1
    assert "training.steps" in capsys.readouterr().out


def test_no_run_starts_after_the_budget(experiment, runs, monkeypatch):
    studies = experiment("studies")
    monkeypatch.setattr(studies, "finished_in", lambda *_: pytest.fail("started"))
    assert studies.carry_out(runs, hours=0.0) == 2


@pytest.mark.parametrize(
    ("program", "seconds", "ends_well"),
    [("pass", 60.0, True), ("raise SystemExit(1)", 60.0, False),
     ("import time; time.sleep(600)", 0.2, False)],
)  # fmt: skip
def test_programs_end_well_or_are_stopped(experiment, program, seconds, ends_well):
    words = [sys.executable, "-c", program]
    assert experiment("studies").finished_in(seconds, words) is ends_well


def test_repeated_runs_agree_within_three_errors(experiment, capsys):
    agree = experiment("reproduce").agree
    seed = {"log_z": 2.0, "log_z_error": 0.03, "ess": 0.9, "observables": {}}
    seed["observables"]["m"] = {"mean": 1.0, "error": 0.04}
    aggregate = {"ess": {"mean": 0.9, "std": 0.02}}
    old = {"seeds": [seed, seed], "aggregate": aggregate}
    for key, sigma in (("log_z", 0.03 * 2**0.5), ("m", 0.04 * 2**0.5), ("ess", 0.02)):
        for distance, good in ((2.9, True), (-2.9, True), (3.1, False), (-3.1, False)):
            new = copy.deepcopy(old)
            if key == "log_z":
                new["seeds"][0]["log_z"] += distance * sigma
            elif key == "m":
                new["seeds"][0]["observables"]["m"]["mean"] += distance * sigma
            else:
                new["aggregate"]["ess"]["mean"] += distance * sigma
            assert agree("run", old, new) is good, (key, distance)


def test_observables_of_several_seeds_are_pooled(experiment):
    mean_error = experiment("studies").mean_error
    entries = [{"mean": 1.0, "error": 0.3}, {"mean": 2.0, "error": 0.4}]
    run = {"seeds": [{"observables": {"m": entry}} for entry in entries]}
    assert mean_error(run, "m") == pytest.approx((1.5, 0.25))
    entries[1]["error"] = None
    assert math.isnan(mean_error(run, "m")[1])


def test_every_item_names_runs_that_can_be_configured(experiment):
    items = experiment("paper").ITEMS
    figures = {f"fig{number}" for number in (3, 4, 9, 10, 11, 12, 13, 14)}
    assert set(items) == {"table1", "table1_iclr"} | figures
    for runs in items.values():
        assert runs
        for entry in runs.values():
            settings = {name: str(value) for name, value in entry.settings.items()}
            resolve(entry.target, entry.preset, settings, entry.seed, entry.seeds)

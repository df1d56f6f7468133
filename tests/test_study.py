"""Studies: carrying their runs out in pieces, their results, pages and repetitions."""

import copy
import json
import math
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from sesamo_jax.config import resolve
from sesamo_jax.config.record import to_json
from sesamo_jax.run import study as engine
from sesamo_jax.run.cli.command import Parser
from sesamo_jax.run.cli.main import COMMANDS, main
from sesamo_jax.run.cli.run import settings as settings_of
from sesamo_jax.run.entry import Entry, changed, command, finished_in
from sesamo_jax.run.folder import RunFolder
from sesamo_jax.run.history import COLUMNS
from sesamo_jax.run.repeat import agree
from sesamo_jax.run.results import Results, record

SEVEN = Entry("gmm", {"training.steps": 7})


def write_run(path, entry=SEVEN, value=1.0):
    """Write what a finished run leaves, without its samples."""
    path.mkdir(parents=True)
    settings = {name: str(value) for name, value in entry.settings.items()}
    run = resolve(entry.target, entry.preset, settings, entry.seed, entry.seeds)
    folder = RunFolder(path)
    folder.write("config.json", to_json(run))
    folder.write("env.json", {"python": "3.11"})
    folder.write("metrics.json", {"value": value})
    row = dict.fromkeys([*COLUMNS, "nll"], np.arange(2.0))
    row["ess"] = np.array([math.nan, 1.0])
    folder.append_history((0, 1), row)


@pytest.fixture
def study(tmp_path):
    """Three runs, of which the first is finished."""
    study = engine.Study(tmp_path / "small", dict.fromkeys("abc", SEVEN), {"ab": "ab"})
    write_run(tmp_path / "elsewhere" / "a")
    study.collect(tmp_path / "elsewhere" / "a")
    return study


def test_finished_runs_are_skipped_and_failures_counted(study, monkeypatch):
    started = []

    def run(seconds, words):
        started.append(words[words.index("--output") + 1])
        assert words[1:4] == ["-m", "sesamo_jax", "run"]
        assert "--resume" in words
        if started[-1].endswith("b"):
            return False
        write_run(study.output("c"), value=3.0)
        return True

    monkeypatch.setattr(engine, "finished_in", run)
    assert study.carry_out(study.runs) == 1
    assert started == [str(study.output(name)) for name in "bc"]
    known = Results(study.output("a").parent)  # as the file has it
    assert [known.metrics(name) for name in "abc"] == [
        {"value": 1.0},
        None,
        {"value": 3.0},
    ]


def test_a_finished_run_of_another_configuration_is_refused(study, capsys):
    other = {"a": SEVEN._replace(settings={"training.steps": 8})}
    assert study.carry_out(other) == 1
    assert "(training.steps was 7, now 8)" in capsys.readouterr().out


def test_no_run_starts_after_the_budget(study, monkeypatch):
    monkeypatch.setattr(engine, "finished_in", lambda *_: pytest.fail("started"))
    assert study.carry_out(study.runs, hours=0.0) == 2


def test_files_are_prepared_once_and_only_for_runs(study, monkeypatch):
    calls = []
    study = engine.Study(study.folder, study.runs, prepare=lambda: calls.append("made"))
    monkeypatch.setattr(engine, "finished_in", lambda *_: bool(calls.append("run")))
    assert study.carry_out({"a": SEVEN}) == 0
    assert calls == []
    assert study.carry_out(study.runs) == 2
    assert calls == ["made", "run", "run"]


def test_a_run_that_was_finished_by_hand_is_taken_in(study, monkeypatch):
    monkeypatch.setattr(engine, "finished_in", lambda *_: pytest.fail("started"))
    write_run(study.output("b"))
    assert study.carry_out({"b": SEVEN}) == 0
    assert "b" in Results(study.output("b").parent)


@pytest.mark.parametrize(
    ("program", "seconds", "ends_well"),
    [("pass", math.inf, True), ("raise SystemExit(1)", math.inf, False),
     ("import time; time.sleep(600)", 0.2, False)],
)  # fmt: skip
def test_programs_end_well_or_are_stopped(program, seconds, ends_well):
    assert finished_in(seconds, [sys.executable, "-c", program]) is ends_well


def test_a_command_line_says_all_of_an_entry(tmp_path):
    settings = {"method": "canonicalization", "target.beta": 2.0}
    words = command(tmp_path, Entry("hubbard", settings, 3, 4, "paper"))
    assert " ".join(words) == (
        "run --target hubbard --preset paper --method canonicalization "
        f"--set target.beta=2.0 --seeds 3 --seed 4 --output {tmp_path}"
    )


# Results


def test_a_run_is_kept_to_the_last_digit(study, tmp_path):
    known, path = Results(study.output("a").parent), tmp_path / "elsewhere" / "a"
    assert known.records["a"] == record(path)
    assert known.config("a") == json.loads((path / "config.json").read_text())
    history, expected = known.history("a"), RunFolder(path).read_history()
    assert set(history) == set(expected) == {*COLUMNS, "nll"}
    for name in expected:
        np.testing.assert_array_equal(history[name], expected[name])
    assert known.history("b") is None
    assert known.arrays("a") == {}


def test_a_folder_replaces_the_result_of_its_name(study, tmp_path):
    write_run(tmp_path / "again" / "a", value=2.0)
    study.collect(tmp_path / "again" / "a")
    assert Results(study.output("a").parent).metrics("a") == {"value": 2.0}
    assert (study.output("a").parent / "runs.jsonl").read_text().count("\n") == 1


def test_a_folder_that_is_no_run_of_the_study_is_refused(study, tmp_path):
    before = (study.output("a").parent / "runs.jsonl").read_bytes()
    write_run(tmp_path / "d")
    with pytest.raises(ValueError, match="the study has no run 'd'"):
        study.collect(tmp_path / "d")
    write_run(tmp_path / "b", SEVEN._replace(seeds=2))
    with pytest.raises(ValueError, match=r"another configuration \(seeds was 2, now 1"):
        study.collect(tmp_path / "b")
    write_run(tmp_path / "c")
    (tmp_path / "c" / "metrics.json").unlink()
    with pytest.raises(ValueError, match="no finished run: metrics.json is not there"):
        study.collect(tmp_path / "c")
    assert (study.output("a").parent / "runs.jsonl").read_bytes() == before


def test_damaged_results_are_named(study):
    path = study.output("a").parent / "runs.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"runs.jsonl is damaged.*restore it from a"):
        Results(path.parent).metrics("a")


# Choosing, and the command

RUNS = """
from sesamo_jax.run.entry import Entry
RUNS = {"a": Entry("gmm", {"training.steps": 7}), "bc": Entry("gmm", {})}
GROUPS = {"both": ("a", "bc")}
"""
TABLES = """
from pathlib import Path
from sesamo_jax.run.results import results_in
FOLDER = Path(__file__).parents[1]
PAGES = [FOLDER / "page.md"]
def table():
    found = results_in(FOLDER / "results" / NAME).metrics("a")
    return f"value {found and found['value']}"
TABLES = {"value": table}
"""
ANALYSIS = "def main(): print('measured')"


@pytest.fixture
def folder(tmp_path, monkeypatch, request):
    """A study that `sesamo-jax study` finds, of a name of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    name = f"study_{tmp_path.name}"
    folder = tmp_path / "experiments" / name
    folder.mkdir(parents=True)
    (folder / "runs.py").write_text(RUNS)
    (folder / "tables.py").write_text(f"NAME = {name!r}\n{TABLES}")
    (folder / "analysis.py").write_text(ANALYSIS)
    page = tmp_path / "experiments" / "page.md"
    page.write_text("<!-- value: begin -->\n?\n<!-- value: end -->\n")
    return folder


def call(capsys, *arguments):
    try:
        main(["study", *map(str, arguments)])
        code = 0
    except SystemExit as stop:
        code = stop.code
    return code, *capsys.readouterr()


def test_runs_are_chosen_by_group_or_by_part_of_a_name(study):
    assert list(study.choose([""])) == ["a", "b", "c"]
    assert list(study.choose(["ab", "c"])) == ["a", "b", "c"]
    assert list(study.choose(["b"])) == ["b"]
    with pytest.raises(ValueError, match="no run's name has x: see --list; groups: ab"):
        study.choose(["x"])


def test_a_study_without_runs_says_what_it_has(folder, capsys):
    (folder / "runs.py").write_text("RUNS = {}\n")
    code, _, err = call(capsys, folder)
    assert code == 2
    assert "has no runs" in err
    assert "--analysis NAME" in err


def test_a_study_is_listed_as_commands(folder, capsys):
    assert call(capsys) == (0, f"{folder.name}\n", "")
    code, out, err = call(capsys, folder.name, "--list", "--only", "a")
    assert (code, err) == (0, "")
    output = f"experiments/results/{folder.name}/a"
    command = f"sesamo-jax run --target gmm --set training.steps=7 --output {output}"
    assert out.splitlines()[:2] == [command, f"{folder.name}: 0 of 1 runs finished"]
    assert "both: 0 of 2 runs finished" in call(capsys, folder.name, "--list")[1]


def test_pages_follow_the_results(folder, capsys, tmp_path):
    page = tmp_path / "experiments" / "page.md"
    code, _, err = call(capsys, folder.name, "--check")
    assert (code, "page.md; --pages writes them" in err) == (1, True)
    assert call(capsys, folder, "--pages") == (0, "", "")  # by its path
    assert "value None" in page.read_text()
    assert call(capsys, folder.name, "--check") == (0, "", "")
    write_run(tmp_path / "a", value=4.0)
    assert call(capsys, folder.name, "--collect", tmp_path / "a")[0] == 0
    assert call(capsys, folder.name, "--check")[0] == 1
    call(capsys, folder.name, "--pages")
    assert "value 4.0" in page.read_text()


def test_a_study_says_what_it_has_not_finished(folder, capsys, tmp_path):
    code, _, err = call(capsys, folder.name, "--hours", "0")
    assert code == 1
    assert "2 of 2 runs are unfinished: call this again" in err
    assert "value None" in (tmp_path / "experiments" / "page.md").read_text()


def test_an_analysis_is_a_module_of_the_study(folder, capsys):
    assert call(capsys, folder.name, "--analysis", "analysis") == (0, "measured\n", "")
    code, _, err = call(capsys, folder.name, "--analysis", "tables")
    assert (code, "has no module 'tables' with a main" in err) == (2, True)


def test_pages_of_the_studies_that_own_runs_are_written_too(folder, tmp_path):
    other = tmp_path / "experiments" / "other"
    shutil.copytree(folder, other)
    study = engine.Study(other, {"a": SEVEN, f"{folder.name}/bc": SEVEN})
    assert [owner.folder for owner in study.owners(study.runs)] == [
        other,
        tmp_path / "experiments" / folder.name,
    ]
    assert study.owners({"a": SEVEN}) == [study]


def test_without_a_result_nothing_is_repeated(folder, capsys):
    code, out, err = call(capsys, folder.name, "--repeat", "--only", "a")
    assert (code, out) == (1, "there is no result to compare with\n")
    assert f"not as before, or not finished: {folder.name}" in err


def test_repeated_runs_agree_within_three_errors():
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


def test_runs_without_errors_do_not_agree(capsys):
    seed = {"log_z": 2.0, "log_z_error": None, "ess": 0.9, "observables": {}}
    one = {"seeds": [seed], "aggregate": {"ess": {"mean": 0.9, "std": None}}}
    assert agree("run", one, one) is False
    assert "nothing has an error that can be trusted" in capsys.readouterr().out


# The studies of this project


def test_observables_of_several_seeds_are_pooled(experiment):
    mean_error = experiment("reading").mean_error
    entries = [{"mean": 1.0, "error": 0.3}, {"mean": 2.0, "error": 0.4}]
    run = {"seeds": [{"observables": {"m": entry}} for entry in entries]}
    assert mean_error(run, "m") == pytest.approx((1.5, 0.25))
    entries[1]["error"] = None
    assert math.isnan(mean_error(run, "m")[1])


def test_every_item_of_the_paper_names_runs_that_can_be_configured(experiment):
    paper = experiment("paper.runs")
    figures = {f"fig{number}" for number in (3, 4, 9, 10, 11, 12, 13, 14)}
    assert set(paper.GROUPS) == {"table1", "table1_iclr"} | figures
    for names in paper.GROUPS.values():
        assert names
        for entry in map(paper.RUNS.__getitem__, names):
            settings = {name: str(value) for name, value in entry.settings.items()}
            resolve(entry.target, entry.preset, settings, entry.seed, entry.seeds)


STUDIES = ("hubbard", "on", "paper", "particles", "phi4", "pretrained", "readme")


@pytest.mark.parametrize("study", STUDIES)
def test_every_run_is_a_command_that_the_command_line_takes(study, experiment):
    """With the settings of its entry, whatever flags they have."""
    parser = Parser(prog=study)
    COMMANDS["run"].add_arguments(parser)
    for name, entry in experiment(f"{study}.runs").RUNS.items():
        words = command(Path(name), entry)
        options = parser.parse_args(words[1:])
        wanted = {key: str(value) for key, value in entry.settings.items()}
        assert settings_of(options) == wanted, name


def test_committed_results_are_those_of_the_listed_runs(experiment):
    """A result whose run was changed afterwards would be shown under a wrong name."""
    reading, known = experiment("reading"), 0
    for study in STUDIES:
        for name, entry in experiment(f"{study}.runs").RUNS.items():
            results, run = reading.place(name if "/" in name else f"{study}/{name}")
            if run in results:
                known += 1
                assert changed(results.config(run), entry) is None, name
    assert known > 380
    # A field that did not exist yet tells nothing of a run.
    config = reading.place("phi4/complex_hmc")[0].config("complex_hmc")
    chains = experiment("phi4.runs").RUNS["complex_hmc"]
    del config["hmc"]["thinning"]
    plain = {**chains.settings, "hmc.thinning": 3}
    assert changed(config, chains._replace(settings=plain)) is None
    complex_field = experiment("phi4.runs").RUNS["complex"]
    other = complex_field._replace(settings={"target.kappa": 0.31})
    assert "kappa" in changed(reading.place("phi4/complex")[0].config("complex"), other)


def test_results_belong_to_listed_runs(experiment):
    """All but those of older code that pages tell of."""
    listed = {study: set(experiment(f"{study}.runs").RUNS) for study in STUDIES}
    listed["readme"].add("hubbard_paper_earlier")
    for study, names in listed.items():
        results, _ = experiment("reading").place(f"{study}/any")
        assert set(results.records) <= names, study

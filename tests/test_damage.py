"""Damaged run folders: one line that names the file and the remedy, no traceback."""

import json
import shutil
import sys

import numpy as np
import pytest
from small_runs import PLAIN, Crash, Reached, plain_run, reach

from sesamo_jax.run import execute as runs
from sesamo_jax.run import figures as plots
from sesamo_jax.run import sweep
from sesamo_jax.run.entry import Entry
from sesamo_jax.run.execute import execute
from sesamo_jax.run.folder import REMEDIES
from sesamo_jax.run.results import record
from sesamo_jax.run.study import Study
from sesamo_jax.storage.files import read_arrays

RUN = [
    *("--target", "gmm", "--preset", "smoke", "--seed", "1", "--seeds", "2"),
    *(word for k, v in PLAIN.items() for word in ("--set", f"{k}={v}")),
    "--resume",
]
GARBAGE = np.random.default_rng(8).bytes(3000)


@pytest.fixture(scope="module")
def folders(no_training, tmp_path_factory):
    """Return a finished run's folder, and that of one whose report is missing."""
    paths = {name: tmp_path_factory.mktemp("runs") / name for name in ("whole", "part")}
    execute(plain_run(), paths["whole"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "judge", crash)
        with pytest.raises(Crash):
            execute(plain_run(), paths["part"])
    return paths


def crash(*arguments):
    raise Crash


@pytest.fixture
def main(experiment, monkeypatch, capsys):
    """Return a function that resumes the run of a folder by the command line.

    It draws no figures, but reads all that they need, and starts no training.
    """
    script = experiment("run")
    for name in ("weights", "ess", "density", "sectors"):
        monkeypatch.setattr(plots, f"{name}_figure", lambda *arguments: NoFigure())
    monkeypatch.setattr(runs, "make_figures", plots.make_figures)
    monkeypatch.setattr(runs, "fit", reach)

    def call(path):
        monkeypatch.setattr(sys, "argv", ["run.py", *RUN, "--output", str(path)])
        try:
            script.main()
            code = 0
        except Reached:
            code = "training"
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return code, out, err.removesuffix("compiling\n")

    return call


class NoFigure:
    def savefig(self, path, **options):
        path.touch()


def without_first(path):
    """Leave out the first entry, column or array that the file should have."""
    if path.suffix == ".json":
        content = json.loads(path.read_text())
        del content[next(name for name in content if name != "preset")]
        path.write_text(json.dumps(content))
    elif path.suffix == ".csv":
        lines = path.read_text().splitlines()
        path.write_text("".join(line.partition(",")[2] + "\n" for line in lines))
    else:
        np.savez(path, log_w=np.zeros((2, 40)))


def of_another_type(path):
    """Put text where numbers or sections should be."""
    if path.suffix == ".json":
        content = json.loads(path.read_text())
        path.write_text(json.dumps(dict.fromkeys(content, "text")))
    elif path.suffix == ".csv":
        path.write_text(path.read_text().replace("\n1,10,", "\n1,ten,"))
    else:
        np.savez(path, x=np.array(["a", "b"]))


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def by_a_folder(path):
    path.unlink()
    path.mkdir()


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": cut,
    "list": lambda path: path.write_text("[1, 2]"),
    "object": lambda path: path.write_text('{"colour": "blue"}'),
    "number": lambda path: path.write_text("7\n"),
    "garbage": lambda path: path.write_bytes(GARBAGE),
    "missing entry": without_first,
    "type": of_another_type,
    "folder": by_a_folder,
}
FINISHED = ("config.json", "metrics.json", "history.csv", "samples.npz")
UNFINISHED = ("config.json", "history.csv")
# Damage that costs nothing but the lines that it took: the run goes on.
GOES_ON = {("part", "history.csv", "empty"), ("part", "history.csv", "cut")}
CASES = [
    (folder, name, damage)
    for folder, names in (("whole", FINISHED), ("part", UNFINISHED))
    for name in names
    for damage in DAMAGE
]


@pytest.mark.parametrize(("folder", "name", "damage"), CASES)
def test_a_damaged_file_is_named_with_its_remedy(
    folder, name, damage, folders, main, tmp_path
):
    path = tmp_path / "run"
    shutil.copytree(folders[folder], path)
    DAMAGE[damage](path / name)
    code, out, err = main(path)
    assert out == ""
    assert err.count("\n") == 1
    assert str(path / name) in err
    if (folder, name, damage) in GOES_ON:
        assert code == "training"
        return
    assert code == 2
    assert err.startswith("run.py: ")
    remedies = (REMEDIES[name], "repeat its settings", "move it away")
    assert any(remedy in err for remedy in remedies)
    # The same from Python.
    with pytest.raises(ValueError, match=r"\w") as error:
        execute(plain_run(), path, resume=True)
    assert " ".join(str(error.value).split()) in err


# A folder in its place is refused like anywhere else.
@pytest.mark.parametrize("damage", [kind for kind in DAMAGE if kind != "folder"])
@pytest.mark.parametrize("folder", ["whole", "part"])
def test_a_damaged_environment_harms_nobody(folder, damage, folders, main, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(folders[folder], path)
    DAMAGE[damage](path / "env.json")
    code, _, err = main(path)
    assert (code, err) == (0 if folder == "whole" else "training", "")


def test_samples_that_are_missing_cost_figures_only(folders, main, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(folders["whole"], path)
    (path / "samples.npz").unlink()
    (path / "history.csv").unlink()
    code, out, err = main(path)
    assert (code, err) == (0, "")
    assert "ESS" in out


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_reads_results_names_what_is_damaged(damage, folders, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(folders["whole"], path)
    for name in ("metrics.json", "samples.npz"):
        DAMAGE[damage](path / name)
    with pytest.raises(ValueError, match=r"samples.npz .*: restore it from a copy"):
        read_arrays(path / "samples.npz")
    if damage not in ("object", "missing entry", "type"):
        with pytest.raises(ValueError, match=r"metrics.json .*: remove it and resume"):
            record(path)


def test_a_study_goes_past_a_damaged_run(folders, tmp_path, capsys):
    entry = Entry("gmm", PLAIN, 2, 1, "smoke")
    study = Study(tmp_path / "study", {"first": entry, "second": entry})
    for name in study.runs:
        shutil.copytree(folders["whole"], study.output(name))
    cut(study.output("first") / "config.json")
    assert study.carry_out(study.runs) == 1
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert str(study.output("first") / "config.json") in out


def test_a_scan_names_its_damaged_point(folders, tmp_path):
    points = []
    for name in ("first", "second"):
        shutil.copytree(folders["whole"], tmp_path / name)
        points.append(sweep.Point(plain_run(), tmp_path / name))
    damages = [kind for kind in DAMAGE if kind != "missing entry"]  # not in the table
    for damage in damages:
        shutil.rmtree(tmp_path / "first")
        shutil.copytree(folders["whole"], tmp_path / "first")
        DAMAGE[damage](tmp_path / "first" / "metrics.json")
        failures = {}
        rows = sweep.table(points, failures).splitlines()
        assert rows[2] == "| `first` | - | - | - |"
        assert "(" in rows[3]
        assert list(failures) == ["first"]
        assert f"{tmp_path / 'first' / 'metrics.json'}" in failures["first"]

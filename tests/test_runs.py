"""The run folder: what it holds, and which folders are refused."""

import io
import json
import shutil
from contextlib import closing
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_runs import (
    TINY,
    Crash,
    Reached,
    contents,
    history,
    plain_run,
    reach,
    refused,
    strict,
)

from sesamo_jax import Target
from sesamo_jax.config import resolve
from sesamo_jax.config.record import from_json, to_json
from sesamo_jax.core import Exact
from sesamo_jax.run import execute as runs
from sesamo_jax.run import figures as plots
from sesamo_jax.run.execute import execute
from sesamo_jax.run.folder import RunFolder
from sesamo_jax.run.provenance import environment
from sesamo_jax.run.report.printed import format_report
from sesamo_jax.run.text import aggregate
from sesamo_jax.symmetries import Z2
from sesamo_jax.targets import TARGETS

FILES = {
    "config.json",
    "env.json",
    "history.csv",
    "metrics.json",
    "samples.npz",
    "checkpoint",
    "report.html",
}
FIGURES = {"density.png", "ess.png", "weights.png", "sectors.png"}


@pytest.fixture(scope="module", autouse=True)
def _quick_compilation():
    """These tests compile much and compute little."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


# What a finished run leaves


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the folder and the returned metrics of two modulated members."""
    path = tmp_path_factory.mktemp("runs") / "deep" / "finished"
    run = resolve("gmm", "smoke", TINY, seed=5, seeds=2)
    return path, execute(run, path)


def test_the_promised_files_are_there_and_no_others(finished):
    path, _ = finished
    assert {entry.name for entry in path.iterdir()} == FILES | FIGURES
    for name in FIGURES:
        assert (path / name).read_bytes().startswith(b"\x89PNG")


def test_metrics_have_the_promised_entries(finished):
    path, returned = finished
    metrics = strict(path / "metrics.json")
    assert metrics == returned
    described = {name: metrics[name] for name in ("target", "method", "preset")}
    assert described == {"target": "gmm", "method": "sesamo", "preset": "smoke"}
    assert (metrics["modulation"], metrics["density"]) == ("heat_bath", "orbit")
    assert [entry["seed"] for entry in metrics["seeds"]] == [5, 6]
    promised = {
        *("ess", "forward_ess", "log_z", "elbo", "elbo_error", "kl", "pareto_k"),
        *("leak", "max_weight_share", "sectors", "sectors_expected", "observables"),
        *("steps", "samples_drawn", "wall_seconds", "compile_seconds"),
        "nonfinite_steps",
    }
    for entry in metrics["seeds"]:
        assert promised | {"ess_error", "log_z_error"} <= set(entry)
        assert all(entry[name] is not None for name in promised)
        assert len(entry["sectors"]) == len(entry["sectors_expected"]) == 3
        assert set(entry["observables"]["mean_x1"]) == {"mean", "error"}
        assert entry["steps"] == 30
        assert entry["samples_drawn"] == 30 * 32
    assert metrics["exact"]["log_z"] == pytest.approx(np.log(2 * np.pi * 3))
    assert metrics["exact"]["sectors"] == pytest.approx([1 / 3] * 3)
    assert metrics["exact"]["source"]
    # JAX alone takes more than 64 MiB; in KiB or pages it would be far less.
    assert 2**26 < metrics["peak_memory_bytes"] < 2**38


def test_aggregate_is_the_mean_over_all_seeds(finished):
    _, metrics = finished
    for name in ("ess", "log_z", "leak"):
        values = [entry[name] for entry in metrics["seeds"]]
        entry = metrics["aggregate"][name]
        assert entry["mean"] == pytest.approx(np.mean(values))
        assert entry["std"] == pytest.approx(np.std(values, ddof=1))
        assert isinstance(entry["text"], str)
    assert metrics["aggregate"]["mean_x1"]["std"] > 0


def test_history_has_a_line_per_seed_and_chunk(finished):
    path, metrics = finished
    rows = history(path)
    found = [(int(row["seed"]), int(row["step"])) for row in rows]
    assert found == [(s, step) for step in (10, 20, 30) for s in (5, 6)]
    for row in rows:
        assert int(row["samples_drawn"]) == int(row["step"]) * 32
        for name in ("loss", "ess", "log_z", "leak", "seconds"):
            assert np.isfinite(float(row[name]))
    # Every member's share of the time that the last line shows.
    shares = sum(entry["wall_seconds"] for entry in metrics["seeds"])
    assert shares == pytest.approx(float(rows[-1]["seconds"]), rel=1e-5)


def test_samples_are_those_that_were_judged(finished):
    path, metrics = finished
    with np.load(path / "samples.npz") as file:
        arrays = dict(file)
    assert arrays["x"].shape == (2, 40, 2)
    assert arrays["log_w"].shape == (2, 40)
    assert np.any(arrays["x"][0] != arrays["x"][1])
    # The exact density on the grid is normalised, the model's nearly is.
    axis = arrays["grid_axis"]
    cell = (axis[1] - axis[0]) ** 2
    assert np.exp(arrays["grid_log_p"]).sum() * cell == pytest.approx(1, abs=0.01)
    for density in np.exp(arrays["grid_log_q"]):
        assert density.sum() * cell == pytest.approx(1, abs=0.05)


def test_configuration_and_environment_are_recorded(finished):
    path, _ = finished
    config = strict(path / "config.json")
    run = resolve("gmm", "smoke", TINY, seed=5, seeds=2)
    recorded = from_json(config)
    assert recorded.target == run.target
    assert (recorded.seed, recorded.seeds) == (5, 2)
    assert recorded.config.training.steps == 30
    # What was left open has been filled in.
    assert config["base"]["variance"] == 1.0
    assert config["training"]["objective"] == "reverse_kl"
    environment = strict(path / "env.json")
    assert environment["packages"]["jax"] == jax.__version__
    assert environment["x64"] is True
    assert {"git_commit", "device", "python", "xla_flags"} <= set(environment)
    assert {"date", "host", "command"} <= set(environment)


def test_a_finished_run_is_only_read_by_resume(finished, monkeypatch):
    path, metrics = finished
    monkeypatch.setattr(runs, "fit", None)
    run = resolve("gmm", "smoke", TINY, seed=5, seeds=2)
    before = {name: (path / name).read_bytes() for name in FILES - {"checkpoint"}}
    (path / "sectors.png").unlink()
    assert execute(run, path, resume=True) == metrics
    after = {name: (path / name).read_bytes() for name in FILES - {"checkpoint"}}
    assert after == before
    # Figures are drawn anew.
    assert (path / "sectors.png").exists()


# Folders that cannot be used


def test_a_folder_in_use_is_refused(finished):
    path, _ = finished
    before = contents(path)
    run = resolve("gmm", "smoke", TINY, seed=5, seeds=2)
    refused(run, path, "already holds a run: choose another, or add --resume")
    assert contents(path) == before


@pytest.mark.parametrize(
    ("changes", "seeds", "words"),
    [
        ({"training.steps": 40}, 2, "(training.steps was 30, now 40)"),
        ({"flow.width": 5}, 2, "(flow.width was 4, now 5)"),
        ({"target.radius": 4.0}, 2, "(target.radius was 3.0, now 4.0)"),
        ({"density": "strict"}, 2, "(density was 'orbit', now 'strict')"),
        ({}, 3, "(seeds was 2, now 3)"),
    ],
)
def test_resume_with_another_configuration_names_the_setting(
    finished, changes, seeds, words
):
    run = resolve("gmm", "smoke", TINY | changes, seed=5, seeds=seeds)
    refused(run, finished[0], words, resume=True)


def test_a_folder_in_which_another_run_is_at_work_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    other = RunFolder(tmp_path / "run")
    with closing(other):
        other.open()
        for resume in (False, True):
            refused(plain_run(), other.path, "another process is at work", resume)
        assert contents(other.path) == []
    with closing(RunFolder(other.path)) as free:
        free.open()


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_other_files_is_refused(tmp_path, resume):
    (tmp_path / "thesis.tex").write_text("\\begin{document}")
    refused(plain_run(), tmp_path, "holds files that are not a run's", resume)
    assert contents(tmp_path) == [contents(tmp_path)[0]]


def test_the_beginning_of_an_opening_is_no_run_yet(tmp_path, monkeypatch):
    """Earlier versions wrote the environment first, and may have been killed then."""
    monkeypatch.setattr(runs, "init_states", reach)
    for name in (".write_test", ".env.json.part", ".config.json.part"):
        (tmp_path / name).write_text('{"tar')
    RunFolder(tmp_path).write("env.json", environment())
    for resume in (False, True):
        with pytest.raises(Reached):
            execute(plain_run(), tmp_path, resume)
        assert strict(tmp_path / "config.json")["seed"] == 1
        (tmp_path / "config.json").unlink()


@pytest.mark.parametrize("content", ['{"name": "conda"}', "[1]", ""])
def test_an_environment_of_something_else_is_left_alone(tmp_path, content):
    (tmp_path / "env.json").write_text(content)
    refused(plain_run(), tmp_path, "choose another")
    assert (tmp_path / "env.json").read_text() == content


def test_a_missing_environment_is_written(finished, tmp_path, monkeypatch):
    path = tmp_path / "run"
    path.mkdir()
    shutil.copy(finished[0] / "config.json", path)
    monkeypatch.setattr(runs, "init_states", reach)
    with pytest.raises(Reached):
        execute(resolve("gmm", "smoke", TINY, seed=5, seeds=2), path, resume=True)
    assert strict(path / "env.json")["packages"]["jax"] == jax.__version__


def test_a_run_begun_elsewhere_goes_on(finished, tmp_path, monkeypatch):
    path = tmp_path / "run"
    path.mkdir()
    shutil.copy(finished[0] / "config.json", path)
    elsewhere = strict(finished[0] / "env.json") | {
        "date": "2020-02-02T02:02:02+02:00",
        "host": "elsewhere",
        "command": "python3 another.py",
        "git_commit": "0" * 40,
    }
    RunFolder(path).write("env.json", elsewhere)
    monkeypatch.setattr(runs, "init_states", reach)
    with pytest.raises(Reached):
        execute(resolve("gmm", "smoke", TINY, seed=5, seeds=2), path, resume=True)
    # It says what the run was begun with.
    assert strict(path / "env.json") == elsewhere


def test_a_folder_with_an_unreadable_configuration_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{")
    refused(plain_run(), tmp_path, "cannot read output folder", resume=True)


def test_a_file_is_no_folder(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    refused(plain_run(), file, "output folder")
    refused(plain_run(), file / "run", "is not writable: Not a directory")
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("gmm", {"training.batch_size": 0}),
        ("gmm", {"flow.width": 0}),
        ("gmm", {"target.modes": 1}),
        ("gmm_broken", {"modulation": "exact"}),
        ("gmm", {"modulation": "metropolis"}),
    ],
)
def test_a_wrong_configuration_writes_nothing(tmp_path, name, settings):
    with pytest.raises(ValueError, match=r"\w"):
        execute(resolve(name, "smoke", settings), tmp_path / "run")
    assert contents(tmp_path) == []


def test_an_empty_folder_and_resume_before_the_start_are_fine(tmp_path, monkeypatch):
    class Enough(Exception):
        pass

    def fit(*arguments, **options):
        raise Enough

    monkeypatch.setattr(runs, "fit", fit)
    for path, resume in ((tmp_path, False), (tmp_path / "new", True)):
        with pytest.raises(Enough):
            execute(plain_run(), path, resume)
        assert {entry.name for entry in path.iterdir()} >= {"config.json", "env.json"}
        assert strict(path / "config.json")["seed"] == 1


# A target of the user's own, about which nothing is known


OVERFLOWN = Exact(np.inf, np.array([np.nan, 1.0]), {"square": np.nan}, "a sum")


@dataclass(frozen=True)
class Ridge:
    """A quartic ridge; beyond `edge` it is not even a number."""

    shape: tuple[int, ...] = (3,)
    edge: float = 100.0
    dtype: str = "float32"

    def build(self, name):
        def action(x):
            value = jnp.sum(x**2) / 2 + jnp.sum(x) ** 4 / 20 + 0.3 * x[0]
            return value + jnp.where(x[0] > self.edge, jnp.nan, 0.0)

        return Target(
            name,
            self.shape,
            action,
            symmetry=Z2(self.shape, broken=True),
            dtype=jnp.dtype(self.dtype),
            observables={"square": lambda x: jnp.sum(x**2)},
            exact=OVERFLOWN,
        )


OWN = {name: value for name, value in TINY.items() if not name.startswith("target")}
UNKNOWN = ("kl", "kl_error")


@pytest.mark.slow  # compiles much
def test_a_target_without_exact_values(tmp_path, monkeypatch):
    monkeypatch.setitem(TARGETS, "ridge", Ridge())
    run = resolve("ridge", "smoke", OWN)
    metrics = execute(run, tmp_path / "run")
    assert strict(tmp_path / "run" / "metrics.json") == metrics
    assert metrics["exact"]["log_z"] is None
    assert metrics["exact"]["sectors"] is None
    assert metrics["exact"]["observables"] == {}
    (entry,) = metrics["seeds"]
    assert all(entry[name] is None for name in UNKNOWN)
    assert entry["verdict"]  # by chains, whatever twenty steps have brought
    assert metrics["aggregate"]["kl"] == {"mean": None, "std": None, "text": "-"}
    for name in ("ess", "log_z", "elbo", "leak"):
        assert entry[name] is not None
    # The orbits of the samples say how they would fill the two sectors.
    assert entry["sectors_expected"] is None
    assert sum(entry["sectors_heat_bath"]) == pytest.approx(1)
    assert min(entry["sectors_heat_bath_error"]) > 0
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert files == FILES | FIGURES - {"density.png"}
    report = format_report(metrics)
    assert "ridge" in report
    assert "square" in report
    # The configuration is recognised again, though JSON knows no tuples.
    assert execute(run, tmp_path / "run", resume=True) == metrics


def test_reference_values_that_are_finite_stay():
    known = {"square": 2.5, "cube": np.array([1.0, -2.0])}
    exact = Exact(np.nan, np.array([0.3, 0.7]), known | {"fourth": np.inf}, "a sum")
    target = Target("own", (3,), jnp.sum, exact=exact)
    assert target.exact.log_z is None
    np.testing.assert_array_equal(target.exact.sectors, [0.3, 0.7])
    assert target.exact.observables == known
    assert Target("own", (3,), jnp.sum, exact=Exact(-1.5)).exact == Exact(-1.5)


def test_a_run_whose_weights_are_not_numbers_ends_with_a_report(tmp_path, monkeypatch):
    monkeypatch.setitem(TARGETS, "ridge", Ridge(edge=1.0))
    settings = OWN | {"training.steps": 2, "training.chunk": 1}
    with pytest.warns(RuntimeWarning, match="2 of 2 training steps were skipped"):
        metrics = execute(resolve("ridge", "smoke", settings), tmp_path / "run")
    assert "training steps were skipped" in metrics["doubts"][0]
    (entry,) = metrics["seeds"]
    for name in ("ess", "log_z", "elbo", "max_weight_share"):
        assert entry[name] is None
    assert entry["nonfinite_steps"] >= 0
    assert "ESS" in format_report(metrics)


def test_a_preset_is_recorded_as_it_was_resolved():
    run = replace(plain_run(), preset="smoke")
    assert to_json(run)["preset"] == "smoke"
    assert to_json(run)["flow"]["name"] == "realnvp"


def test_figures_do_without_kept_samples(finished):
    path, metrics = finished
    with np.load(path / "samples.npz") as file:
        arrays = dict(file)
    for name in ("x", "log_w"):
        arrays[name] = arrays[name][:, :0]
    for figure in (
        plots.density_figure(arrays, metrics),
        plots.weights_figure(arrays, metrics),
    ):
        assert figure.axes


KNOWN = {"seed", "steps", "samples_drawn", "wall_seconds", "compile_seconds"}
KNOWN |= {"nonfinite_steps", "parameters", "sectors_expected"}


def unknown(value):
    """Return an estimate, or several in any nest, without numbers."""
    if isinstance(value, dict):
        return {name: unknown(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [unknown(entry) for entry in value]
    return None if isinstance(value, float) else value


@pytest.mark.parametrize("which", [(0, 1), (1,), (0,)])
def test_reports_and_figures_bear_what_is_unknown(which, finished):
    path, metrics = finished
    folder = RunFolder(path)
    seeds = [
        {k: unknown(v) if i in which and k not in KNOWN else v for k, v in e.items()}
        for i, e in enumerate(metrics["seeds"])
    ]
    assert seeds[which[0]]["sectors"] == [None] * 3
    exact = {"log_z": None, "sectors": None, "observables": {}, "source": ""}
    total = aggregate(seeds)
    assert total["ess"] == {"mean": None, "std": None, "text": "-"}
    content = metrics | {"seeds": seeds, "aggregate": total, "exact": exact}
    json.dumps(content, allow_nan=False)
    report = format_report(content)
    assert "nan" not in report.lower()
    assert "None" not in report
    for figure in (
        plots.weights_figure(folder.read_arrays(), content),
        plots.sectors_figure(content),
        plots.ess_figure(folder.read_history(), content, "cell"),
        plots.density_figure(folder.read_arrays(), content),
    ):
        figure.savefig(io.BytesIO())


class Unsaveable:
    """What raises an error when NumPy asks for its values."""

    def __array__(self, *arguments, **options):
        raise Crash


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write("metrics.json", {"ess": 0.5})
    with pytest.raises(TypeError, match="not JSON serializable"):
        folder.write("metrics.json", {"ess": 1j})
    assert folder.read("metrics.json") == {"ess": 0.5}
    assert folder.read("nothing.json") is None
    folder.write_arrays("samples.npz", {"x": np.arange(3)})
    with pytest.raises(Crash):
        folder.write_arrays("samples.npz", {"x": np.zeros(5), "y": Unsaveable()})
    with np.load(tmp_path / "samples.npz") as file:
        np.testing.assert_array_equal(file["x"], [0, 1, 2])
    assert {path.name for path in tmp_path.iterdir()} == {"metrics.json", "samples.npz"}


def test_what_is_unknown_in_results_is_written_as_null(tmp_path):
    folder = RunFolder(tmp_path)
    content = {
        "number": np.float32(0.5),
        "count": np.int64(3),
        "flag": np.bool_(True),
        "shape": (2, 3),
        "table": np.array([[1.5, np.nan], [-np.inf, 2.5]]),
        "deep": [{"mean": float("inf"), "array": jnp.arange(3)}],
        "name": "nan",
        "nothing": None,
    }
    folder.write("metrics.json", content)
    assert strict(tmp_path / "metrics.json") == {
        "number": 0.5,
        "count": 3,
        "flag": True,
        "shape": [2, 3],
        "table": [[1.5, None], [None, 2.5]],
        "deep": [{"mean": None, "array": [0, 1, 2]}],
        "name": "nan",
        "nothing": None,
    }

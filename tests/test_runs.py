"""The run folder: what it holds, and that an interrupted run loses nothing."""

import csv
import json
import os
import signal
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sesamo_jax import Target, judging, plots, runs
from sesamo_jax.checkpoint import Checkpoints
from sesamo_jax.results import RunFolder
from sesamo_jax.runs import Stopped, UsageError, execute
from sesamo_jax.settings import from_json, resolve, to_json
from sesamo_jax.summary import format_report
from sesamo_jax.symmetries import Z2
from sesamo_jax.targets import TARGETS

# Three modes, a few numbers of parameters, three chunks of ten steps.
TINY = {
    "target.modes": 3,
    "target.radius": 3.0,
    "flow.couplings": 1,
    "flow.layers": 0,
    "flow.width": 4,
    "training.steps": 30,
    "training.batch_size": 32,
    "training.chunk": 10,
    "evaluation.samples": 500,
    "evaluation.batch_size": 300,
    "evaluation.keep": 40,
}
FILES = {
    "config.json",
    "env.json",
    "history.csv",
    "metrics.json",
    "samples.npz",
    "checkpoint",
}
FIGURES = {"density.png", "ess.png", "weights.png", "sectors.png"}


@pytest.fixture(scope="module", autouse=True)
def _quick_compilation():
    """These tests compile much and compute little."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def without_figures(monkeypatch):
    monkeypatch.setattr(runs, "make_figures", lambda folder: [])


def strict(path):
    """Return the content of a JSON file that must not hold NaN or Infinity."""

    def refuse(constant):
        raise AssertionError(f"{path.name} holds {constant}")

    return json.loads(path.read_text(), parse_constant=refuse)


def history(path):
    with (path / "history.csv").open() as file:
        return list(csv.DictReader(file))


def without(rows, *names):
    return [{k: v for k, v in row.items() if k not in names} for row in rows]


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
        *("ess", "ess_error", "forward_ess", "log_z", "log_z_error", "elbo", "kl"),
        *("leak", "max_weight_share", "sectors", "sectors_expected", "observables"),
        *("steps", "samples_drawn", "wall_seconds", "compile_seconds"),
        "nonfinite_steps",
    }
    for entry in metrics["seeds"]:
        assert promised <= set(entry)
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


# Interruptions, of the cheapest model

PLAIN = TINY | {"method": "realnvp", "base.variance": 5.0}


def plain_run():
    return resolve("gmm", "smoke", PLAIN, seed=1, seeds=2)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "uninterrupted"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "make_figures", lambda folder: [])
        execute(plain_run(), path)
    return path


class Crash(Exception):
    """What stands in for a crash."""


def at_line(step, action):
    """Return an `append_history` that does something once it has written a step."""
    original = RunFolder.append_history

    def append(folder, seeds, row):
        original(folder, seeds, row)
        if int(row["step"][0]) == step:
            action()

    return append


def crash():
    raise Crash


def ask_to_stop():
    os.kill(os.getpid(), signal.SIGTERM)


def between_checkpoints(patch):
    """Crash after writing a line that no checkpoint covers."""
    patch.setattr(runs, "CHECKPOINT_SECONDS", 0.0)
    patch.setattr(RunFolder, "append_history", at_line(20, crash))
    return Crash, 10


def before_the_first_checkpoint(patch):
    patch.setattr(runs, "CHECKPOINT_SECONDS", 1e9)
    patch.setattr(RunFolder, "append_history", at_line(20, crash))
    return Crash, None


def by_a_signal(patch):
    patch.setattr(runs, "CHECKPOINT_SECONDS", 1e9)
    patch.setattr(RunFolder, "append_history", at_line(20, ask_to_stop))
    return Stopped, 20


def by_a_full_disk(patch):
    patch.setattr(runs, "CHECKPOINT_SECONDS", 0.0)
    original = Checkpoints.save

    def save(checkpoints, states, seconds):
        if int(states.step[0]) == 20:
            raise OSError(28, "No space left on device")
        original(checkpoints, states, seconds)

    patch.setattr(Checkpoints, "save", save)
    return OSError, 10


def after_training(patch):
    patch.setattr(judging, "build_draw", lambda *arguments: crash())
    return Crash, 30


@pytest.mark.parametrize(
    "interrupt",
    [
        between_checkpoints,
        before_the_first_checkpoint,
        by_a_signal,
        by_a_full_disk,
        after_training,
    ],
)
def test_a_resumed_run_equals_an_uninterrupted_one(
    interrupt, uninterrupted, tmp_path, monkeypatch, without_figures, capfd
):
    path = tmp_path / "run"
    with monkeypatch.context() as patch:
        # A signal that the run does not catch must not end the test session.
        outer = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            error, saved = interrupt(patch)
            with pytest.raises(error):
                execute(plain_run(), path)
            assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
        finally:
            signal.signal(signal.SIGTERM, outer)
    assert not (path / "metrics.json").exists()
    steps = [int(entry.name) for entry in (path / "checkpoint").iterdir()]
    assert max(steps, default=None) == saved

    capfd.readouterr()
    execute(plain_run(), path, resume=True)
    # Off a terminal there is no progress to see.
    assert capfd.readouterr() == ("", "")
    with (
        np.load(path / "samples.npz") as resumed,
        np.load(uninterrupted / "samples.npz") as expected,
    ):
        assert set(resumed) == set(expected)
        for name in expected:
            np.testing.assert_array_equal(resumed[name], expected[name])
    rows = history(path)
    assert without(rows, "seconds") == without(history(uninterrupted), "seconds")
    # The clock goes on where it stood.
    seconds = [float(row["seconds"]) for row in rows if row["seed"] == "1"]
    assert np.all(np.diff(seconds) > 0)
    metrics, expected = (
        strict(folder / "metrics.json") for folder in (path, uninterrupted)
    )
    clocks = ("wall_seconds", "compile_seconds")
    assert without(metrics["seeds"], *clocks) == without(expected["seeds"], *clocks)
    assert metrics["exact"] == expected["exact"]


def test_a_signal_ends_the_run_with_the_command_that_continues_it(
    tmp_path, monkeypatch, without_figures
):
    path = tmp_path / "run"
    outer = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        by_a_signal(monkeypatch)
        with pytest.raises(Stopped) as stop:
            execute(plain_run(), path)
    finally:
        signal.signal(signal.SIGTERM, outer)
    expected = f"stopped at step 20 of 30; continue with --output {path} --resume"
    assert str(stop.value) == expected


def test_a_line_that_a_crash_cut_short_does_not_stop_resume(
    uninterrupted, tmp_path, monkeypatch, without_figures
):
    path = tmp_path / "run"
    with monkeypatch.context() as patch:
        between_checkpoints(patch)
        with pytest.raises(Crash):
            execute(plain_run(), path)
    with (path / "history.csv").open("a") as file:
        file.write("1,2")  # the beginning of 1,20,...
    execute(plain_run(), path, resume=True)
    expected = without(history(uninterrupted), "seconds")
    assert without(history(path), "seconds") == expected


def test_checkpoints_remember_the_seconds_spent(tmp_path, monkeypatch, without_figures):
    original, saved = Checkpoints.save, []

    def save(checkpoints, states, seconds):
        saved.append(seconds)
        original(checkpoints, states, seconds)

    monkeypatch.setattr(Checkpoints, "save", save)
    monkeypatch.setattr(runs, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(judging, "build_draw", lambda *arguments: crash())
    with pytest.raises(Crash):
        execute(plain_run(), tmp_path / "run")
    assert len(saved) == 3
    assert saved[0]["wall"] < saved[1]["wall"] < saved[2]["wall"]
    assert all(seconds["compile"] > 0 for seconds in saved)


# Folders that cannot be used


def contents(path):
    return sorted(entry.relative_to(path) for entry in path.rglob("*"))


def refused(run, path, words, resume=False):
    with pytest.raises(UsageError) as error:
        execute(run, path, resume)
    assert words in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


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


def test_a_trained_run_is_judged_anew_with_other_settings_of_the_evaluation(
    uninterrupted, tmp_path, monkeypatch, without_figures
):
    """As after a refused report: what was trained is not trained again."""
    path = tmp_path / "run"
    with monkeypatch.context() as patch:
        after_training(patch)
        with pytest.raises(Crash):
            execute(plain_run(), path)
    monkeypatch.setattr(RunFolder, "append_history", lambda *arguments: crash())
    monkeypatch.setattr(Checkpoints, "save", lambda *arguments: crash())
    before = history(path)

    for name, value, words in (
        ("training.steps", 40, "(training.steps was 30, now 40)"),
        ("base.variance", 4.0, "(base.variance was 5.0, now 4.0)"),
    ):
        settings = PLAIN | {name: value, "evaluation.samples": 400}
        refused(resolve("gmm", "smoke", settings, 1, 2), path, words, resume=True)
    assert strict(path / "config.json")["evaluation"]["samples"] == 500

    settings = PLAIN | {"evaluation.samples": 400, "evaluation.keep": 30}
    metrics = execute(resolve("gmm", "smoke", settings, 1, 2), path, resume=True)
    assert history(path) == before
    assert [entry["steps"] for entry in metrics["seeds"]] == [30, 30]
    assert strict(path / "config.json")["evaluation"]["samples"] == 400
    with (
        np.load(path / "samples.npz") as found,
        np.load(uninterrupted / "samples.npz") as expected,
    ):
        assert found["x"].shape == (2, 30, 2)
        # of the same parameters, by the same keys
        np.testing.assert_array_equal(found["grid_log_q"], expected["grid_log_q"])


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_other_files_is_refused(tmp_path, resume):
    (tmp_path / "thesis.tex").write_text("\\begin{document}")
    refused(plain_run(), tmp_path, "holds files that are not a run's", resume)
    assert contents(tmp_path) == [contents(tmp_path)[0]]


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
        )


OWN = {name: value for name, value in TINY.items() if not name.startswith("target")}
UNKNOWN = ("forward_ess", "kl", "kl_error")


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
    assert metrics["aggregate"]["kl"] == {"mean": None, "std": None, "text": "-"}
    for name in ("ess", "log_z", "elbo", "leak"):
        assert entry[name] is not None
    # The orbit says how the two sectors should be filled.
    assert sum(entry["sectors_expected"]) == pytest.approx(1)
    assert min(entry["sectors_expected_error"]) > 0
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert files == FILES | FIGURES - {"density.png"}
    report = format_report(metrics)
    assert "ridge" in report
    assert "square" in report
    # The configuration is recognised again, though JSON knows no tuples.
    assert execute(run, tmp_path / "run", resume=True) == metrics


def test_a_run_whose_weights_are_not_numbers_ends_with_a_report(tmp_path, monkeypatch):
    monkeypatch.setitem(TARGETS, "ridge", Ridge(edge=1.0))
    settings = OWN | {"training.steps": 2, "training.chunk": 1}
    metrics = execute(resolve("ridge", "smoke", settings), tmp_path / "run")
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


class Unsaveable:
    """What raises an error when NumPy asks for its values."""

    def __array__(self, *arguments, **options):
        raise Crash


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write("metrics.json", {"ess": 0.5})
    with pytest.raises(ValueError, match="not JSON compliant"):
        folder.write("metrics.json", {"ess": float("nan")})
    assert folder.read("metrics.json") == {"ess": 0.5}
    assert folder.read("nothing.json") is None
    folder.write_arrays("samples.npz", {"x": np.arange(3)})
    with pytest.raises(Crash):
        folder.write_arrays("samples.npz", {"x": np.zeros(5), "y": Unsaveable()})
    with np.load(tmp_path / "samples.npz") as file:
        np.testing.assert_array_equal(file["x"], [0, 1, 2])


# Data


@pytest.fixture
def on_data(tmp_path, rng):
    """Return the settings of a run on data, and the folder that holds them."""
    for name in ("train", "test"):
        np.save(tmp_path / f"{name}.npy", rng.normal(0, 3, (60, 2)))
    return PLAIN | {
        "training.objective": "maximum_likelihood",
        "training.data": str(tmp_path / "train.npy"),
        "evaluation.data": str(tmp_path / "test.npy"),
    }


def test_a_run_on_data_resumes_bit_for_bit(tmp_path, monkeypatch, on_data):
    run = resolve("gmm", "smoke", on_data, 1, 2)
    metrics = execute(run, tmp_path / "whole")
    assert strict(tmp_path / "whole" / "metrics.json") == metrics
    assert "NLL" in format_report(metrics)
    for seed in metrics["seeds"]:
        assert seed["nll"] > 0
        assert seed["forward_from"] == "exact samples"
    # Nothing was drawn from the model in training: no ESS, and no figure of it.
    assert all(np.isnan(float(row["ess"])) for row in history(tmp_path / "whole"))
    assert not (tmp_path / "whole" / "ess.png").exists()

    monkeypatch.setattr(runs, "make_figures", lambda folder: [])
    with monkeypatch.context() as patch:
        between_checkpoints(patch)
        with pytest.raises(Crash):
            execute(run, tmp_path / "cut")
    execute(run, tmp_path / "cut", resume=True)
    rows = [history(tmp_path / name) for name in ("whole", "cut")]
    assert without(rows[0], "seconds") == without(rows[1], "seconds")

    # A finished run is read without its data.
    (tmp_path / "train.npy").unlink()
    assert execute(run, tmp_path / "whole", resume=True) == metrics


@pytest.mark.parametrize("section", ["training", "evaluation"])
def test_missing_data_are_refused_before_anything_is_written(
    tmp_path, on_data, section
):
    settings = on_data | {f"{section}.data": str(tmp_path / "gone.npy")}
    with pytest.raises(ValueError, match=f"^{section}.data='.*' cannot be read"):
        execute(resolve("gmm", "smoke", settings), tmp_path / "run")
    assert not (tmp_path / "run").exists()

"""An interrupted run loses nothing."""

import os
import signal

import jax
import numpy as np
import pytest
from small_runs import (
    PLAIN,
    Crash,
    history,
    plain_run,
    refused,
    results,
    strict,
    without,
)

from sesamo_jax.config import resolve
from sesamo_jax.run import execute as runs
from sesamo_jax.run.checkpoint import Checkpoints
from sesamo_jax.run.execute import Stopped, execute
from sesamo_jax.run.folder import RunFolder
from sesamo_jax.run.report.printed import format_report


@pytest.fixture(scope="module", autouse=True)
def _quick_compilation():
    """These tests compile much and compute little."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def without_figures(monkeypatch):
    monkeypatch.setattr(runs, "make_figures", lambda folder: [])


def crash():
    raise Crash


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "uninterrupted"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "make_figures", lambda folder: [])
        execute(plain_run(), path)
    return path


def at_line(step, action):
    """Return an `append_history` that does something once it has written a step."""
    original = RunFolder.append_history

    def append(folder, seeds, row):
        original(folder, seeds, row)
        if int(row["step"][0]) == step:
            action()

    return append


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
    patch.setattr("sesamo_jax.run.metrics.build_draw", lambda *arguments: crash())
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


def test_a_resumed_run_keeps_its_random_number_generator(
    uninterrupted, tmp_path, monkeypatch, without_figures
):
    path = tmp_path / "run"
    with monkeypatch.context() as patch:
        between_checkpoints(patch)
        with pytest.raises(Crash):
            execute(plain_run(), path)
    with jax.default_prng_impl("unsafe_rbg"):
        execute(plain_run(), path, resume=True)
    assert results(path) == results(uninterrupted)


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
    monkeypatch.setattr("sesamo_jax.run.metrics.build_draw", lambda *arguments: crash())
    with pytest.raises(Crash):
        execute(plain_run(), tmp_path / "run")
    assert len(saved) == 3
    assert saved[0]["wall"] < saved[1]["wall"] < saved[2]["wall"]
    assert all(seconds["compile"] > 0 for seconds in saved)


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


@pytest.mark.slow
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

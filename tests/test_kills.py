"""A run that is killed at one of its writes, or finds no room for it, goes on."""

import errno
import os
import re
import shutil
import sys
import threading
from contextlib import contextmanager

import jax
import pytest
from small_runs import PLAIN, Crash, plain_run, refused, results, strict

from sesamo_jax.config import resolve
from sesamo_jax.run import execute as runs
from sesamo_jax.run.execute import execute
from sesamo_jax.run.folder import RunFolder

# What Python says before it changes a file; a hook cannot be taken out again.
WRITES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}
watchers = []


def hook(event, arguments):
    if watchers and event in WRITES:
        flags = arguments[2] if event == "open" else os.O_WRONLY
        if flags & (os.O_WRONLY | os.O_RDWR):
            watchers[-1](event, str(arguments[0]))


sys.addaudithook(hook)


class Killed(BaseException):
    """What stands in for a kill: nothing is written after it, nor tidied up."""


@contextmanager
def failing_from(path, write, error, survivors=()):
    """Raise an error at a write below a folder and, but for survivors, at all later.

    Args:
        path: the folder.
        write: kind of the first one, and a pattern of its name.
        error: what is raised.
        survivors: kinds of writes that still succeed.
    """
    failed = False

    def watch(event, name):
        nonlocal failed
        if not name.startswith(str(path)):
            return
        name = name.removeprefix(str(path))
        failed |= event == write[0] and re.fullmatch(write[1], name) is not None
        if failed and event not in survivors:
            raise error

    watchers.append(watch)
    try:
        yield
    finally:
        watchers.pop()
    assert failed


OPENING = [
    ("os.mkdir", ""),
    ("open", "/.write_test"),
    ("os.remove", "/.write_test"),
    ("open", r"/\.config.json.part"),
    ("os.rename", r"/\.config.json.part"),
    ("open", r"/\.env.json.part"),
    ("os.rename", r"/\.env.json.part"),
]
WORKING = [
    ("os.mkdir", "/checkpoint"),
    ("open", "/history.csv"),
    ("os.mkdir", r"/checkpoint/20\.[^/]*"),
    ("os.rename", r"/checkpoint/20\.[^/]*"),
    ("open", r"/checkpoint/20/\.record.json.part"),
    ("os.rename", r"/checkpoint/20/\.record.json.part"),
    ("os.rmdir", "/checkpoint/10"),
    ("open", r"/\.samples.npz.part"),
    ("os.rename", r"/\.samples.npz.part"),
    ("open", r"/\.metrics.json.part"),
    ("os.rename", r"/\.metrics.json.part"),
]
LEFT = {"config.json", "env.json", "history.csv", "checkpoint"}


def name(write):
    return " ".join(write).replace("\\", "")


@pytest.fixture(scope="module")
def uninterrupted(no_training, tmp_path_factory):
    """Return what a run comes to that nothing interrupts."""
    path = tmp_path_factory.mktemp("runs") / "uninterrupted"
    execute(plain_run(), path)
    return results(path)


def resumed(path):
    """Resume a run and return what it comes to, and nothing else may be there."""
    execute(plain_run(), path, resume=True)
    assert {entry.name for entry in path.iterdir()} == {
        *LEFT,
        *("samples.npz", "metrics.json", "report.html"),
    }
    assert {entry.name for entry in (path / "checkpoint").iterdir()} == {"20", "30"}
    return results(path)


@pytest.mark.parametrize("write", OPENING + WORKING, ids=name)
def test_a_run_killed_at_a_write_resumes_bit_for_bit(write, uninterrupted, tmp_path):
    path = tmp_path / "run"
    with failing_from(path, write, Killed()), pytest.raises(Killed):
        execute(plain_run(), path)
    assert resumed(path) == uninterrupted


REFUSED = [write for write in WORKING if write[0] != "os.rmdir"]


@pytest.mark.parametrize("write", REFUSED, ids=name)
def test_a_full_disk_leaves_nothing_half_written(write, uninterrupted, tmp_path, capfd):
    path = tmp_path / "run"
    full = OSError(errno.ENOSPC, "No space left on device")
    with failing_from(path, write, full, ("os.remove", "os.rmdir")):
        with pytest.raises(OSError, match="No space left on device"):
            execute(plain_run(), path)
    assert capfd.readouterr() == ("", "")
    assert {entry.name for entry in path.iterdir()} <= {*LEFT, "samples.npz"}
    assert all(entry.name.isdigit() for entry in path.glob("checkpoint/*"))
    assert resumed(path) == uninterrupted


@pytest.mark.parametrize("write", OPENING[1:5], ids=name)
def test_a_killed_opening_is_no_run_yet(write, uninterrupted, tmp_path):
    """Also without resuming: nothing is there that could be lost."""
    path = tmp_path / "run"
    with failing_from(path, write, Killed()), pytest.raises(Killed):
        execute(plain_run(), path)
    execute(plain_run(), path)
    assert results(path) == uninterrupted


def crash(*arguments):
    raise Crash


@pytest.fixture
def trained(no_training, tmp_path, monkeypatch):
    """Return the folder of a run whose report failed."""
    path = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(runs, "judge", crash)
        with pytest.raises(Crash):
            execute(plain_run(), path)
    return path


def test_a_report_that_fails_costs_no_training(trained, uninterrupted, monkeypatch):
    monkeypatch.setattr(RunFolder, "append_history", crash)
    monkeypatch.setattr(runs.Checkpoints, "save", crash)
    execute(plain_run(), trained, resume=True)
    assert results(trained) == uninterrupted


def test_figures_that_fail_cost_no_report(trained, uninterrupted, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(runs, "make_figures", crash)
        with pytest.raises(Crash):
            execute(plain_run(), trained, resume=True)
    assert results(trained) == uninterrupted
    monkeypatch.setattr(runs, "judge", crash)
    monkeypatch.setattr(runs, "fit", crash)
    metrics = execute(plain_run(), trained, resume=True)
    assert metrics == strict(trained / "metrics.json")


def test_a_run_goes_on_from_the_step_before_a_damaged_one(
    trained, uninterrupted, capfd
):
    path = max((trained / "checkpoint" / "30").rglob("*"), key=lambda x: x.is_file())
    path.write_bytes(path.read_bytes()[:-1] + b"~")
    execute(plain_run(), trained, resume=True)
    assert results(trained) == uninterrupted
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"{trained / 'checkpoint' / '30'} cannot be read" in err
    assert {entry.name for entry in (trained / "checkpoint").iterdir()} == {"20", "30"}


def test_the_checkpoint_of_another_run_of_equal_shapes_is_refused(trained, tmp_path):
    other = tmp_path / "other"
    execute(resolve("gmm", "smoke", PLAIN | {"target.radius": 4.0}, 1, 2), other)
    shutil.rmtree(trained / "checkpoint")
    shutil.copytree(other / "checkpoint", trained / "checkpoint")
    with pytest.raises(ValueError, match="30 is the checkpoint of another configurat"):
        execute(plain_run(), trained, resume=True)


def test_all_of_a_resumed_run_keeps_its_random_number_generator(
    trained, uninterrupted, monkeypatch
):
    """Also what is drawn for building the model, and for the report."""
    found = []

    def noting(function):
        def call(*arguments):
            found.append(str(jax.random.key_impl(jax.random.key(0))))
            return function(*arguments)

        return call

    monkeypatch.setattr(runs, "build_model", noting(runs.build_model))
    monkeypatch.setattr(runs, "judge", noting(runs.judge))
    (trained / "checkpoint" / "30" / "record.json").write_text("{")
    with jax.default_prng_impl("rbg"):
        execute(plain_run(), trained, resume=True)
    assert found == ["threefry2x32"] * 2
    assert results(trained) == uninterrupted


def test_a_run_outside_the_main_thread_is_that_run(uninterrupted, tmp_path):
    """Signals are heard in the main thread alone."""
    path = tmp_path / "run"
    thread = threading.Thread(target=execute, args=(plain_run(), path))
    thread.start()
    thread.join()
    assert results(path) == uninterrupted


def test_a_name_that_is_not_utf8_is_refused(tmp_path):
    """As a terminal without UTF-8 makes of letters; no checkpoint can be there."""
    path = tmp_path / "l\udcc3\udca4uft"
    refused(plain_run(), path, "has a name that is not UTF-8")
    assert not path.exists()


def test_letters_beyond_ascii_are_fine(uninterrupted, tmp_path):
    execute(plain_run(), tmp_path / "läuft")
    assert results(tmp_path / "läuft") == uninterrupted

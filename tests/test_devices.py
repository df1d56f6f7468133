"""Many devices and processes: the same run, shared out."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from tolerances import F64

from sesamo_jax.config import resolve
from sesamo_jax.parallel.devices import ONE_DEVICE, place
from sesamo_jax.parallel.processes import Group, exchange, from_first, join, together
from sesamo_jax.run.execute import execute

TESTS = Path(__file__).parent
SCRIPT = TESTS.parent / "experiments" / "run.py"
QUICK = "--xla_backend_optimization_level=0"


def environment(devices):
    flags = f"{QUICK} --xla_force_host_platform_device_count={devices}"
    path = os.pathsep.join([str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"XLA_FLAGS": flags, "PYTHONPATH": path}


# Of the program on eight devices, which compiles everything for them; half a minute.
on_eight = pytest.mark.slow


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Return what `on_eight_devices` has printed."""
    done = subprocess.run(
        [sys.executable, TESTS / "on_eight_devices.py", tmp_path_factory.mktemp("at")],
        env=environment(8),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_same(found, expected, chunks=slice(None)):
    np.testing.assert_allclose(found["loss"], expected["loss"][chunks], rtol=F64)
    np.testing.assert_allclose(found["params"], expected["params"], rtol=1e-8)


@on_eight
def test_eight_devices_train_as_one_does(seen):
    assert_same(seen["eight"], seen["one"])


@on_eight
def test_seeds_are_spread_first_and_batches_over_the_rest(seen):
    assert seen["grid"] == {"seeds": 4, "batch": 2}
    assert_same(seen["seeds"], seen["one_of_four_seeds"])


@on_eight
def test_one_of_eight_devices_is_used_unless_more_are_asked_for(seen):
    assert seen["unasked"] == {"seeds": 1, "batch": 1}


def test_one_device_is_used_unless_more_are_asked_for():
    assert place(None, 3, 7) is place(1, 3, 7) is ONE_DEVICE


@on_eight
@pytest.mark.parametrize("way", ["one_then_eight", "eight_then_one"])
def test_a_run_resumes_on_another_number_of_devices(way, seen):
    assert_same(seen[way], seen["one"], slice(1, None))


@on_eight
def test_each_device_has_its_share_of_the_work(seen):
    one, eight = seen["flops"]["batch"]
    assert eight < one / 6  # what all of them repeat is small
    alone, two_of_eight = seen["flops"]["seeds"]
    assert two_of_eight == pytest.approx(alone, rel=0.01)


@on_eight
def test_fourier_transforms_stay_on_their_device(seen):
    assert seen["fourier"] < 1e-12


@on_eight
def test_devices_that_do_not_suit_are_refused(seen):
    many, uneven, none = seen["refused"]
    assert many.startswith("devices=9 are more than the 8 of kind cpu")
    assert many.endswith("ask for at most 8")
    assert "training.batch_size=50 with seeds=2 does not divide over 8" in uneven
    assert "use training.batch_size=52, a multiple of 8 seeds" in uneven
    assert none == "devices=0 must be at least 1"


# Several processes

TINY = {
    "target.dtype": "float64",
    "flow.couplings": 1,
    "flow.layers": 0,
    "flow.width": 4,
    "training.steps": 6,
    "training.chunk": 2,
    "training.batch_size": 32,
    "evaluation.samples": 500,
    "evaluation.keep": 500,
}


def start(*arguments):
    words = [word for pair in TINY.items() for word in ("--set", "{}={}".format(*pair))]
    return subprocess.Popen(
        [sys.executable, SCRIPT, "--target", "gmm", "--preset", "smoke", *words]
        + [*arguments],
        env=environment(1),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def together_on(coordinator, *arguments):
    """Return exit codes, outputs and errors of two processes."""
    group = ["--coordinator", coordinator, "--processes", "2", "--process"]
    both = [start(*arguments, *group, index) for index in "01"]
    outputs = [process.communicate(timeout=300) for process in both]
    return [process.returncode for process in both], *zip(*outputs, strict=True)


@pytest.mark.slow  # four processes that train; the quick ones are below
def test_two_processes_carry_out_one_run(tmp_path):
    coordinator = f"127.0.0.1:{free_port()}"
    execute(resolve("gmm", "smoke", TINY), tmp_path / "one")
    codes, outputs, errors = together_on(coordinator, "--output", tmp_path / "two")
    assert codes == [0, 0], errors
    assert "log Z" in outputs[0]
    assert "log Z" not in outputs[1]
    names = [{p.name for p in (tmp_path / name).iterdir()} for name in ("one", "two")]
    assert names[0] == names[1]
    environment = json.loads((tmp_path / "two" / "env.json").read_text())
    assert environment["mesh"] == {"seeds": 1, "batch": 2}
    found, expected = (
        np.genfromtxt(tmp_path / name / "history.csv", delimiter=",", names=True)
        for name in ("two", "one")
    )
    assert found["step"].tolist() == [2, 4, 6]
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-6)
    with (
        np.load(tmp_path / "two" / "samples.npz") as found,
        np.load(tmp_path / "one" / "samples.npz") as expected,
    ):
        np.testing.assert_allclose(found["log_w"], expected["log_w"], rtol=1e-8)

    # A refusal by the first process ends both.
    codes, _, errors = together_on(coordinator, "--output", tmp_path / "two")
    assert codes == [2, 2]
    for error in errors:
        assert "already holds a run" in error.splitlines()[-1]


@pytest.mark.parametrize(
    ("process", "words"),
    [
        (0, "only 1 of 2 processes came to {} within 1 s: start the others"),
        (1, "coordinator={} did not answer process 1 within 1 s: start all"),
    ],
)
def test_processes_do_not_wait_forever(process, words):
    coordinator = f"127.0.0.1:{free_port()}"
    with pytest.raises(ValueError, match=words.format(coordinator)):
        join(Group(coordinator, 2, process, wait=1))


def test_a_port_in_use_is_refused():
    with socket.create_server(("", 0)) as server:
        coordinator = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ValueError, match="cannot listen there .*: choose a free"):
            join(Group(coordinator, 2, 0, wait=1))


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (Group("node1", 2, 0), "coordinator='node1' must have the form HOST:PORT"),
        (Group("node1:x", 2, 0), "must have the form HOST:PORT"),
        (Group("node1:1234"), "coordinator=node1:1234 also needs processes=N"),
        (Group(processes=0), "processes=0 must be at least 1"),
        (Group("node1:1234", 2, 2), "process=2 must be from 0 to processes - 1"),
        (Group(process=1), "process=1 must be from 0"),
        (Group("node1:1234", 2, 0, wait=0), "wait=0 must be at least 1 second"),
    ],
)
def test_a_wrong_description_is_refused(group, words):
    with pytest.raises(ValueError, match=words):
        join(group)


def test_without_a_scheduler_the_description_must_be_complete(monkeypatch):
    def initialize(*arguments, **options):
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", initialize)
    with pytest.raises(ValueError, match="need coordinator=HOST:PORT, processes=N"):
        join(Group(processes=2))


def test_one_process_has_nothing_to_join_or_to_exchange():
    join(Group())
    join(Group(processes=1))
    assert exchange("own") == ["own"]
    assert together(lambda: 3) == from_first(lambda: 3) == 3


def test_slurm_steps_of_several_tasks_join_by_themselves(monkeypatch):
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    assert not Group().alone
    assert Group(processes=1).alone
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    assert Group().alone

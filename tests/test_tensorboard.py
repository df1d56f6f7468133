"""The history as TensorBoard's events, read back as the file format has it."""

import struct
import sys

import numpy as np
import pytest
from small_runs import Crash, history, plain_run

from sesamo_jax.config import resolve
from sesamo_jax.run.checkpoint import Checkpoints
from sesamo_jax.run.execute import execute
from sesamo_jax.run.history import COLUMNS


@pytest.fixture
def tensorboard():
    pytest.importorskip("tensorboardX", reason="the extra is not installed")


def events(path):
    """Yield the events of a file: length, its checksum, event, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    content = path.read_bytes()
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        event = Event()
        event.ParseFromString(content[12 : 12 + length])
        yield event
        content = content[16 + length :]


def curves(folder):
    """Return {name: {step: value}} of a seed, and the time at each step."""
    values, moments = {}, {}
    files = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    for path in files:
        for event in events(path):
            if event.HasField("session_log"):  # a new start, from its step on
                values = {
                    name: {step: v for step, v in curve.items() if step < event.step}
                    for name, curve in values.items()
                }
            for value in event.summary.value:
                assert event.step not in values.get(value.tag, {}), "written twice"
                values.setdefault(value.tag, {})[event.step] = value.simple_value
                moments[event.step] = event.wall_time
    return values, moments


def check_events(path):
    """Compare the events of a run folder with its history."""
    rows = history(path)
    for seed in ("1", "2"):
        own = [row for row in rows if row["seed"] == seed]
        values, moments = curves(path / "tensorboard" / f"seed_{seed}")
        assert set(values) == set(COLUMNS) - {"seed", "step", "seconds"}
        assert len(own) == 3
        for name, curve in values.items():
            assert list(curve) == [10, 20, 30]
            expected = [float(row[name]) for row in own]
            np.testing.assert_allclose(list(curve.values()), expected, rtol=1e-6)
        passed = np.diff([float(row["seconds"]) for row in own])
        # to the resolution of a time since 1970 in float64
        np.testing.assert_allclose(np.diff(list(moments.values())), passed, atol=1e-5)


def test_events_are_the_history(tensorboard, no_training, tmp_path):
    execute(plain_run(), tmp_path / "run", tensorboard=True)
    check_events(tmp_path / "run")


@pytest.mark.parametrize("before", [True, False])
def test_a_resumed_run_has_the_events_of_all_of_its_history(
    before, tensorboard, no_training, tmp_path, monkeypatch
):
    """Whether it wrote events before it was interrupted, or begins to."""
    save = Checkpoints.save

    def crash(self, states, seconds):
        if int(states.step[0]) == 20:
            raise Crash
        save(self, states, seconds)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", crash)
        with pytest.raises(Crash):
            execute(plain_run(), tmp_path / "run", tensorboard=before)
    assert len(history(tmp_path / "run")) == 4  # two steps of two seeds, one saved
    for path in (tmp_path / "run").glob("tensorboard/*/*"):
        path.rename(f"{path}.before")  # names have the second, and must not be the same
    execute(plain_run(), tmp_path / "run", resume=True, tensorboard=True)
    check_events(tmp_path / "run")


def test_values_that_are_not_finite_are_left_out(tensorboard, tmp_path):
    from sesamo_jax.run.tensorboard import TensorBoardFolder

    folder = TensorBoardFolder(tmp_path)
    row = {name: np.array([1.5]) for name in COLUMNS} | {"step": np.array([7])}
    folder.append_history([0], row | {"loss": np.array([np.nan])})
    folder.close()
    values, _ = curves(tmp_path / "tensorboard" / "seed_0")
    assert "loss" not in values
    assert values["ess"] == {7: 1.5}


def test_without_the_library_or_a_training_one_sentence_and_no_file(
    tmp_path, monkeypatch
):
    chains = resolve("gmm", "smoke", {"method": "hmc"})
    with pytest.raises(ValueError, match="method 'hmc' trains nothing: tensorboard"):
        execute(chains, tmp_path / "run", tensorboard=True)
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ValueError, match=r"pip install 'sesamo-jax\[tensorboard\]'"):
        execute(plain_run(), tmp_path / "run", tensorboard=True)
    assert not (tmp_path / "run").exists()

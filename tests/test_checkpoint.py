"""Checkpoints of training states."""

import json
import logging
import os
import shutil
from contextlib import closing
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sesamo_jax import Config, RealNVPConfig, build_model, build_target
from sesamo_jax.run.checkpoint import KEPT, Checkpoints
from sesamo_jax.run.seal import RECORD
from sesamo_jax.training.state import TrainState, init_states

CONFIG = Config(method="realnvp", flow=RealNVPConfig(couplings=2, layers=0, width=4))
SECONDS = {"wall": 1.25, "compile": 3.5}


@pytest.fixture(scope="module")
def states():
    """Two members, with numbers in every leaf that no initialisation has."""
    target = build_target("gmm")
    states = init_states(build_model(target, CONFIG), CONFIG, [3, 8])
    leaves, tree = jax.tree.flatten(states._replace(key=None))
    leaves = [leaf + jnp.asarray(i, leaf.dtype) for i, leaf in enumerate(leaves)]
    return jax.tree.unflatten(tree, leaves)._replace(key=states.key, step=at(7))


@pytest.fixture
def checkpoints(tmp_path):
    checkpoints = Checkpoints(tmp_path / "checkpoint")
    yield checkpoints
    checkpoints.close()


def at(step):
    return jnp.full(2, step, jnp.int32)


def blank(states):
    """Return states of the same structure that hold nothing."""
    zeros = jax.tree.map(jnp.zeros_like, states._replace(key=None))
    return zeros._replace(key=jax.random.split(jax.random.key(0), 2))


def assert_same(first, second):
    def same(a, b):
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            assert a.dtype == b.dtype
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)

    assert jax.tree.structure(first) == jax.tree.structure(second)
    jax.tree.map(same, first, second)


def test_states_come_back_bit_for_bit(checkpoints, states, tmp_path):
    assert checkpoints.latest_step() is None
    checkpoints.save(states, SECONDS)
    assert checkpoints.latest_step() == 7
    again = Checkpoints(tmp_path / "checkpoint")
    restored, seconds = again.restore(blank(states))
    again.close()
    assert isinstance(restored, TrainState)
    assert_same(restored, states)
    assert seconds == SECONDS
    # The key still is one: it draws what the saved one draws.
    draws = [jax.random.normal(s.key[1], (3,)) for s in (restored, states)]
    np.testing.assert_array_equal(*draws)


def test_the_last_of_several_steps_is_restored_and_two_are_kept(
    checkpoints, states, tmp_path
):
    assert KEPT == 2
    for step in (10, 20, 30):
        checkpoints.save(states._replace(step=at(step)), SECONDS)
    restored, _ = checkpoints.restore(blank(states))
    np.testing.assert_array_equal(restored.step, [30, 30])
    folders = {path.name for path in (tmp_path / "checkpoint").iterdir()}
    assert folders == {"20", "30"}


def test_saving_a_step_twice_is_no_error(checkpoints, states):
    checkpoints.save(states, SECONDS)
    checkpoints.save(states, {"wall": 99.0, "compile": 99.0})
    assert checkpoints.restore(blank(states))[1] == SECONDS


FULL = "No space left on device"
REFUSALS = {
    "python": OSError(28, FULL),
    # What tensorstore makes of the same when it writes the arrays.
    "tensorstore": ValueError(
        f'RESOURCE_EXHAUSTED: Error writing local file "x": {FULL} [os_error_code=28]'
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_full_disk_is_an_os_error_and_leaves_the_earlier_steps(
    refusal, checkpoints, states, monkeypatch
):
    checkpoints.save(states._replace(step=at(10)), SECONDS)

    def full(*args, **kwargs):
        raise refusal

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints._manager, "save", full)
        with pytest.raises(OSError, match=FULL):
            checkpoints.save(states._replace(step=at(20)), SECONDS)
    assert checkpoints.latest_step() == 10
    restored, _ = checkpoints.restore(blank(states))
    assert_same(restored, states._replace(step=at(10)))


def test_a_write_that_dies_half_way_does_not_count(states, tmp_path):
    folder = tmp_path / "checkpoint"
    first = Checkpoints(folder)
    first.save(states._replace(step=at(10)), SECONDS)
    first.close()
    # What an interrupted write leaves behind: a folder under a temporary name.
    (folder / "20.orbax-checkpoint-tmp").mkdir()
    (folder / "20.orbax-checkpoint-tmp" / "part").write_text("half")
    logging.disable(logging.WARNING)
    try:
        again = Checkpoints(folder)
        assert again.latest_step() == 10
        restored, _ = again.restore(blank(states))
        again.save(states._replace(step=at(20)), SECONDS)
        assert again.latest_step() == 20
        again.close()
    finally:
        logging.disable(logging.NOTSET)
    np.testing.assert_array_equal(restored.step, [10, 10])


# Damage

EARLIER = {"wall": 0.1, "compile": 3.3}


@pytest.fixture(scope="module")
def two_steps(states, tmp_path_factory):
    """Return a folder of two steps, one of whose arrays is of more than a few bytes.

    Large ones are stored without a checksum by the library itself.
    """
    folder = tmp_path_factory.mktemp("checkpoints") / "two"
    noise = np.random.default_rng(5).normal(size=(2, 9000)).astype(np.float32)
    large = states._replace(params=states.params | {"large": jnp.asarray(noise)})
    checkpoints = Checkpoints(folder, ["mine"])
    checkpoints.save(large._replace(step=at(10)), EARLIER)
    checkpoints.save(large._replace(step=at(20)), SECONDS)
    checkpoints.close()
    return folder, large


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink, replace_by_folder])
def test_the_step_before_a_damaged_one_is_taken(two_steps, damage, tmp_path, capfd):
    whole, states = two_steps
    files = sorted(x.relative_to(whole) for x in whole.glob("20/**/*") if x.is_file())
    assert max((whole / file).stat().st_size for file in files) > 9000
    # Without its record a step is as earlier versions wrote it.
    files.remove(Path("20") / RECORD)
    for number, file in enumerate(files):
        folder = tmp_path / str(number)
        shutil.copytree(whole, folder)
        damage(folder / file)
        checkpoints = Checkpoints(folder, ["mine"])
        restored, seconds = checkpoints.restore(blank(states))
        assert_same(restored, states._replace(step=at(10)))
        assert seconds == EARLIER
        out, err = capfd.readouterr()
        assert (out, err.count("\n")) == ("", 1), file
        assert f"{folder / '20'} cannot be read" in err
        assert "step 10 before it is taken" in err
        # Steps go on from there, over the damaged one.
        if number == 0:
            checkpoints.save(states._replace(step=at(15)), SECONDS)
            assert checkpoints.latest_step() == 15
            assert_same(checkpoints.restore(blank(states))[0].step, at(15))
        checkpoints.close()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("damage", [flip, cut, replace_by_folder])
def test_a_damaged_record_is_damage(two_steps, damage, tmp_path, capfd):
    whole, states = two_steps
    folder = tmp_path / "checkpoint"
    shutil.copytree(whole, folder)
    damage(folder / "20" / RECORD)
    with closing(Checkpoints(folder, ["mine"])) as checkpoints:
        assert_same(checkpoints.restore(blank(states))[0].step, at(10))
    assert capfd.readouterr().err.count("\n") == 1


def test_a_record_of_other_settings_does_not_agree_with_its_checksum(
    two_steps, tmp_path, capfd
):
    whole, states = two_steps
    for name, value in (("configuration", "other"), ("generator", "rbg")):
        folder = tmp_path / name
        shutil.copytree(whole, folder)
        path = folder / "20" / RECORD
        path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
        with closing(Checkpoints(folder, ["mine"])) as checkpoints:
            assert_same(checkpoints.restore(blank(states))[0].step, at(10))
        assert "its checksum does not agree" in capfd.readouterr().err


def test_where_no_step_can_be_read_both_are_named(two_steps, tmp_path):
    whole, states = two_steps
    folder = tmp_path / "checkpoint"
    shutil.copytree(whole, folder)
    for step in ("10", "20"):
        cut(folder / step / RECORD)
    with closing(Checkpoints(folder, ["mine"])) as checkpoints:
        with pytest.raises(ValueError, match=r"restore a copy, or remove") as error:
            checkpoints.restore(blank(states))
        for step in ("10", "20"):
            assert f"{folder / step} cannot be read" in str(error.value)
        assert "\n" not in str(error.value)
    assert {path.name for path in folder.iterdir()} == {"10", "20"}


def test_the_checkpoint_of_another_configuration_is_refused(two_steps, capfd):
    whole, states = two_steps
    with closing(Checkpoints(whole, ["other"])) as checkpoints:
        with pytest.raises(ValueError, match="20 is the checkpoint of another conf"):
            checkpoints.restore(blank(states))
    with closing(Checkpoints(whole, ["other", "mine"], read_only=True)) as several:
        assert_same(several.restore(blank(states))[0].step, at(20))
    assert capfd.readouterr() == ("", "")


def test_a_step_without_a_checksum_is_taken_with_a_line(two_steps, tmp_path, capfd):
    """As earlier versions left it, or a kill between the step and its record."""
    whole, states = two_steps
    folder = tmp_path / "checkpoint"
    shutil.copytree(whole, folder)
    (folder / "20" / RECORD).unlink()
    with closing(Checkpoints(folder, ["mine"])) as checkpoints:
        restored, _ = checkpoints.restore(blank(states))
    assert_same(restored, states._replace(step=at(20)))
    err = capfd.readouterr().err
    assert err == f"{folder / '20'} has no checksum, and is taken as it is\n"


def test_keys_stay_of_the_generator_that_they_were_saved_with(states, tmp_path):
    keys = jax.random.split(jax.random.key(3, impl="rbg"), 2)
    with closing(Checkpoints(tmp_path / "rbg")) as checkpoints:
        checkpoints.save(states._replace(key=keys), SECONDS)
        restored, _ = checkpoints.restore(blank(states))
        assert_same(restored, states._replace(key=keys))
    with closing(Checkpoints(tmp_path / "default")) as checkpoints:
        checkpoints.save(states, SECONDS)
        with jax.default_prng_impl("unsafe_rbg"):
            assert_same(checkpoints.restore(blank(states))[0], states)


def test_what_is_read_only_is_left_as_it_is(two_steps, tmp_path):
    whole, states = two_steps
    folder = tmp_path / "checkpoint"
    shutil.copytree(whole, folder)
    (folder / "30.orbax-checkpoint-tmp").mkdir()  # of a run that is at work
    before = sorted(folder.rglob("*"))
    with closing(Checkpoints(folder, ["mine"], read_only=True)) as checkpoints:
        assert_same(checkpoints.restore(blank(states))[0].step, at(20))
    assert sorted(folder.rglob("*")) == before
    # A run itself removes what was not written, or not removed, whole.
    (folder / "3").mkdir()
    Checkpoints(folder, ["mine"]).close()
    assert {path.name for path in folder.iterdir()} == {"10", "20"}


def test_room_for_a_step_is_asked_for_before_it_is_written(
    two_steps, tmp_path, monkeypatch
):
    """Where the library itself runs out of it, its threads print without end."""
    whole, states = two_steps
    asked = []

    def fallocate(file, offset, size):
        asked.append(size)
        raise OSError(28, FULL)

    with closing(Checkpoints(tmp_path / "checkpoint")) as checkpoints:
        with monkeypatch.context() as patch:
            patch.setattr(os, "posix_fallocate", fallocate, raising=False)
            with pytest.raises(OSError, match=FULL):
                checkpoints.save(states, SECONDS)
        assert list((tmp_path / "checkpoint").iterdir()) == []
        checkpoints.save(states, SECONDS)
    # That is enough, in blocks, and not far too much.
    files = [path for path in (whole / "20").rglob("*") if path.is_file()]
    used = sum(-(-path.stat().st_size // 4096) * 4096 for path in files)
    assert used < asked[0] < 4 * used

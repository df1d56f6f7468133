"""Checkpoints of training states, and saved parameters."""

import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sesamo_jax import Config, RealNVPConfig, build_model, build_target, load, save
from sesamo_jax.checkpoint import KEPT, Checkpoints
from sesamo_jax.train import TrainState, init_states

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


def test_parameters_come_back_bit_for_bit(states, tmp_path):
    save(tmp_path / "params", states.params)
    like = jax.tree.map(jnp.zeros_like, states.params)
    assert_same(load(tmp_path / "params", like), states.params)


def test_parameters_are_not_overwritten(states, tmp_path):
    save(tmp_path / "params", states.params)
    other = jax.tree.map(jnp.zeros_like, states.params)
    with pytest.raises(ValueError, match="exists"):
        save(tmp_path / "params", other)
    assert_same(load(tmp_path / "params", other), states.params)


def test_parameters_of_another_structure_are_refused(states, tmp_path):
    save(tmp_path / "params", states.params)
    with pytest.raises(ValueError, match=r"\w"):
        load(tmp_path / "params", {**states.params, "flow": {"params": {}}})


def test_parameters_of_another_shape_are_refused(tmp_path):
    save(tmp_path / "params", {"logits": jnp.zeros(2)})
    with pytest.raises(ValueError, match=r"shape: \(3,\)"):
        load(tmp_path / "params", {"logits": jnp.zeros(3)})


def test_missing_parameters_are_named(states, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load(tmp_path / "nowhere", states.params)

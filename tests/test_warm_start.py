"""Starting from a trained run: parameters keep their meaning on a larger lattice."""

import json
import shutil
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import random_params
from small_runs import plain_run
from tolerances import F64

from sesamo_jax import build_model
from sesamo_jax.config import complete, resolve
from sesamo_jax.flows.continuous.lattice import ContinuousConfig
from sesamo_jax.flows.continuous.slice import SliceContinuousConfig
from sesamo_jax.geometry.lattice import Lattice, displacement_classes
from sesamo_jax.geometry.sublattice import EvenSites
from sesamo_jax.run.execute import execute
from sesamo_jax.run.folder import RunFolder
from sesamo_jax.run.warm_start import enlarge, warm_start
from sesamo_jax.training.state import init_states

slow = partial(pytest.param, marks=pytest.mark.slow)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "tail", "small", "large"),
    [
        (ContinuousConfig(steps=3, slope=1e3), (), (4, 6), (8, 6)),
        # Odd extents, and three dimensions.
        slow(ContinuousConfig(steps=3, slope=1e3), (), (3, 3), (6, 6)),
        slow(ContinuousConfig(steps=3, slope=1e3), (), (2, 4, 2), (4, 4, 6)),
        (SliceContinuousConfig(steps=3, slope=1e3), (2,), (4, 4), (8, 8)),
    ],
)
def test_an_enlarged_flow_maps_repeated_fields_alike(config, tail, small, large, rng):
    """A field of the small lattice's period sees the same velocity everywhere.

    The bound on slopes counts more waves on a larger lattice: it is out of reach here.
    """
    copies = tuple(b // a for a, b in zip(small, large, strict=True))
    flow, larger = (config.build(shape + tail, jnp.float64) for shape in (small, large))
    z = rng.normal(size=small + tail)
    if tail:  # on the slice
        z -= np.mean(z, axis=(0, 1))
        z[..., 0] += 1.3

    def init(flow, z):
        return flow.init(jax.random.key(0), z, method="forward_and_log_det")

    params = random_params(lambda: init(flow, z), rng)
    params = jax.tree.map(lambda leaf: 0.3 * leaf, params)
    tiled = np.tile(z, copies + (1,) * len(tail))
    more = enlarge(params, init(larger, tiled), Lattice(small), Lattice(large))
    y, log_det = flow.apply(params, z, method="forward_and_log_det")
    tiled_y, tiled_log_det = larger.apply(more, tiled, method="forward_and_log_det")
    assert np.max(np.abs(y - z)) > 0.01
    expected = np.tile(y, copies + (1,) * len(tail))
    np.testing.assert_allclose(tiled_y, expected, atol=F64)
    if not tail:  # the volume factor of the slice counts once
        assert float(tiled_log_det) == pytest.approx(np.prod(copies) * float(log_det))


@pytest.mark.parametrize("sites", [Lattice, EvenSites])
def test_an_enlarged_spectrum_agrees_at_common_momenta(sites, rng):
    small, large = sites((4, 6)), sites((8, 12))
    classes, first = small.momentum_classes()
    new_classes, new_first = large.momentum_classes()
    start = jnp.asarray(rng.normal(size=(2, first.size)))
    path = {"params": {"base": {"log_variance": start}}}
    assert first.size == (12 if sites is Lattice else 6)
    new = {"params": {"base": {"log_variance": jnp.zeros((2, new_first.size))}}}
    more = enlarge(path, new, small, large)["params"]["base"]["log_variance"]
    old = np.asarray(path["params"]["base"]["log_variance"])
    common = np.asarray(more)[:, new_classes[::2, ::2]]
    np.testing.assert_allclose(common, old[:, classes], atol=F64)


def test_what_does_not_fit_is_refused():
    old = {"kernel": jnp.zeros((3, 7, displacement_classes((4, 4))[1].size))}
    smaller = {"kernel": jnp.zeros((3, 7, displacement_classes((2, 2))[1].size))}
    with pytest.raises(ValueError, match=r"parameter kernel has shape .* no smaller"):
        enlarge(old, smaller, Lattice((4, 4)), Lattice((2, 2)))
    with pytest.raises(ValueError, match="has no parameter mean"):
        enlarge(old, {"mean": jnp.zeros(())}, Lattice((4, 4)), Lattice((4, 4)))


@pytest.mark.slow  # three runs; what starts from what is tested above and below
def test_a_run_starts_from_another(tmp_path):
    settings = {
        "target.shape": "4,4",
        "base.kind": "gaussian",  # a start far from the target
        "flow.steps": 4,
        "flow.features": 3,
        "training.steps": 40,
        "training.batch_size": 256,
        "training.chunk": 1,
        "evaluation.samples": 500,
        "evaluation.keep": 10,
        "evaluation.largest_error": 1.0,
    }
    first, second = tmp_path / "first", tmp_path / "second"
    execute(resolve("phi4_real", settings=settings), first)
    later = {"training.steps": 1, "training.warm_start": str(first)}
    execute(resolve("phi4_real", settings=settings | later), second)
    losses = [RunFolder(path).read_history()["loss"] for path in (first, second)]
    cold, trained, warm = losses[0].flat[0], losses[0].flat[-1], losses[1].flat[0]
    assert cold - warm > 0.5 * (cold - trained) > 1


def test_a_folder_without_a_trained_run_is_refused(tmp_path):
    settings = {"training.warm_start": str(tmp_path / "nowhere"), "flow.steps": 2}
    with pytest.raises(ValueError, match="holds no run with a checkpoint"):
        execute(resolve("phi4_real", settings=settings), tmp_path / "none")


@pytest.fixture
def source(no_training, tmp_path):
    """Return the folder of a run, and initial states of another that start from it."""
    run = plain_run()
    execute(run, tmp_path / "source")
    target = run.target.build("gmm")
    config = complete(run.config, target)
    return tmp_path / "source", init_states(build_model(target, config), config, [7])


def edit(path, change):
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))


def without_sections(tree):
    """As a version wrote it that did not have them."""
    del tree["vmonf"], tree["worldlines"], tree["smc"]
    del tree["training"]["likelihood_share"]


def test_an_earlier_version_of_a_run_is_started_from(source, capsys):
    path, states = source
    expected = warm_start(states, plain_run(), str(path)).params
    edit(path / "config.json", without_sections)
    found = warm_start(states, plain_run(), str(path)).params
    assert capsys.readouterr().err == ""
    for step in (path / "checkpoint").iterdir():
        (step / "record.json").unlink()
    unchecked = warm_start(states, plain_run(), str(path)).params
    assert "30 has no checksum, and is taken" in capsys.readouterr().err
    for params in (found, unchecked):
        jax.tree.map(np.testing.assert_array_equal, params, expected)


WRONG = {
    "no target": lambda tree: tree.pop("target"),
    "no method": lambda tree: tree.pop("method"),
    "a target without a name": lambda tree: tree["target"].pop("name"),
    "a section that is none": lambda tree: tree.update(flow=3),
    "a field that is not known": lambda tree: tree["flow"].update(colour="blue"),
    "a value that is impossible": lambda tree: tree["flow"].update(width="wide"),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_configuration_that_is_none_is_named(change, source):
    path, states = source
    edit(path / "config.json", change)
    with pytest.raises(ValueError, match=r"config.json .*: start from another run"):
        warm_start(states, plain_run(), str(path))


def test_the_checkpoint_of_another_run_is_no_start(source):
    path, states = source
    edit(path / "config.json", lambda tree: tree["target"].update(radius=4.5))
    with pytest.raises(ValueError, match="30 is the checkpoint of another configurat"):
        warm_start(states, plain_run(), str(path))


def test_a_flow_on_other_sites_is_no_start(source):
    path, states = source
    run = plain_run()
    run = replace(run, config=replace(run.config, sites="even"))
    with pytest.raises(ValueError, match="on all sites, and this one is on even"):
        warm_start(states, run, str(path))


def test_a_run_without_a_checkpoint_yet_is_no_start(source):
    path, states = source
    for step in (path / "checkpoint").iterdir():
        shutil.rmtree(step)
    with pytest.raises(ValueError, match="holds no checkpoint yet: wait for one"):
        warm_start(states, plain_run(), str(path))

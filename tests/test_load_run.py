"""Runs read back: history, metrics, weighted samples and the samplers of all seeds."""

import json
import shutil

import numpy as np
import pytest
from small_runs import TINY

from sesamo_jax import load_run
from sesamo_jax.config import resolve
from sesamo_jax.config.record import to_json
from sesamo_jax.run import execute as runs
from sesamo_jax.run.execute import execute
from sesamo_jax.run.folder import RunFolder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the folder of a run of two seeds with a heat bath."""
    path = tmp_path_factory.mktemp("runs") / "run"
    settings = TINY | {"evaluation.audit": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "make_figures", lambda folder: [])
        execute(resolve("gmm_broken", "smoke", settings, seed=4, seeds=2), path)
    return path


@pytest.fixture(scope="module")
def loaded(folder):
    return load_run(folder)


def test_configuration_history_and_metrics_are_those_of_the_files(folder, loaded):
    assert (loaded.run.seed, loaded.run.seeds) == (4, 2)
    assert loaded.run.target.modes == 3
    assert loaded.metrics == json.loads((folder / "metrics.json").read_text())
    assert loaded.history["step"].tolist() == [[10, 10], [20, 20], [30, 30]]
    assert loaded.history["loss"].shape == (3, 2)


def test_the_frame_has_a_row_per_chunk_and_seed(loaded):
    pytest.importorskip("pandas")
    frame = loaded.frame()
    assert list(frame["seed"]) == [4, 5] * 3
    last = frame[(frame["seed"] == 5) & (frame["step"] == 30)]["loss"].item()
    assert last == loaded.history["loss"][-1, 1]


def test_samplers_have_the_densities_that_the_samples_were_weighted_by(loaded):
    """Of each seed its own: those of the other one are different."""
    for seed, sampler in enumerate(loaded.samplers):
        samples = loaded.samples[seed]
        assert samples.x.shape == (40, 2)
        assert samples.u.shape == (40,)
        log_q = [
            -samples.log_w - np.array([sampler.target.action(x) for x in samples.x]),
            loaded.samplers[1 - seed].log_prob(samples.x),
        ]
        found = sampler.log_prob(samples.x)
        np.testing.assert_allclose(found, log_q[0], rtol=1e-3, atol=1e-3)
        assert not np.allclose(found, log_q[1], rtol=1e-3, atol=1e-3)
        mean_x1 = samples.observables["mean_x1"]
        np.testing.assert_array_equal(mean_x1, samples.x[:, 0])


def test_the_element_brings_the_cell_to_the_sample(loaded):
    """Nearly all of y are in the cell, whose sector u then is."""
    samples, symmetry = loaded.samples[0], loaded.samplers[0].target.symmetry
    sectors = np.array([symmetry.sector(x) for x in samples.x])
    assert np.mean(sectors == samples.u) >= 0.5
    assert len(set(samples.u.tolist())) > 1


def test_the_samples_of_chains_count_alike(tmp_path, rng):
    run = resolve("gmm", settings={"method": "hmc", "target.modes": 3})
    folder, x = RunFolder(tmp_path), rng.normal(size=(1, 40, 2))
    folder.write("config.json", to_json(run))
    folder.write_arrays("samples.npz", {"x": x})
    loaded = load_run(tmp_path)
    assert (loaded.samplers, loaded.history, loaded.metrics) == ((), {}, None)
    np.testing.assert_array_equal(loaded.samples[0].x, x[0])
    assert np.all(loaded.samples[0].log_w == 0)
    assert loaded.samples[0].u is None


def test_a_run_that_is_not_finished_has_no_samples_yet(folder, loaded, tmp_path):
    shutil.copytree(folder, tmp_path / "begun")
    for name in ("metrics.json", "samples.npz"):
        (tmp_path / "begun" / name).unlink()
    begun = load_run(tmp_path / "begun")
    assert begun.metrics is None
    assert begun.samples == ()
    x = loaded.samples[0].x
    expected = loaded.samplers[0].log_prob(x)
    np.testing.assert_array_equal(begun.samplers[0].log_prob(x), expected)


def test_other_folders_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="nowhere holds no config.json: choose the"):
        load_run(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text('{"target": 3}')
    with pytest.raises(ValueError, match="config.json is damaged, or not of this"):
        load_run(tmp_path)

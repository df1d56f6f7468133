"""Reference samples of a target, and the files that they go to."""

import numpy as np
import pytest
from helpers import assert_mean

from sesamo_jax import build_target, estimators
from sesamo_jax.config import Config, SMCConfig, TrainingConfig
from sesamo_jax.run import data
from sesamo_jax.run.cli.main import main
from sesamo_jax.storage.data import read_data

START = SMCConfig(variance=5.6)


def draw():
    return data.reference_sets(build_target("dw2"), START, 1200, 6, seed=3)


@pytest.fixture(scope="module")
def sets():
    return draw()


def test_samples_pass_the_virial_check(sets):
    for reference in sets.values():
        assert reference.samples.shape == (1200, 2, 2)
        assert reference.exact == 2
        assert abs(reference.deviation) < 3
        assert 0 < reference.error < 1
        assert f"exact 2 ({reference.deviation:+.1f} sigma)" in reference.line()


def test_samples_have_the_exact_means_of_two_particles(sets):
    """By quadrature over the distance; populations count as one sample each."""
    exact = build_target("dw2").exact.observables
    x = np.concatenate([reference.samples for reference in sets.values()])
    distances = np.linalg.norm(x[:, 0] - x[:, 1], axis=1)
    assert_mean(distances, exact["distance"])
    assert_mean(distances < 4, exact["left_well"])


def test_populations_agree_on_log_z(sets):
    for reference in sets.values():
        log_z, error = estimators.log_z(reference.log_z)
        assert error < 0.1
        assert abs(log_z - build_target("dw2").exact.log_z) < 5 * error


def test_sets_share_nothing_and_are_repeated_by_their_seed(sets):
    train, test = (reference.samples for reference in sets.values())
    # Within a population, copies of a particle part only where they move.
    assert not set(map(bytes, train)) & set(map(bytes, test))
    np.testing.assert_array_equal(draw()["test"].samples, test)


def test_files_are_read_as_data(sets, tmp_path, capsys):
    assert data.write(tmp_path, "dw2", sets)
    path = str(tmp_path / "dw2_train.npy")
    config = Config(training=TrainingConfig(data=path))
    found = read_data("training", config, build_target("dw2"))
    x = sets["train"].samples
    np.testing.assert_allclose(found[:, 0], (x[:, 0] - x[:, 1]) / 2**0.5, atol=1e-5)
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "dw2_test: 1200 samples, virial" in printed.out


def test_a_wrong_virial_writes_nothing(sets, tmp_path):
    wrong = sets["test"]._replace(virial=sets["test"].virial + 10 * sets["test"].error)
    assert not data.write(tmp_path, "dw2", {**sets, "test": wrong})
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_what_any_target_is_trained_on(tmp_path, capsys):
    arguments = ["--target", "gmm", "--samples", "400", "--populations", "4"]
    settings = ["--set", "target.modes=2", "--set", "smc.target_ess=0.5"]
    main(["data", *arguments, *settings, "--output", str(tmp_path)])
    assert "gmm_train: 400 samples, log Z" in capsys.readouterr().out
    for kind in data.SETS:
        x = np.load(tmp_path / f"gmm_{kind}.npy")
        assert (x.shape, x.dtype) == ((400, 2), np.float32)


def test_a_set_that_is_not_right_ends_the_command(monkeypatch, tmp_path, capsys):
    def wrong(*arguments):
        return {
            "test": data.ReferenceSet(
                np.ones((4, 2, 2)), np.ones(4), np.arange(4.0), 90.0
            )
        }

    monkeypatch.setattr("sesamo_jax.run.cli.data.reference_sets", wrong)
    with pytest.raises(SystemExit, match="1"):
        main(["data", "--target", "dw2", "--output", str(tmp_path)])
    assert "dw2: virial off, nothing written" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

"""The script that makes reference samples of particles."""

import numpy as np
import pytest
from helpers import assert_mean

from sesamo_jax import build_target, estimators
from sesamo_jax.config import Config, TrainingConfig
from sesamo_jax.storage.data import read_data


@pytest.fixture(scope="module")
def particles_data(experiment):
    return experiment("particles_data")


@pytest.fixture(scope="module")
def sets(particles_data):
    return particles_data.reference_sets("dw2", samples=1200, populations=6, seed=3)


def test_samples_pass_the_virial_check(sets):
    for reference in sets.values():
        assert reference.positions.shape == (1200, 2, 2)
        assert reference.exact == 2
        assert abs(reference.deviation) < 3
        assert 0 < reference.error < 1
        assert f"exact 2 ({reference.deviation:+.1f} sigma)" in reference.line()


def test_samples_have_the_exact_means_of_two_particles(sets):
    """By quadrature over the distance; populations count as one sample each."""
    exact = build_target("dw2").exact.observables
    x = np.concatenate([reference.positions for reference in sets.values()])
    distances = np.linalg.norm(x[:, 0] - x[:, 1], axis=1)
    assert_mean(distances, exact["distance"])
    assert_mean(distances < 4, exact["left_well"])


def test_populations_agree_on_log_z(sets):
    for reference in sets.values():
        log_z, error = estimators.log_z(reference.log_z)
        assert error < 0.1
        assert abs(log_z - build_target("dw2").exact.log_z) < 5 * error


def test_sets_share_nothing_and_are_repeated_by_their_seed(particles_data, sets):
    train, test = (reference.positions for reference in sets.values())
    # Within a population, copies of a particle part only where they move.
    assert not set(map(bytes, train)) & set(map(bytes, test))
    again = particles_data.reference_sets("dw2", samples=1200, populations=6, seed=3)
    np.testing.assert_array_equal(again["test"].positions, test)


def test_files_are_read_as_data(particles_data, sets, tmp_path, capsys):
    assert particles_data.write(tmp_path, "dw2", sets)
    path = str(tmp_path / "dw2_train.npy")
    config = Config(training=TrainingConfig(data=path))
    found = read_data("training", config, build_target("dw2"))
    x = sets["train"].positions
    np.testing.assert_allclose(found[:, 0], (x[:, 0] - x[:, 1]) / 2**0.5, atol=1e-5)
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "dw2_test: 1200 samples, virial" in printed.out


def test_a_wrong_virial_writes_nothing(particles_data, sets, tmp_path):
    wrong = sets["test"]._replace(virial=sets["test"].virial + 10 * sets["test"].error)
    assert not particles_data.write(tmp_path, "dw2", {**sets, "test": wrong})
    assert list(tmp_path.iterdir()) == []

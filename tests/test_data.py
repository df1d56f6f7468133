"""Reading configurations from files: conversion, centring, and what is refused."""

import numpy as np
import pytest
from tolerances import F32, F64

from sesamo_jax.config import Config, EvaluationConfig, TrainingConfig
from sesamo_jax.storage.data import read_data
from sesamo_jax.targets import build_target

FOUR = build_target("dw4", dtype="float64")
PLANE = build_target("gmm", dtype="float64")
# Orthonormal coordinates of four particles, written out.
BASIS = np.array(
    [
        np.array([1, -1, 0, 0]) / 2**0.5,
        np.array([1, 1, -2, 0]) / 6**0.5,
        np.array([1, 1, 1, -3]) / 12**0.5,
    ]
)


@pytest.fixture
def centred(rng):
    x = rng.normal(size=(9, 4, 2))
    return x - x.mean(axis=1, keepdims=True)


@pytest.fixture
def read(tmp_path):
    """Return a function that saves an array and reads it as training data."""

    def saved(values, target=FOUR, batch_size=5):
        path = str(tmp_path / "data.npy")
        np.save(path, values)
        training = TrainingConfig(batch_size=batch_size, data=path)
        return read_data("training", Config(training=training), target)

    return saved


def test_positions_become_coordinates(read, centred, capsys):
    expected = np.einsum("ab,nbd->nad", BASIS, centred)
    np.testing.assert_allclose(read(centred), expected, atol=F64)
    np.testing.assert_array_equal(read(expected), expected)
    assert capsys.readouterr().err == ""


def test_positions_elsewhere_are_centred_with_one_notice(read, centred, capsys):
    shift = np.zeros((9, 1, 2))
    shift[[2, 7]] = [[[3.0, -4.0]], [[0.5, 0.1]]]
    np.testing.assert_allclose(read(centred + shift), read(centred), atol=F64)
    (line,) = capsys.readouterr().err.splitlines()
    assert "2 of 9" in line
    assert "up to 5 from 0" in line


def test_float32_positions_count_as_centred(read, centred, capsys):
    target = build_target("dw4")
    x = (30 * centred).astype(np.float32)
    found = read(x, target)
    assert found.dtype == np.float32
    expected = 30 * np.einsum("ab,nbd->nad", BASIS, centred)
    np.testing.assert_allclose(found, expected, atol=30 * F32)
    assert capsys.readouterr().err == ""


def test_integers_become_the_targets_type(read):
    found = read(np.arange(12).reshape(6, 2), PLANE)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, np.arange(12).reshape(6, 2))


def test_without_a_path_there_are_no_data():
    for section in ("training", "evaluation"):
        assert read_data(section, Config(), PLANE) is None


def nan_at_the_end():
    x = np.ones((6, 3, 2))
    x[5, 2, 1] = np.nan
    return x


def two_in_one_place():
    x = np.random.default_rng(0).normal(size=(6, 4, 2))
    x[[1, 4], 3] = x[[1, 4], 0]
    return x


REFUSED = {
    "shape": (np.ones((6, 5, 2)), FOUR, "takes (n, 3, 2) or (n, 4, 2): reshape"),
    "flat": (np.ones((6, 8)), FOUR, "has the shape (6, 8)"),
    "plane": (np.ones((6, 3)), PLANE, "target 'gmm' takes (n, 2): reshape"),
    "scalar": (np.ones(()), PLANE, "has the shape ()"),
    "not finite": (nan_at_the_end(), FOUR, "has 1 of 6 configurations"),
    "too large": (
        np.full((6, 3, 2), 1e200),
        build_target("dw4"),
        "has 6 of 6 configurations with entries that are not finite in float32",
    ),
    "too few": (
        np.ones((4, 2)),
        PLANE,
        "holds 4 configurations where 5 are needed: supply more, or lower "
        "training.batch_size",
    ),
    "coinciding": (
        two_in_one_place(),
        FOUR,
        "has 2 of 6 configurations in which particles coincide",
    ),
    "none": (np.ones((0, 2)), PLANE, "holds 0 configurations where 5"),
    "complex": (np.ones((6, 2), complex), PLANE, "must hold real numbers"),
}


@pytest.mark.parametrize(("values", "target", "words"), REFUSED.values(), ids=REFUSED)
def test_wrong_arrays_are_refused_in_one_sentence(read, values, target, words):
    with pytest.raises(ValueError, match=r"^training\.data='.*data\.npy' ") as error:
        read(values, target)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def missing(folder):
    return folder / "nothing.npy"


def text(folder):
    path = folder / "text.npy"
    path.write_text("1.0 2.0")
    return path


def empty(folder):
    path = folder / "empty.npy"
    path.touch()
    return path


def several(folder):
    path = folder / "several.npz"
    np.savez(path, x=np.ones((6, 2)))
    return path


TORN = ("end", "quote", "zero", "zip", "huge")


def torn(kind):
    """Return what writes a file whose header is cut, or no header at all."""

    def write(folder):
        path = folder / "torn.npy"
        np.save(path, np.ones((6, 2)))
        content = path.read_bytes()
        header = {
            "end": content[:40],
            "quote": content.replace(b"'descr", b'"descr', 1),
            "zero": content.replace(b"(6, 2)", b"(06,2)", 1),
            "zip": b"PK\x03\x04" + content,
            "huge": content.replace(b"(6, 2)", b"(9**9,)", 1),
        }
        path.write_bytes(header[kind])
        return path

    return write


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (missing, "cannot be read (No such file or directory): give the path"),
        (lambda folder: folder, "cannot be read (Is a directory)"),
        (text, "is not a .npy file of numbers: write one with numpy.save"),
        *((torn(kind), "is not a .npy file of numbers") for kind in TORN),
        (empty, "is not a .npy file of numbers: write one with numpy.save"),
        (several, "holds several arrays: write one alone"),
    ],
)
def test_wrong_files_are_refused_in_one_sentence(tmp_path, write, words):
    path = str(write(tmp_path))
    config = Config(evaluation=EvaluationConfig(data=path))
    with pytest.raises(ValueError, match=r"\w") as error:
        read_data("evaluation", config, PLANE)
    assert str(error.value).startswith(f"evaluation.data={path!r} ")
    assert words in str(error.value)


def test_held_out_data_need_two_for_an_error(tmp_path):
    path = str(tmp_path / "one.npy")
    np.save(path, np.ones((1, 2)))
    config = Config(evaluation=EvaluationConfig(data=path))
    with pytest.raises(ValueError, match="holds 1 configurations where 2 are needed"):
        read_data("evaluation", config, PLANE)

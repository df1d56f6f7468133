"""Samplers saved and loaded: the same in another process, and refused in a sentence."""

import json
import subprocess
import sys

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sesamo_jax import (
    BijectorFlow,
    Config,
    Sampler,
    Target,
    build_target,
    load,
    load_pretrained,
    pretrained,
)
from sesamo_jax.config import resolve

SMALL = {"flow.couplings": 2, "flow.layers": 0, "flow.width": 4}


def moved(sampler):
    """Return the sampler with numbers in every leaf that no initialisation has."""
    leaves, tree = jax.tree.flatten(sampler.params)
    leaves = [leaf + 0.01 * (i + 1) for i, leaf in enumerate(leaves)]
    return sampler.with_params(jax.tree.unflatten(tree, leaves))


@pytest.fixture(scope="module")
def sampler():
    """Of a named target in float64, with parameters of its own."""
    target = build_target("gmm_broken", breaking=0.11, dtype="float64")
    run = resolve("gmm_broken", settings=SMALL | {"density": "strict"})
    return moved(Sampler.init(target, run.config, jax.random.key(0)))


@pytest.fixture
def saved(sampler, tmp_path):
    sampler.save(tmp_path / "saved")
    return tmp_path / "saved"


ELSEWHERE = """
import sys, jax, numpy as np, sesamo_jax
sampler = sesamo_jax.load(sys.argv[1])
np.save(sys.argv[2], sampler.sample(jax.random.key(7), 20))
"""


def test_another_process_draws_the_same_to_the_bit(sampler, saved, tmp_path):
    """It has not enabled float64, which the target needs."""
    out = tmp_path / "x.npy"
    words = [sys.executable, "-c", ELSEWHERE, str(saved), str(out)]
    subprocess.run(words, check=True)
    expected = np.asarray(sampler.sample(jax.random.key(7), 20))
    assert expected.dtype == np.float64
    assert np.load(out).tobytes() == expected.tobytes()


def test_what_is_saved_is_the_sampler_and_no_code(sampler, saved):
    assert {path.name for path in saved.iterdir()} == {"sampler.json", "params.npz"}
    again = load(saved)
    assert again.config == sampler.config
    assert again.target.exact.log_z == sampler.target.exact.log_z
    with np.load(saved / "params.npz", allow_pickle=False) as file:
        assert all(file[name].dtype == np.float64 for name in file.files)
    with pytest.raises(ValueError, match="saved exists: save the sampler to another"):
        sampler.save(saved)


def edit(path, change):
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def without_params(folder):
    (folder / "params.npz").unlink()


def other_params(folder):
    content = bytearray((folder / "params.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "params.npz").write_bytes(bytes(content))


WRONG = {
    "newer": (
        lambda f: edit(f / "sampler.json", lambda r: r.update(format=2)),
        "of format 2, newer than this version's 1: pip install --upgrade",
    ),
    "foreign": (
        lambda f: (f / "sampler.json").write_text('{"some": "thing"}'),
        "sampler.json is not a record of Sampler.save",
    ),
    "no JSON": (
        lambda f: (f / "sampler.json").write_text("{"),
        "sampler.json is damaged, or not of this version",
    ),
    "edited": (
        lambda f: edit(
            f / "sampler.json", lambda r: r["sampler"]["target"].update(radius=3.0)
        ),
        "its checksum and sampler.json do not agree",
    ),
    "a flipped bit": (other_params, "params.npz is damaged.*do not agree"),
    "no parameters": (without_params, "params.npz cannot be read"),
    "no record": (
        lambda f: (f / "sampler.json").unlink(),
        "holds no sampler.json: it is no folder of Sampler.save",
    ),
}


@pytest.mark.parametrize(("change", "words"), WRONG.values(), ids=WRONG)
def test_other_folders_are_refused_in_a_sentence(change, words, saved):
    change(saved)
    with pytest.raises(ValueError, match=words) as error:
        load(saved)
    assert "\n" not in str(error.value)


def unsealed(saved, change):
    """Change a record as another version would have written it, with its checksum."""
    from sesamo_jax.trained import store

    record = json.loads((saved / "sampler.json").read_text())
    del record["sha256"]
    change(record)
    record["sha256"] = store._checksum(saved, record)
    (saved / "sampler.json").write_text(json.dumps(record))


def test_a_record_of_an_earlier_version_takes_defaults(sampler, saved, key):
    """And a setting that only a later one knows is named, with the version."""
    unsealed(saved, lambda record: record["sampler"].pop("worldlines"))
    np.testing.assert_array_equal(load(saved).sample(key, 3), sampler.sample(key, 3))

    def later(record):
        record["versions"]["sesamo-jax"] = "9.1"
        record["sampler"]["flow"]["colour"] = "blue"

    unsealed(saved, later)
    with pytest.raises(ValueError, match=r"9\.1: unknown setting 'flow.colour'"):
        load(saved)


def test_parameters_of_another_model_are_named(saved):
    unsealed(saved, lambda record: record["sampler"]["flow"].update(couplings=3))
    with pytest.raises(ValueError, match=r"parameter flow/\S+ is missing, and float64"):
        load(saved)


def parameters(key):
    return {"shift": jnp.zeros(2), "log_scale": jnp.zeros(2)}


def affine(params):
    return distrax.Block(distrax.ScalarAffine(**params), 1)


def test_what_was_made_in_python_is_given_again(tmp_path, key):
    target = Target.from_log_density(lambda x: -jnp.sum((x - 1) ** 2), (2,), "own: 1")
    config = Config(method="flow", flow=BijectorFlow(parameters, affine))
    sampler = moved(Sampler.init(target, config, key))
    sampler.save(tmp_path / "own")
    for given in ({}, {"flow": config.flow}):
        with pytest.raises(ValueError, match="'own- 1' was made in Python: .*target="):
            load(tmp_path / "own", **given)
    with pytest.raises(ValueError, match="flow was made in Python: .*flow="):
        load(tmp_path / "own", target)
    again = load(tmp_path / "own", target, config.flow)
    np.testing.assert_array_equal(again.sample(key, 9), sampler.sample(key, 9))


def test_a_bijector_of_single_numbers_is_refused(key):
    target = Target.from_log_density(lambda x: -jnp.sum(x**2), (2,))
    flow = BijectorFlow(parameters, lambda params: distrax.ScalarAffine(**params))
    with pytest.raises(ValueError, match=r"\(2,\), and must be one .* distrax.Block"):
        Sampler.init(target, Config(method="flow", flow=flow), key).sample(key, 2)


def test_a_bijector_has_the_density_of_its_closed_form(key):
    """x = shift + exp(log_scale) z, z normal of variance 1."""
    target = Target.from_log_density(lambda x: -jnp.sum(x**2), (2,), dtype=jnp.float64)
    config = Config(method="flow", flow=BijectorFlow(parameters, affine))
    sampler = Sampler.init(target, config, key)
    shift, log_scale = np.array([1.0, -2.0]), np.array([0.3, -0.7])
    values = {"log_scale": jnp.array(log_scale), "shift": jnp.array(shift)}
    leaves = jax.tree.structure(sampler.params)
    sampler = sampler.with_params(jax.tree.unflatten(leaves, jax.tree.leaves(values)))
    x = np.array([[0.4, -1.1], [2.0, 3.0]])
    z = (x - shift) / np.exp(log_scale)
    expected = -0.5 * (z**2).sum(-1) - np.log(2 * np.pi) - log_scale.sum()
    np.testing.assert_allclose(sampler.log_prob(x), expected, rtol=1e-12)


# Those of the package


def test_an_unknown_pretrained_sampler_is_refused():
    with pytest.raises(ValueError, match="sampler 'gmm_broke'; nearest: gmm_br"):
        load_pretrained("gmm_broke")


@pytest.mark.parametrize("name", pretrained())
def test_a_pretrained_sampler_is_loaded(name, key):
    sampler = load_pretrained(name)
    found = sampler.weighted(key, 500)
    w = np.exp(found.log_w - np.max(found.log_w))
    assert w.sum() ** 2 / (w**2).sum() > 0.8 * len(w)

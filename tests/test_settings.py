"""From names, text and JSON to a configuration."""

import json
from dataclasses import dataclass, fields, replace

import pytest

from sesamo_jax.config import Config, complete, resolve
from sesamo_jax.config.presets import PRESETS
from sesamo_jax.config.record import difference, fingerprint, from_json, to_json
from sesamo_jax.flows import FLOWS, RealNVPConfig
from sesamo_jax.targets import TARGETS


def get(run, name):
    """Return a field of a run by its dotted name."""
    tree = to_json(run)
    for part in name.split("."):
        tree = tree[part]
    return tree


def test_the_default_preset_is_the_default_configuration():
    run = resolve("hubbard")
    assert run.config == Config(flow=FLOWS["realnvp"])
    assert run.target == TARGETS["hubbard"]
    assert (run.target_name, run.flow_name, run.preset) == (
        "hubbard",
        "realnvp",
        "default",
    )
    assert (run.seed, run.seeds) == (0, 1)


def test_seeds_are_kept():
    run = resolve("gmm", seed=7, seeds=3)
    assert (run.seed, run.seeds) == (7, 3)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("training.steps", "123", 123),
        ("training.learning_rate", "3e-3", 3e-3),
        ("training.learning_rate", "1", 1.0),
        ("base.whiten", "False", False),
        ("base.whiten", "true", True),
        ("base.variance", "none", None),
        ("base.variance", "2.5", 2.5),
        ("training.objective", "None", None),
        ("training.objective", "reinforce", "reinforce"),
        ("target.radius", "3", 3.0),
        ("target.modes", "5", 5),
        ("flow.activation", "tanh", "tanh"),
        ("method", "realnvp", "flow"),
        ("density", "cell", "cell"),
        ("density", "none", None),
    ],
)
def test_text_is_converted_to_the_type_of_the_field(name, text, value):
    result = get(resolve("gmm", settings={name: text}), name)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("name", "value"), [("training.steps", 50), ("training.steps", 50.0)]
)
def test_numbers_are_accepted_as_they_are(name, value):
    result = get(resolve("gmm", settings={name: value}), name)
    assert result == 50
    assert type(result) is int


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("training.steps", "many", "an integer"),
        ("training.steps", "1.5", "an integer"),
        ("training.steps", 1.5, "an integer"),
        ("training.steps", "none", "an integer"),
        ("training.learning_rate", "fast", "a number"),
        ("base.variance", "wide", "a number"),
        ("base.whiten", "perhaps", "true or false"),
        ("base.whiten", "none", "true or false"),
        ("target.radius", "", "a number"),
    ],
)
def test_a_wrong_type_is_named_with_the_field_and_the_value(name, value, words):
    with pytest.raises(ValueError, match=words) as error:
        resolve("gmm", settings={name: value})
    assert str(error.value) == f"{name}={value!r} must be {words}"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("training.step", "training.steps"),
        ("trainig.batch_size", "training.batch_size"),
        ("target.radios", "target.radius"),
        ("flow.widht", "flow.width"),
        ("densty", "density"),
        # Of that name in another section, or without one.
        ("training.whiten", "base.whiten"),
        ("gamma", "training.gamma"),
    ],
)
def test_an_unknown_setting_names_the_nearest_known_one(name, nearest):
    with pytest.raises(ValueError, match=f"^unknown setting {name!r}") as error:
        resolve("gmm", settings={name: "1"})
    assert f"nearest: {nearest};" in str(error.value)


def test_an_unknown_setting_of_a_section_names_those_of_that_section():
    with pytest.raises(ValueError, match="unknown setting") as error:
        resolve("gmm", settings={"flow.widht": "1"})
    names = [field.name for field in fields(RealNVPConfig)]
    assert str(error.value) == (
        "unknown setting 'flow.widht'; nearest: flow.width; section flow has: "
        f"{', '.join(names)}, name"
    )


@pytest.mark.parametrize("name", ["trainig.steps", "steps", "training", "xyzzy"])
def test_an_unknown_section_names_the_sections(name):
    with pytest.raises(ValueError, match="unknown setting") as error:
        resolve("gmm", settings={name: "1"})
    known = str(error.value).partition("known: ")[2].split(", ")
    assert known[:4] == ["method", "modulation", "density", "sites"]
    assert known[4:6] == ["target.*", "flow.*"]
    assert {"training.*", "evaluation.*", "hmc.*"} <= set(known)
    assert len(known) == len(set(known))


def test_another_targets_field_is_unknown():
    with pytest.raises(ValueError, match="unknown setting 'target.beta'"):
        resolve("gmm", settings={"target.beta": "1"})


@pytest.mark.parametrize(
    ("arguments", "kind", "nearest"),
    [
        ({"target": "gnm"}, "target", "gmm"),
        ({"target": "gmm", "preset": "papper"}, "preset", "paper"),
        ({"target": "gmm", "settings": {"method": "sesam"}}, "method", "sesamo"),
        (
            {"target": "gmm", "settings": {"flow.name": "realnpv"}},
            "flow.name",
            "realnvp",
        ),
    ],
)
def test_an_unknown_name_names_the_nearest_and_all_known(arguments, kind, nearest):
    with pytest.raises(ValueError, match=f"^unknown {kind} ") as error:
        resolve(**arguments)
    known = {"target": TARGETS, "preset": PRESETS, "flow.name": FLOWS, "method": ()}
    assert f"nearest: {nearest};" in str(error.value)
    for name in known[kind]:
        assert name in str(error.value)


def test_a_hopeless_name_has_no_nearest():
    with pytest.raises(ValueError, match="known: .*gmm") as error:
        resolve("xyzzy")
    assert "nearest" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"seeds": 0}, "seeds=0 must be at least 1"), ({"seed": -1}, "seed=-1 must not")],
)
def test_seeds_out_of_range(arguments, words):
    with pytest.raises(ValueError, match=words):
        resolve("gmm", **arguments)


def through_json(tree):
    return json.loads(json.dumps(tree, allow_nan=False))


every_preset = pytest.mark.parametrize("preset", PRESETS)
every_target = pytest.mark.parametrize("name", TARGETS)


@every_preset
@every_target
def test_a_run_survives_json(name, preset):
    settings = {"training.steps": 17, "method": "realnvp"}
    run = resolve(name, preset, settings, seed=4, seeds=2)
    assert from_json(through_json(to_json(run))) == run


@every_preset
@every_target
def test_a_completed_run_survives_json_and_is_recognised(name, preset):
    run = resolve(name, preset, {"base.whiten": False})
    run = replace(run, config=complete(run.config, run.target.build(name)))
    tree = through_json(to_json(run))
    assert difference(tree, to_json(run)) is None
    assert from_json(tree) == run


def test_a_user_defined_target_survives_json(monkeypatch):
    @dataclass(frozen=True)
    class Own:
        shape: tuple[int, ...] = (2, 3)
        mass: float | None = None
        dtype: str = "float32"

        def build(self, name):
            raise NotImplementedError

    monkeypatch.setitem(TARGETS, "own", Own())
    run = resolve("own", settings={"target.mass": "0.5", "density": "cell"})
    tree = through_json(to_json(run))
    assert from_json(tree) == run
    assert difference(tree, to_json(run)) is None
    json.dumps(tree, allow_nan=False)


def test_an_earlier_version_without_a_section_takes_its_defaults():
    run = resolve("gmm", settings={"flow.width": 7})
    tree = through_json(to_json(run))
    del tree["vmonf"], tree["worldlines"]
    assert from_json(tree) == run


def test_fingerprints_agree_where_training_does():
    old = to_json(resolve("gmm", settings={"training.steps": 70}))
    for name, value, same in (
        ("evaluation.samples", 11, True),
        ("training.steps", 71, False),
        ("flow.width", 13, False),
        ("seed", 5, False),
        ("target.radius", 9.0, False),
    ):
        branch, _, leaf = name.rpartition(".")
        new = json.loads(json.dumps(old))
        (new[branch] if branch else new)[leaf] = value
        assert (fingerprint(new) == fingerprint(old)) == same
    # What was left open by a version that did not know it.
    assert fingerprint({"a": {"b": 1, "c": None}}) == fingerprint({"a": {"b": 1}})


def test_difference_names_the_setting_and_both_values():
    old = to_json(resolve("gmm"))
    assert difference(old, to_json(resolve("gmm"))) is None
    for name, value, words in (
        ("training.steps", 7, "training.steps was 3000, now 7"),
        ("target.radius", 9.0, "target.radius was 12.0, now 9.0"),
        ("base.variance", 2.0, "base.variance was None, now 2.0"),
        ("method", "flow", "method was 'sesamo', now 'flow'"),
    ):
        changed = json.loads(json.dumps(old))
        branch, _, leaf = name.rpartition(".")
        (changed[branch] if branch else changed)[leaf] = value
        assert difference(old, changed) == words
    assert difference(old, to_json(resolve("gmm", seeds=2))) == "seeds was 1, now 2"
    assert "target.name was 'gmm'" in difference(old, to_json(resolve("hubbard")))

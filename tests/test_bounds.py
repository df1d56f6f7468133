"""Every field of every configuration: a value is meaningful, or refused by name."""

import json
import math
import tracemalloc
from dataclasses import fields, is_dataclass, replace
from typing import get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sesamo_jax.config import BaseConfig, Config, TrainingConfig, complete, resolve
from sesamo_jax.config.record import to_json
from sesamo_jax.config.schema import SCALARS, SECTIONS
from sesamo_jax.core.bounds import bounded, check_fields
from sesamo_jax.flows import FLOWS
from sesamo_jax.targets import TARGETS

# A target and settings with which the fields of a section have an effect.
CONTEXTS = {
    "worldlines": ("hubbard", {"method": "worldlines"}),
    **{name: ("gmm", {"method": name}) for name in ("vmonf", "hmc", "smc")},
    "evaluation": ("dw2", {}),
    "training": ("gmm", {"training.schedule": "plateau"}),
}
OF_FIELDS = {
    "training.gamma": ("gmm", {"training.objective": "self_reparam"}),
    "target.kappa": ("phi4_real", {}),
}
ON_FLOWS = {
    **dict.fromkeys(("checkerboard", "continuous", "spline"), "phi4_real"),
    **dict.fromkeys(("slice_continuous", "slice_coupling"), "phi4_complex"),
    **dict.fromkeys(("black_box", "equivariant_graph", "kernel"), "dw4"),
    **dict.fromkeys(("neural_spline", "realnvp"), "gmm"),
}


def every_field():
    """Return (target, settings, name) of all fields, with what gives them effect."""
    for target, config in TARGETS.items():
        for item in fields(config):
            yield target, {}, f"target.{item.name}"
    for name in SCALARS:
        yield "gmm", {}, name
    for section in SECTIONS:
        if section != "flow":
            context = CONTEXTS.get(section, ("gmm", {}))
            for item in fields(getattr(Config(), section)):
                name = f"{section}.{item.name}"
                yield *OF_FIELDS.get(name, context), name
    for flow, config in FLOWS.items():
        for item in fields(config):
            yield ON_FLOWS[flow], {"flow.name": flow}, f"flow.{item.name}"


FIELDS = list(every_field())
EXTREME = [
    *(math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 1e30, -1.0, 0.0, 1.5),
    *(0, -1, 1, 2, 10**9, 10**18, 10**400, True, None, "", "nonsense", "nan", "1e308"),
    *((), (0,), (10**9,), (10**9, 10**9), (2, -3), (2, "a"), (2, 1.5), ((0, 1), (1,))),
    *([], [8, 8], {}, b"8", 2j),
]
VALUES = st.one_of(
    st.sampled_from(EXTREME),
    st.floats(),
    st.integers(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=4).map(tuple),
)
MOST_BYTES = 2**28


def numbers(tree):
    """Return all numbers of nested dictionaries and lists."""
    if isinstance(tree, dict):
        tree = tree.values()
    if isinstance(tree, (float, int)):
        return [tree]
    if isinstance(tree, str) or tree is None:
        return []
    return [number for part in tree for number in numbers(part)]


def assert_names(error, name):
    """Assert that an error is one sentence with the field's name in it."""
    text = str(error)
    assert name.rpartition(".")[2] in text, (name, text)
    assert "\n" not in text
    assert 10 < len(text) < 500, text


def assert_meaningful(run):
    """Assert that a run is one that could be carried out: build it, without training.

    Raises:
        ValueError: as it does.
    """
    target = run.target.build(run.target_name)
    run = replace(run, config=complete(run.config, target))
    tree = json.loads(json.dumps(to_json(run)))
    assert all(math.isfinite(number) for number in numbers(tree)), tree
    assert target.exact.log_z is None or math.isfinite(target.exact.log_z)


def put(run, name, value):
    """Return a run with a field as it is given in Python, of whatever type."""
    section, _, leaf = name.rpartition(".")
    if section == "target":
        return replace(run, target=replace(run.target, **{leaf: value}))
    config = run.config
    part = replace(getattr(config, section) if section else config, **{leaf: value})
    config = replace(config, **{section: part}) if section else part
    return replace(run, config=config)


@pytest.mark.slow  # 600 runs resolved; single fields are tested above and below
@settings(
    derandomize=True,
    max_examples=600,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.sampled_from(FIELDS), VALUES, st.booleans())
def test_a_value_is_meaningful_or_refused_by_name(field, value, in_python):
    target, context, name = field
    tracemalloc.start()
    try:
        if in_python:
            run = put(resolve(target, settings=context), name, value)
        else:
            run = resolve(target, settings=context | {name: value})
        assert_meaningful(run)
    except (TypeError, ValueError) as error:
        assert_names(error, name)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < MOST_BYTES


def test_every_number_and_name_declares_what_it_may_be():
    sections = [*TARGETS.values(), *FLOWS.values(), Config()]
    # The flow is None until it is chosen; all of them are there already.
    sections += [getattr(Config(), name) for name in SECTIONS if name != "flow"]
    for section in sections:
        hints = get_type_hints(type(section))
        for item in fields(section):
            kind = str(hints[item.name])
            if is_dataclass(getattr(section, item.name)) or "bool" in kind:
                continue
            free = item.name in ("data", "warm_start", "flow")  # paths; a record
            assert free or item.metadata, (type(section), item.name)
            check_fields(section, "section")  # the defaults are in their range


@pytest.mark.parametrize(
    ("target", "settings", "sentence"),
    [
        (
            "phi4_real",
            {"target.kappa": "nan"},
            "target.kappa=nan must be finite",
        ),
        (
            "phi4_complex",
            {"target.lam": -0.3},
            "target.lam=-0.3 must be at least 0",
        ),
        (
            "dw2",
            {"target.linear": 1e308},
            "target.linear=1e+308 must be at most 1000000",
        ),
        (
            "lj13",
            {"target.epsilon": 0},
            "target.epsilon=0.0 must be positive",
        ),
        (
            "hubbard",
            {"target.extents": "3,0"},
            "target.extents=(3, 0) must be at least 1 in every entry",
        ),
        (
            "phi4_real",
            {"target.shape": "6,1"},
            "target.shape=(6, 1) must be at least 2 in every entry: a site would be "
            "its own neighbour",
        ),
        (
            "phi4_real",
            {"target.dtype": "half"},
            "unknown target.dtype 'half'; known: float32, float64",
        ),
        ("gmm", {"base.mean": "-inf"}, "base.mean=-inf must be finite"),
        ("gmm", {"training.decay": 1}, "training.decay=1.0 must be between 0 and 1"),
        ("gmm", {"smc.populations": 1}, "smc.populations=1 must be at least 2: errors"),
        (
            "gmm",
            {"training.chunk": 10**10},
            "training.chunk=10000000000 must be at most 2147483647",
        ),
    ],
)
def test_the_sentence_gives_value_and_range(target, settings, sentence):
    with pytest.raises(ValueError, match=r"\w") as error:
        resolve(target, settings=settings)
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("phi4_real", {"lam": 1e-9, "kappa": 0.7}, "target.lam=1e-09 is too small"),
        ("phi4_real", {"lam": 0.0, "kappa": 0.3}, "without a lower bound"),
        ("phi4_real", {"mass2": -900.0}, "target.lam=0.022 is too small"),
        ("phi4_complex", {"alpha": 1e5, "lam": 0.2}, "target.lam=0.2 is too small"),
        ("dw4", {"quartic": 1e-5}, "shallower pairs .*target.quartic"),
        ("dw2", {"linear": -1e5, "temperature": 0.1}, "shallower pairs"),
        ("hubbard", {"extents": (513,)}, "are 513 sites, and at most 512"),
        ("hubbard", {"u": 900.0, "beta": 20.0}, "times beta / N_t is 1.8e.04, and"),
        ("hubbard", {"kappa": -60.0, "beta": 2.0}, "target.kappa=-60.0 times beta"),
    ],
)
def test_numbers_that_do_not_go_together_are_refused(name, fields, words):
    with pytest.raises(ValueError, match=words):
        replace(TARGETS[name], **fields).build(name)


@pytest.mark.parametrize("section", [3, None, BaseConfig(), TrainingConfig])
def test_a_section_is_of_its_type(section):
    with pytest.raises(ValueError, match="^training=.* must be a TrainingConfig$"):
        complete(Config(training=section), TARGETS["gmm"].build("gmm"))


def test_fields_without_bounds_are_finite_and_of_their_type():
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Own:
        mass: float = 1.0
        sizes: tuple[int, ...] = bounded((2, 3), least=1, most=9)
        label: str | None = None
        other: dict | None = None

    check_fields(Own(mass=1e9, other={}), "own")
    for changes, words in (
        ({"mass": math.inf}, "own.mass=inf must be finite"),
        ({"mass": "1"}, "own.mass='1' must be a number"),
        ({"mass": None}, "own.mass=None must be a number"),
        ({"sizes": (2, 11)}, "own.sizes=(2, 11) must be at most 9 in every entry"),
        ({"sizes": [2]}, "own.sizes=[2] must be a tuple such as (8, 8)"),
        ({"sizes": (True,)}, "own.sizes=(True,) must be an integer in every entry"),
        ({"label": 3}, "own.label=3 must be text"),
    ):
        with pytest.raises(ValueError, match=r"\w") as error:
            check_fields(Own(**changes), "own")
        assert str(error.value) == words

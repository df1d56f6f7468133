"""Targets of a user's own, by import path, from the command line to a resumed run."""

import json
import pickle
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from sesamo_jax import build_target, load, load_run
from sesamo_jax.config import resolve
from sesamo_jax.config.record import from_json, to_json
from sesamo_jax.run.cli.main import main
from sesamo_jax.run.cli.run import default_output
from sesamo_jax.run.execute import execute
from sesamo_jax.run.opening import UsageError
from sesamo_jax.run.sweep import Point

SOURCE = """
from dataclasses import dataclass

import jax.numpy as jnp

from beside import SLOPE
from sesamo_jax import Target
from sesamo_jax.symmetries import Z2


def action(x):
    return jnp.sum(x**2) ** 2 / 4 - SLOPE * x[0]


target = Target("wells", (2,), action, Z2((2,), broken=True))


@dataclass(frozen=True)
class Tilted:
    tilt: float = 1.0
    dtype: str = "float64"

    def build(self, name):
        def action(x):
            return jnp.sum(x**2) ** 2 / 4 - self.tilt * x[0]

        symmetry = Z2((2,), broken=True)
        return Target(name, (2,), action, symmetry, jnp.dtype(self.dtype))


@dataclass(frozen=True)
class Chain:
    size: int = 1
    symmetric: bool = True
    dtype: str = "float32"

    def build(self, name):
        symmetry = Z2((self.size,)) if self.symmetric else None
        return Target(name, (self.size,), lambda x: jnp.sum(x**4), symmetry)


tilted = Tilted()
chain = Chain()
number = 3
"""
SMALL = {
    "flow.couplings": 1,
    "flow.layers": 0,
    "flow.width": 4,
    "training.steps": 4,
    "training.chunk": 2,
    "training.batch_size": 16,
    "evaluation.samples": 50,
    "evaluation.keep": 20,
    "evaluation.audit": False,
}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Return the file of targets in a folder that is the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beside.py").write_text("SLOPE = 0.3\n")
    path = tmp_path / "own_wells.py"
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize("place", ["own_wells.py", "./own_wells.py", "own_wells"])
def test_a_target_is_found_by_its_file_or_its_module(place, own):
    x = jnp.array([1.0, 2.0])
    assert float(build_target(f"{place}:target").action(x)) == pytest.approx(5.95)
    tilted = build_target(f"{place}:tilted", tilt=2.0)
    assert float(tilted.action(x)) == pytest.approx(4.25)
    assert tilted.dtype == jnp.float64


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("own_wells.py:nothing", "holds nothing of the name 'nothing', where a Target"),
        ("own_wells.py:number", "holds a int of the name 'number'"),
        ("own_wells.py:Tilted", "holds a type of the name 'Tilted'"),
        ("elsewhere.py:target", "elsewhere.py cannot be read .*my_module.py:target"),
        ("else.where:target", "else.where cannot be imported .ModuleNotFoundError"),
        ("broken.py:target", "broken.py cannot be imported .ZeroDivisionError: div"),
        ("unwritten.py:target", "cannot be imported .SyntaxError"),
    ],
)
def test_what_is_no_target_is_told_in_a_sentence(name, words, own):
    (own.parent / "broken.py").write_text("1 / 0\n")
    (own.parent / "unwritten.py").write_text("target = (\n")
    with pytest.raises(ValueError, match=words) as error:
        resolve(name)
    assert "\n" not in str(error.value)


def test_its_parameters_are_settings(own):
    run = resolve("own_wells.py:tilted", settings={"target.tilt": "2.5"})
    assert run.target.tilt == 2.5
    with pytest.raises(ValueError, match="unknown setting 'target.tild'; nearest: tar"):
        resolve("own_wells.py:tilted", settings={"target.tild": 1})
    with pytest.raises(ValueError, match="'target.mode'; nearest: target.modes"):
        build_target("gmm", mode=3)
    assert default_output(run).name.endswith("own_wells.py-tilted-sesamo")


def test_its_size_and_its_symmetry_choose_the_defaults(own):
    one = resolve("own_wells.py:chain")
    assert (one.flow_name, one.config.method) == ("neural_spline", "sesamo")
    several = resolve("own_wells.py:chain", settings={"target.size": 3})
    assert several.flow_name == resolve("gmm").flow_name
    plain = resolve("own_wells.py:chain", settings={"target.symmetric": False})
    assert plain.config.method == "flow"
    with pytest.raises(ValueError, match="target.size='x' must be an integer"):
        resolve("own_wells.py:chain", settings={"target.size": "x"})


def test_a_run_is_recorded_with_its_code(own, monkeypatch, tmp_path_factory):
    run = resolve("own_wells.py:tilted", settings={"target.tilt": 2.5})
    tree = json.loads(json.dumps(to_json(run)))
    assert tree["target"]["name"] == f"{own}:tilted"
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert from_json(tree) == run
    # to another process it goes without its class, which only the file has
    assert b"Tilted" not in pickle.dumps(Point(run, Path("there")))
    assert pickle.loads(pickle.dumps(Point(run, Path("there")))).run == run
    own.write_text(SOURCE + "# changed\n")
    with pytest.raises(ValueError, match="own_wells.py:tilted has changed since the"):
        from_json(tree)


def test_a_run_is_resumed_and_read_unless_its_code_has_changed(own, capsys):
    """And its sampler, which records the code likewise, is saved and loaded."""
    words = ["run", "--target", "own_wells.py:target", "--output", "run"]
    words += [w for name, value in SMALL.items() for w in ("--set", f"{name}={value}")]
    main(words)
    first = capsys.readouterr().out
    assert "own_wells.py:target" in first
    main([*words, "--resume"])
    assert capsys.readouterr().out == first
    loaded = load_run("run")
    sampler = loaded.samplers[0]
    x = loaded.samples[0].x
    log_q = -loaded.samples[0].log_w - np.array([sampler.target.action(e) for e in x])
    np.testing.assert_allclose(sampler.log_prob(x), log_q, rtol=1e-4)
    sampler.save("saved")
    np.testing.assert_array_equal(load("saved").log_prob(x), sampler.log_prob(x))
    own.write_text(SOURCE.replace("/ 4 - SLOPE", "/ 5 - SLOPE"))
    run = resolve("own_wells.py:target", settings=SMALL)
    with pytest.raises(UsageError, match="target.sha256 was"):
        execute(run, "run", resume=True)
    for read in (load_run, load):
        with pytest.raises(ValueError, match=r"code of target .* has changed") as error:
            read("run" if read is load_run else "saved")
        assert "damaged" not in str(error.value)

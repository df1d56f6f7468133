"""Small runs, and reading their folders, for the tests of runs."""

import csv
import json

import pytest

from sesamo_jax.runs import UsageError, execute
from sesamo_jax.settings import resolve

# Three modes, a few numbers of parameters, three chunks of ten steps.
TINY = {
    "target.modes": 3,
    "target.radius": 3.0,
    "flow.couplings": 1,
    "flow.layers": 0,
    "flow.width": 4,
    "training.steps": 30,
    "training.batch_size": 32,
    "training.chunk": 10,
    "evaluation.samples": 500,
    "evaluation.batch_size": 300,
    "evaluation.keep": 40,
}
PLAIN = TINY | {"method": "realnvp", "base.variance": 5.0}


def plain_run():
    return resolve("gmm", "smoke", PLAIN, seed=1, seeds=2)


class Crash(Exception):
    """What stands in for a crash."""


def strict(path):
    """Return the content of a JSON file that must not hold NaN or Infinity."""

    def refuse(constant):
        raise AssertionError(f"{path.name} holds {constant}")

    return json.loads(path.read_text(), parse_constant=refuse)


def history(path):
    with (path / "history.csv").open() as file:
        return list(csv.DictReader(file))


def without(rows, *names):
    return [{k: v for k, v in row.items() if k not in names} for row in rows]


def contents(path):
    return sorted(entry.relative_to(path) for entry in path.rglob("*"))


def refused(run, path, words, resume=False):
    with pytest.raises(UsageError) as error:
        execute(run, path, resume)
    assert words in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)

"""Examples in docstrings give what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

import sesamo_jax

ROOT = Path(sesamo_jax.__file__).parent
MODULES = sorted(
    ".".join([ROOT.name, *path.relative_to(ROOT).with_suffix("").parts])
    for path in ROOT.rglob("*.py")
    if ">>>" in path.read_text()
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name):
    module = importlib.import_module(name.removesuffix(".__init__"))
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


def test_the_names_that_a_user_meets_first_have_an_example():
    names = ("build_target", "citation", "train")
    first = [*(getattr(sesamo_jax, name) for name in names), sesamo_jax.Sampler.sample]
    for function in [*first, sesamo_jax.symmetries.finite_group]:
        assert ">>>" in function.__doc__, function

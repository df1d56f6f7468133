"""Bounds of dependencies: the versions tested are those that are promised."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent


def pinned(name):
    """Return the versions that a constraints file pins, by package."""
    lines = (ROOT / name).read_text().splitlines()
    found = [line.split("==") for line in lines if not line.startswith("#")]
    assert all(len(pair) == 2 for pair in found)
    return {package.replace("_", "-"): version for package, version in found}


@pytest.fixture
def bounds():
    """The requirements of the package, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [Requirement(text) for text in project["dependencies"]]
    return {requirement.name: requirement for requirement in wanted}


def test_the_oldest_versions_are_the_lower_bounds(bounds):
    lower = {
        name: f">={version}"
        for name, version in pinned("constraints-oldest.txt").items()
    }
    assert {name: str(bound.specifier) for name, bound in bounds.items()} == lower


def test_the_versions_of_the_tests_are_within_the_bounds(bounds):
    tested = pinned("constraints.txt")
    for name, bound in bounds.items():
        assert bound.specifier.contains(tested[name]), name

"""What a run records of where it was made."""

import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

import sesamo_jax
from sesamo_jax.run.provenance import environment, revision

UNKNOWN = {"git_commit": None, "git_dirty": None}


def git(folder, *arguments):
    author = ("-c", "user.name=A", "-c", "user.email=a@b.c")
    done = subprocess.run(
        ["git", *author, *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def add_package(folder):
    """Put a package into a folder and return its own."""
    package = folder / "thing"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("one = 1\n")
    return package


@pytest.fixture
def checkout(tmp_path):
    """A repository with a package and one commit."""
    folder = tmp_path / "checkout"
    add_package(folder)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


def test_the_commit_of_a_checkout(checkout):
    commit = git(checkout, "rev-parse", "HEAD")
    clean = {"git_commit": commit, "git_dirty": False}
    assert revision(checkout / "thing") == clean
    # Results that a run leaves in the checkout do not change what it computes.
    (checkout / "results.json").write_text("{}")
    (checkout / "thing" / "notes.txt").write_text("")
    assert revision(checkout / "thing") == clean


def test_results_of_the_runs_before_are_no_change_of_the_code(checkout):
    results = checkout / "experiments" / "results" / "study" / "runs.jsonl"
    results.parent.mkdir(parents=True)
    results.write_text("")
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "--message", "results")
    results.write_text("{}")
    assert revision(checkout / "thing")["git_dirty"] is False
    (checkout / "experiments" / "runs.py").write_text("")
    git(checkout, "add", ".")
    assert revision(checkout / "thing")["git_dirty"] is True


@pytest.mark.parametrize("staged", [False, True])
def test_a_changed_file_of_a_checkout_is_told(checkout, staged):
    (checkout / "thing" / "__init__.py").write_text("one = 2\n")
    if staged:
        git(checkout, "add", ".")
    assert revision(checkout / "thing")["git_dirty"] is True


def test_a_package_installed_within_another_repository_has_no_commit(checkout):
    packages = checkout / ".venv" / "site-packages"
    package = add_package(packages)
    assert revision(package) == UNKNOWN
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "--message", "with its packages")
    assert revision(package) == UNKNOWN


def test_a_package_installed_beside_the_files_of_a_repository_has_no_commit(checkout):
    (checkout / "thing").rename(checkout / "other")
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "--message", "renamed")
    assert revision(add_package(checkout)) == UNKNOWN


def test_without_a_repository_or_git_there_is_no_commit(
    checkout, tmp_path, monkeypatch
):
    assert revision(add_package(tmp_path)) == UNKNOWN
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision(checkout / "thing") == UNKNOWN


@pytest.mark.parametrize("folder", ["", "/some/where/.venv/bin/"])
def test_date_host_and_command_line(folder, monkeypatch):
    """The interpreter by its name alone, all else as it was typed."""
    command = ["python3", "experiments/run.py", "--output", "my runs/a"]
    monkeypatch.setattr(sys, "orig_argv", [folder + command[0], *command[1:]])
    before = datetime.now(UTC).replace(microsecond=0)
    found = environment()
    date = datetime.fromisoformat(found["date"])
    assert date.utcoffset() is not None
    assert before <= date <= datetime.now(UTC)
    assert found["host"] == platform.node()
    assert shlex.split(found["command"]) == command
    own = revision(Path(sesamo_jax.__file__).parent)
    assert {name: found[name] for name in own} == own

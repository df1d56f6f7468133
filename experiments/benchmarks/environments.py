"""Environments of the peers, which need other packages than the project does."""

import subprocess
import sys
import tomllib
from pathlib import Path

from reading import ROOT


def requirement(package: str) -> str:
    """Return what the project's `bench` extra asks of a package, as pip takes it.

    Raises:
        ValueError: if the extra does not name it.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = project["optional-dependencies"]["bench"]
    for line in extra:
        if line.startswith(package):
            return line
    raise ValueError(f"the bench extra of pyproject.toml has no {package!r}: {extra}")


def peer_python(package: str, given: Path | None, folder: Path) -> Path:
    """Return an interpreter that has a peer's package.

    Args:
        package: its name.
        given: an interpreter to use; None takes that of `folder`, which is made, and
            filled by pip, where it does not work yet.
        folder: of a virtual environment.

    Raises:
        ValueError: if the given interpreter lacks the package, or pip fails.
    """
    wanted = requirement(package)
    if given is not None:
        if not _has(given, package):
            raise ValueError(
                f"{given} cannot import {package}: install it with "
                f"`{given} -m pip install '{wanted}'`, or leave the option out"
            )
        return given
    python = folder / "bin" / "python"
    if not _has(python, package):
        print(f"making {folder} with {wanted}, which may take minutes", flush=True)
        commands = (
            [sys.executable, "-m", "venv", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", wanted],
        )
        done = all(subprocess.run(words).returncode == 0 for words in commands)
        if not done or not _has(python, package):
            raise ValueError(
                f"could not make {folder} with {wanted}: make an environment that has "
                "it and name its interpreter on the command line, see --help"
            )
    return python


def _has(python: Path, package: str) -> bool:
    words = [str(python), "-c", f"import {package}"]
    try:
        return subprocess.run(words, capture_output=True).returncode == 0
    except OSError:
        return False

"""Targets of a user's own, by import path: FILE.py:NAME or PACKAGE.MODULE:NAME."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from sesamo_jax.core import Target
from sesamo_jax.core.words import Refused
from sesamo_jax.targets.config import Fixed, TargetConfig

FORMS = "my_module.py:target or my_package.my_module:target"


def is_import_path(name: str) -> bool:
    """Return whether a target is named by its place in a user's own code."""
    return ":" in name


def absolute(name: str) -> str:
    """Return an import path that is the same from every working directory."""
    place, _, attribute = name.rpartition(":")
    return f"{Path(place).resolve()}:{attribute}" if _is_file(place) else name


def file_name(name: str) -> str:
    """Return a target's name as a part of the names of files."""
    return Path(name).name.replace(":", "-")


def imported(name: str) -> TargetConfig:
    """Return what an import path names: a target, or the dataclass of its parameters.

    The code is executed, with its own folder, or the working directory, to import from.

    Raises:
        Refused: if there is no such code, it fails, or it holds something else.
    """
    place, _, attribute = name.rpartition(":")
    module = _module(place)
    found = getattr(module, attribute, None)
    if isinstance(found, Target):
        return Fixed(found)
    if isinstance(found, TargetConfig) and is_dataclass(type(found)):
        return found
    held = "nothing" if found is None else f"a {type(found).__name__}"
    raise Refused(
        f"target {name!r}: {place} holds {held} of the name {attribute!r}, where a "
        "Target is needed, or a frozen dataclass of parameters with dtype and "
        "build(name)"
    )


def digest(name: str) -> str:
    """Return the SHA-256 of the file that an import path names.

    Raises: as `imported`.
    """
    return sha256(_content(_file(name.rpartition(":")[0]))).hexdigest()


def _is_file(place: str) -> bool:
    return place.endswith(".py")


def _file(place: str) -> Path:
    """Return the file of a module."""
    if _is_file(place):
        return Path(place)
    return Path(str(_module(place).__file__))


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Refused(
            f"{file} cannot be read ({error.strerror}): a target of your own is named "
            f"by {FORMS}"
        ) from error


def _module(place: str) -> ModuleType:
    """Return a module, by its file or its dotted name."""
    if _is_file(place):
        file = Path(place).resolve()
        # Of this very content: a changed file is another module.
        name = f"_sesamo_jax_target_{sha256(_content(file)).hexdigest()}"
        return _executed(place, name, file)
    with _importable(Path.cwd()), _explained(place):
        return importlib.import_module(place)


def _executed(place: str, name: str, file: Path) -> ModuleType:
    if name in sys.modules:
        return sys.modules[name]
    spec: Any = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for the types of their fields
    try:
        with _importable(file.parent), _explained(place):
            spec.loader.exec_module(module)
    except Refused:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let a folder's modules be imported, as Python does for a script's own."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextmanager
def _explained(place: str) -> Iterator[None]:
    """Turn whatever a user's code raises into one sentence."""
    try:
        yield
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise Refused(f"{place} cannot be imported ({reason})") from error

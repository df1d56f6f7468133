"""Single files: written whole or not at all, and read or refused in one sentence."""

import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from math import isfinite
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np

from sesamo_jax.core.words import Refused

# What readers raise for content that is cut or foreign.
CONTENT = (
    *(ValueError, LookupError, TypeError, AttributeError, EOFError, OverflowError),
    *(SyntaxError, TokenError, MemoryError, RecursionError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error),
)
LENGTH = 200  # of a library's words within a sentence


class Damaged(Refused):
    """What a file holds is not what was written to it; the message names it."""


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that takes the place of another once all of it is on the disk.

    Where that fails nothing is left of it, and the other one stays.
    """
    temporary = partial(path)
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def partial(path: Path) -> Path:
    """Return where a file is until it is whole."""
    return path.with_name(f".{path.name}.part")


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file; numbers that are not finite are unknown, null.

    Raises:
        TypeError: for what JSON cannot hold.
    """
    text = json.dumps(plain(content), indent=1, allow_nan=False) + "\n"
    with replacing(path) as file:
        file.write(text.encode())


def plain(content: Any) -> Any:
    """Return nested content with the numbers of arrays as JSON can hold them."""
    if isinstance(content, Mapping):
        return {name: plain(value) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [plain(value) for value in content]
    if hasattr(content, "tolist"):
        return plain(content.tolist())
    if isinstance(content, float) and not isfinite(content):
        return None
    return content


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a compressed npz file."""
    with replacing(path) as file:
        np.savez_compressed(file, **dict(arrays))  # type: ignore[arg-type]


@contextmanager
def reading(path: Path, remedy: str) -> Iterator[None]:
    """Turn what is wrong with a file, or with its content, into one sentence.

    Args:
        path: of the file.
        remedy: what to do about it, as in "restore it from a copy".

    Raises:
        Damaged: with that sentence.
    """
    try:
        yield
    except Refused:
        raise
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise Damaged(f"{path} cannot be read ({reason}): {remedy}") from error
    except CONTENT as error:
        reason = first_line(error)
        raise Damaged(
            f"{path} is damaged, or not of this version ({reason}): {remedy}"
        ) from error


def first_line(error: BaseException) -> str:
    """Return the kind of an error and the beginning of what it says."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:LENGTH]}".removesuffix(": ")


def read_json(path: Path, remedy: str = "restore it from a copy") -> dict[str, Any]:
    """Return the content of a JSON file.

    Raises:
        Damaged: if it cannot be read, or holds anything else; one sentence.
    """
    with reading(path, remedy):
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict):
            raise TypeError(f"it holds a {type(content).__name__}")
    return content


def read_npz(
    path: Path, remedy: str = "restore it from a copy"
) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file.

    Raises:
        Damaged: if it cannot be read, or holds anything else; one sentence.
    """
    with reading(path, remedy), path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError("it is no whole npz file")
        file.seek(0)
        with np.load(file, allow_pickle=False) as found:
            return dict(found)


def read_arrays(
    path: Path, remedy: str = "restore it from a copy"
) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file of a run's samples.

    Raises:
        Damaged: if it cannot be read, or holds anything else; one sentence.
    """
    with reading(path, remedy):
        arrays = read_npz(path, remedy)
        seeds = len(arrays["x"])
        for name in arrays.keys() & {"x", "log_w"}:
            if arrays[name].dtype.kind != "f" or len(arrays[name]) != seeds:
                raise ValueError(f"{name} is not of {seeds} seeds")
    return arrays

"""Text and numbers converted to the types of a configuration's fields."""

from os import PathLike
from types import NoneType
from typing import Any, get_args, get_origin

WORDS = {bool: "true or false", int: "an integer", float: "a number", str: "text"}


def converted_to_type(name: str, value: Any, kind: Any) -> Any:
    """Convert text (or a number) to a field's type."""
    options = get_args(kind) or (kind,)
    if get_origin(kind) is tuple:
        pairs = get_origin(options[0]) is tuple
        return _edges(name, value) if pairs else _extents(name, value)
    if NoneType in options and value in (None, "none", "None"):
        return None
    wanted = next(option for option in options if option is not NoneType)
    if wanted is bool:
        choices = {"true": True, "false": False}
        if str(value).lower() in choices:
            return choices[str(value).lower()]
    else:
        try:
            if wanted is str and not isinstance(value, (str, PathLike)):
                raise TypeError
            if wanted is float and isinstance(value, bool):
                raise TypeError
            return _integer(value) if wanted is int else wanted(value)
        except (TypeError, ValueError, OverflowError):
            pass
    raise ValueError(f"{name}={value!r} must be {WORDS[wanted]}")


def _integer(value: Any) -> int:
    """Return text or a number as an integer.

    Raises:
        TypeError, ValueError, OverflowError: if it is none.
    """
    if isinstance(value, bool) or (isinstance(value, float) and value != int(value)):
        raise ValueError
    return int(value)


def _extents(name: str, value: Any) -> tuple[int, ...]:
    """Convert 8,8 or [8, 8] to a tuple of integers."""
    entries = value.strip("()[] ").split(",") if isinstance(value, str) else value
    try:
        return tuple(_integer(entry) for entry in entries)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name}={value!r} must be integers such as 8,8") from None


def _edges(name: str, value: Any) -> tuple[tuple[int, int], ...]:
    """Convert 0-1,1-2 or [[0, 1], [1, 2]] to pairs of integers."""
    if isinstance(value, str):
        value = [entry.split("-") for entry in value.split(",") if entry.strip()]
    try:
        return tuple((_integer(i), _integer(j)) for i, j in value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name}={value!r} must be pairs such as 0-1,1-2") from None

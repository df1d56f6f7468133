"""What presets are, and the conditions of their entries."""

from collections.abc import Callable, Mapping
from typing import Any

Condition = Mapping[str, Any]
Preset = list[tuple[Condition, dict[str, Any]]]


def among(*known: Any) -> Callable[[Any], bool]:
    """Return the condition that a setting is one of these; None is one left open."""
    return lambda value: value in known


def is_one(count: Any) -> bool:
    """Return whether a count is given as 1."""
    return str(count).strip() == "1"


def is_not_one(count: Any) -> bool:
    """Return whether a count is left open, or not given as 1."""
    return not is_one(count)


def is_several(count: Any) -> bool:
    """Return whether a count is given, and not as 1."""
    return str(count).strip() not in ("1", "None")


def holds(condition: Condition, here: Mapping[str, Any]) -> bool:
    """Return whether settings are those of a condition."""
    return all(
        wanted(here.get(name)) if callable(wanted) else here.get(name) == wanted
        for name, wanted in condition.items()
    )

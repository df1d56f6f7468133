"""Presets: overrides of the defaults, by what they depend on.

Each preset is a list of (condition, overrides). A condition may name a target, a method
and settings of the user's, by value or a function of it; later entries win.
"""

from collections.abc import Mapping
from typing import Any

from sesamo_jax.config.presets.conditions import Condition, Preset, holds
from sesamo_jax.config.presets.default import DEFAULT, OF_TARGETS, SMOKE
from sesamo_jax.config.presets.paper import PAPER

PRESETS: dict[str, Preset] = {"default": DEFAULT, "paper": PAPER, "smoke": SMOKE}

SUITED: dict[str, list[tuple[Condition, str]]] = {
    "default": OF_TARGETS,
    "paper": [],
    "smoke": OF_TARGETS,
}


def suited_method(
    preset: str, target: str, settings: Mapping[str, Any], default: str
) -> str:
    """Return the method that a preset takes where none is asked for."""
    here = {**settings, "target": target}
    for condition, method in SUITED[preset]:
        if holds(condition, here):
            return method
    return default


def overrides(
    preset: str, target: str, method: str, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a preset's overrides for a target, a method and explicit settings.

    An entry that names a flow replaces the one before together with its sizes.
    """
    merged: dict[str, Any] = {}
    here = {**settings, "target": target, "method": method}
    for condition, values in PRESETS[preset]:
        if holds(condition, here):
            if "flow.name" in values:
                merged = {k: v for k, v in merged.items() if not k.startswith("flow.")}
            merged |= values
    return merged

"""From names, presets and `--set a.b=value` to a `Run`, and to JSON and back."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from difflib import get_close_matches
from hashlib import sha256
from os import PathLike
from types import NoneType
from typing import Any, get_args, get_origin

from sesamo_jax.config.checks.effects import check_effects
from sesamo_jax.config.complete import check_values
from sesamo_jax.config.presets import PRESETS, overrides
from sesamo_jax.config.schema import (
    FORMER_NAMES,
    METHODS,
    SCALARS,
    SECTIONS,
    Config,
    Run,
)
from sesamo_jax.config.seeds import check_seeds
from sesamo_jax.core.bounds import check_fields, field_types
from sesamo_jax.flows import FLOWS
from sesamo_jax.targets import TARGETS

WORDS = {bool: "true or false", int: "an integer", float: "a number", str: "text"}


def resolve(
    target: str,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    seeds: int = 1,
) -> Run:
    """Return the run that a target, a preset and explicit settings describe.

    Args:
        target: name in `TARGETS`.
        preset: name in `PRESETS`.
        settings: values by dotted field name, for instance `{"target.beta": 2.0,
            "training.steps": 500, "method": "realnvp"}`; text is converted to the
            field's type. They win over the preset.
        seed: first seed.
        seeds: number of seeds.

    Raises:
        ValueError: for unknown names, naming the nearest known one, wrong types, values
            out of their range, and settings that change nothing beside the others.
    """
    settings = dict(settings or {})
    run = _assemble(target, preset, settings, seed, seeds)
    check_fields(run.target, "target")
    check_values(run.config)
    check_effects(run, settings)
    return run


def _assemble(
    target: str, preset: str, settings: Mapping[str, Any], seed: int, seeds: int
) -> Run:
    """Return the run of `resolve`, with the types of its fields checked only."""
    if target not in TARGETS:
        raise ValueError(unknown("target", target, TARGETS))
    if preset not in PRESETS:
        raise ValueError(unknown("preset", preset, PRESETS))
    chosen = check_seeds(seeds, seed)
    if not isinstance(chosen, range):
        raise ValueError(f"seeds={seeds!r} must be an integer")
    method = settings.get("method", Config.method)
    method = FORMER_NAMES.get(method, method)
    if method not in METHODS:
        raise ValueError(unknown("method", method, METHODS))
    preset_values = overrides(preset, target, method, settings)
    preset_flow = preset_values.pop("flow.name", "realnvp")
    flow_name = settings.get("flow.name", preset_flow)
    if flow_name not in tuple(FLOWS):
        raise ValueError(unknown("flow.name", flow_name, FLOWS))
    if flow_name != preset_flow:  # a preset's sizes are those of its own flow
        preset_values = {
            k: v for k, v in preset_values.items() if not k.startswith("flow.")
        }
    tree = {
        "target": TARGETS[target],
        **{name: getattr(Config(), name) for name in SCALARS},
        **{name: getattr(Config(), name) for name in SECTIONS},
        "flow": FLOWS[flow_name],
    }
    for name, value in (preset_values | dict(settings)).items():
        if name != "flow.name":
            _assign(tree, name, value)
    target_config, config = tree.pop("target"), Config(**tree)
    return Run(target, target_config, flow_name, preset, chosen[0], len(chosen), config)


def unknown(kind: str, name: Any, known: Any) -> str:
    """Return the message for an unknown name, with the nearest known one."""
    return f"unknown {kind} {name!r}{_nearest(name, known)}; known: {', '.join(known)}"


def _nearest(name: Any, known: Any, cutoff: float = 0.6) -> str:
    close = get_close_matches(str(name), list(known), n=1, cutoff=cutoff)
    return f"; nearest: {close[0]}" if close else ""


def _unknown_setting(name: str, known: list[str]) -> str:
    """Return the message for an unknown setting, with the nearest and its section's.

    A field of that very name in another section is nearer than any that is spelt alike.
    """
    section, _, field = name.rpartition(".")
    same = [other for other in known if other.rpartition(".")[2] == field]
    nearest = _nearest(name, same, 0.0) if same else _nearest(name, known)
    begin = f"{section}."
    fields = [other[len(begin) :] for other in known if other.startswith(begin)]
    has = f"section {section} has"
    if not fields:
        has, fields = "known", [re.sub(r"\..*", ".*", other) for other in known]
    return (
        f"unknown setting {name!r}{nearest}; {has}: {', '.join(dict.fromkeys(fields))}"
    )


def _assign(tree: dict[str, Any], name: str, value: Any) -> None:
    section, _, field = name.partition(".")
    known = _field_types(tree)
    if name not in known:
        raise ValueError(_unknown_setting(name, [*known, "flow.name"]))
    converted = _convert(name, value, known[name])
    tree[section] = replace(tree[section], **{field: converted}) if field else converted


def _field_types(tree: dict[str, Any]) -> dict[str, Any]:
    types: dict[str, Any] = {name: field_types(Config)[name] for name in SCALARS}
    for section, value in tree.items():
        if is_dataclass(value):
            hints = field_types(type(value))  # type: ignore[arg-type]
            types |= {f"{section}.{f.name}": hints[f.name] for f in fields(value)}
    return types


def _convert(name: str, value: Any, kind: Any) -> Any:
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


def to_json(run: Run) -> dict[str, Any]:
    """Return a run as the nested dictionary of `config.json`."""
    tree = asdict(run.config)
    tree["flow"] = {"name": run.flow_name, **tree["flow"]}
    target = {"name": run.target_name, **asdict(run.target)}  # type: ignore[call-overload]
    tree = {
        "target": target,
        "preset": run.preset,
        "seed": run.seed,
        "seeds": run.seeds,
        **tree,
    }
    # As a file gives it back: tuples are lists.
    return json.loads(json.dumps(tree))


def from_json(tree: Mapping[str, Any]) -> Run:
    """Return the run that `to_json` wrote, by this version or an earlier one.

    A section that is missing takes its defaults.
    """
    settings = {name: tree[name] for name in SCALARS}
    for section in ("target", *SECTIONS):
        for field, value in tree.get(section, {}).items():
            if (section, field) != ("target", "name"):
                settings[f"{section}.{field}"] = value
    return _assemble(
        tree["target"]["name"], tree["preset"], settings, tree["seed"], tree["seeds"]
    )


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    """Return the first setting in which two `to_json` dictionaries differ, in words."""
    flat_old, flat_new = _flatten(old), _flatten(new)
    for flat in (flat_old, flat_new):
        if flat.get("method") in FORMER_NAMES:
            flat["method"] = FORMER_NAMES[flat["method"]]
    for name in flat_old | flat_new:
        if flat_old.get(name) != flat_new.get(name):
            return f"{name} was {flat_old.get(name)!r}, now {flat_new.get(name)!r}"
    return None


def fingerprint(tree: Mapping[str, Any]) -> str:
    """Return a digest of those settings of a `to_json` dictionary that shape training.

    Two agree where `difference` finds none but in how to judge.
    """
    flat = {
        name: value
        for name, value in _flatten(tree).items()
        if value is not None and not name.startswith("evaluation.")
    }
    # Checkpoints bear the digests that they were written with.
    former = {new: old for old, new in FORMER_NAMES.items()}
    if flat.get("method") in former:
        flat["method"] = former[flat["method"]]
    return sha256(json.dumps(flat, sort_keys=True).encode()).hexdigest()


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat

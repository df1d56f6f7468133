"""From names, presets and `--set a.b=value` to a `Run`."""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from sesamo_jax.config.checks.effects import check_effects
from sesamo_jax.config.complete import check_values
from sesamo_jax.config.conversion import converted_to_type
from sesamo_jax.config.presets import PRESETS, overrides, suited_method
from sesamo_jax.config.schema import (
    FORMER_NAMES,
    METHODS,
    SCALARS,
    SECTIONS,
    Config,
    Run,
)
from sesamo_jax.config.seeds import check_seeds
from sesamo_jax.core import Target
from sesamo_jax.core.bounds import check_fields, field_types
from sesamo_jax.core.words import nearest, unknown
from sesamo_jax.flows import DENSE, FLOWS, dense_flow
from sesamo_jax.targets import TARGETS, TargetConfig, find_target
from sesamo_jax.targets.imported import absolute


def resolve(
    target: str,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    seeds: int = 1,
    known: TargetConfig | None = None,
) -> Run:
    """Return the run that a target, a preset and explicit settings describe.

    Args:
        target: name in `TARGETS`, or the import path of a user's own.
        preset: name in `PRESETS`.
        settings: values by dotted field name, for instance `{"target.beta": 2.0,
            "training.steps": 500, "method": "flow"}`; text is converted to the
            field's type. They win over the preset.
        seed: first seed.
        seeds: number of seeds.
        known: the target's configuration, where it need not be found by its name.

    Raises:
        ValueError: for unknown names, naming the nearest known one, wrong types, values
            out of their range, and settings that change nothing beside the others.
    """
    settings = dict(settings or {})
    run = assemble(target, preset, settings, seed, seeds, known)
    check_fields(run.target, "target")
    check_values(run.config)
    check_effects(run, settings)
    return run


def assemble(
    target: str,
    preset: str,
    settings: Mapping[str, Any],
    seed: int,
    seeds: int,
    known: TargetConfig | None = None,
) -> Run:
    """Return the run of `resolve`, with the types of its fields checked only."""
    if known is None:
        target = absolute(target)
        known = find_target(target)
    if preset not in PRESETS:
        raise ValueError(unknown("preset", preset, PRESETS))
    chosen = check_seeds(seeds, seed)
    if not isinstance(chosen, range):
        raise ValueError(f"seeds={seeds!r} must be an integer")
    own = None if target in TARGETS else _built(target, known, settings)
    suited = suited_method(preset, target, settings, Config.method)
    if own is not None and own.symmetry is None:
        suited = "flow"
    method = settings.get("method", suited)
    method = FORMER_NAMES.get(method, method)
    if method not in METHODS:
        raise ValueError(unknown("method", method, METHODS))
    preset_values = overrides(preset, target, method, settings)
    named = preset_values.pop("flow.name", None)
    dense = DENSE if own is None else dense_flow(own.event_shape)
    flow_name = settings.get("flow.name", named or dense)
    if flow_name not in tuple(FLOWS):
        raise ValueError(unknown("flow.name", flow_name, FLOWS))
    if flow_name != (named or DENSE):  # a preset's sizes are those of its flow
        preset_values = {
            k: v for k, v in preset_values.items() if not k.startswith("flow.")
        }
    tree = {
        "target": known,
        **{name: getattr(Config(), name) for name in SCALARS},
        **{name: getattr(Config(), name) for name in SECTIONS},
        "flow": FLOWS[flow_name],
    }
    tree["method"] = method
    for name, value in (preset_values | dict(settings)).items():
        if name != "flow.name":
            _assign(tree, name, value)
    target_config, config = tree.pop("target"), Config(**tree)
    return Run(target, target_config, flow_name, preset, chosen[0], len(chosen), config)


def _built(name: str, target: TargetConfig, settings: Mapping[str, Any]) -> Target:
    """Return a user's own target, whose size and symmetry defaults depend on."""
    tree = {"target": target}
    for field, value in settings.items():
        if field.startswith("target."):
            _assign(tree, field, value)
    check_fields(tree["target"], "target")
    return tree["target"].build(name)


def _unknown_setting(name: str, known: list[str]) -> str:
    """Return the message for an unknown setting, with the nearest and its section's.

    A field of that very name in another section is nearer than any that is spelt alike.
    """
    section, _, field = name.rpartition(".")
    same = [other for other in known if other.rpartition(".")[2] == field]
    close = nearest(name, same, 0.0) if same else nearest(name, known)
    begin = f"{section}."
    fields = [other[len(begin) :] for other in known if other.startswith(begin)]
    has = f"section {section} has"
    if not fields:
        has, fields = "known", [re.sub(r"\..*", ".*", other) for other in known]
    return f"unknown setting {name!r}{close}; {has}: {', '.join(dict.fromkeys(fields))}"


def _assign(tree: dict[str, Any], name: str, value: Any) -> None:
    section, _, field = name.partition(".")
    known = _field_types(tree)
    if name not in known:
        raise ValueError(_unknown_setting(name, [*known, "flow.name"]))
    converted = converted_to_type(name, value, known[name])
    tree[section] = replace(tree[section], **{field: converted}) if field else converted


def _field_types(tree: dict[str, Any]) -> dict[str, Any]:
    types: dict[str, Any] = {name: field_types(Config)[name] for name in SCALARS}
    for section, value in tree.items():
        if is_dataclass(value):
            hints = field_types(type(value))  # type: ignore[arg-type]
            types |= {f"{section}.{f.name}": hints[f.name] for f in fields(value)}
    return types

"""A run as JSON and back, and in what two of them differ."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from sesamo_jax.config.resolve import assemble
from sesamo_jax.config.schema import FORMER_NAMES, SCALARS, SECTIONS, Run
from sesamo_jax.core.words import Refused
from sesamo_jax.samplers.conditionals.sites import ALL
from sesamo_jax.targets import TargetConfig
from sesamo_jax.targets.imported import digest, is_import_path


def to_json(run: Run) -> dict[str, Any]:
    """Return a run as the nested dictionary of `config.json`."""
    tree = asdict(run.config)
    tree["flow"] = {"name": run.flow_name, **tree["flow"]}
    target = {"name": run.target_name, **asdict(run.target)}  # type: ignore[call-overload]
    if is_import_path(run.target_name):
        target["sha256"] = digest(run.target_name)
    tree = {
        "target": target,
        "preset": run.preset,
        "seed": run.seed,
        "seeds": run.seeds,
        **tree,
    }
    # As a file gives it back: tuples are lists.
    return json.loads(json.dumps(tree))


def from_json(tree: Mapping[str, Any], known: TargetConfig | None = None) -> Run:
    """Return the run that `to_json` wrote, by this version or an earlier one.

    A section that is missing takes its defaults, and flows covered all sites before
    there was a choice.

    Args:
        tree: what `to_json` returned.
        known: the target's configuration, where it need not be found by its name.

    Raises:
        ValueError: if it is no such tree; `Refused`, if it is of a target in a user's
            own code, which is not there or has changed since.
    """
    name, fields = tree["target"]["name"], dict(tree["target"])
    written = fields.pop("sha256", None)
    if known is None and written is not None and digest(name) != written:
        raise Refused(
            f"the code of target {name} has changed since the run: restore it, or give "
            "the changed one another name"
        )
    tree = {"sites": ALL, **tree, "target": fields}
    settings = {name: tree[name] for name in SCALARS}
    for section in ("target", *SECTIONS):
        for field, value in tree.get(section, {}).items():
            if (section, field) != ("target", "name"):
                settings[f"{section}.{field}"] = value
    return assemble(name, tree["preset"], settings, tree["seed"], tree["seeds"], known)


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    """Return the first setting in which two `to_json` dictionaries differ, in words."""
    flat_old, flat_new = _settings(old), _settings(new)
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
        for name, value in _settings(tree).items()
        if value is not None and not name.startswith("evaluation.")
    }
    # Checkpoints bear the digests that they were written with.
    former = {new: old for old, new in FORMER_NAMES.items()}
    if flat.get("method") in former:
        flat["method"] = former[flat["method"]]
    return sha256(json.dumps(flat, sort_keys=True).encode()).hexdigest()


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested dictionary's values by dotted names."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _settings(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings by dotted name, but for one that used to have no choice."""
    flat = flatten(tree)
    if flat.get("sites") == ALL:
        del flat["sites"]
    return flat

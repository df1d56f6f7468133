"""Samplers in folders: a record of what they are, and their parameters.

`sampler.json` names the target with its parameters, or its import path, the whole
configuration, the versions, and the checksum of `params.npz`, which has one array per
parameter. Nothing of it is code.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.config import Config, Run
from sesamo_jax.config.record import from_json, to_json
from sesamo_jax.core import Origin, Params, Target, enable_precision
from sesamo_jax.flows import FLOWS, FlowConfig
from sesamo_jax.run.provenance import versions
from sesamo_jax.storage.files import (
    partial,
    read_json,
    read_npz,
    reading,
    write_arrays,
    write_json,
)
from sesamo_jax.targets import build_from
from sesamo_jax.targets.config import Fixed

RECORD, PARAMS = "sampler.json", "params.npz"
FORMAT = 1
REMEDY = "restore it from a copy"
UNKNOWN = "realnvp"  # stands in the record for a flow that has no name


class Stored(NamedTuple):
    """What a folder holds.

    Attributes:
        target: built again, or given.
        config: of the sampler.
        params: by name, as in `params.npz`.
    """

    target: Target
    config: Config
    params: dict[str, np.ndarray]


def write(folder: Path, target: Target, config: Config, params: Params) -> None:
    """Write a sampler to a new folder; it is there whole or not at all.

    Raises:
        ValueError: if the folder exists.
    """
    if folder.exists():
        raise ValueError(f"{folder} exists: save the sampler to another folder")
    names = [name for name, row in FLOWS.items() if type(row) is type(config.flow)]
    record = {
        "format": FORMAT,
        "versions": versions(),
        "made_in_python": {"target": target.origin is None, "flow": not names},
    }
    # a colon would make an import path of the name
    origin = target.origin or Origin(target.name.replace(":", "-"), Fixed(target))
    if not names:  # whoever reads it gives the flow again
        config, names = replace(config, flow=FLOWS[UNKNOWN]), [UNKNOWN]
    run = Run(origin.name, origin.config, names[0], "default", 0, 1, config)
    record["sampler"] = to_json(run)
    whole = partial(folder)
    whole.mkdir(parents=True, exist_ok=True)
    try:
        write_arrays(whole / PARAMS, by_name(params))
        checksum = _checksum(whole, record)
        write_json(whole / RECORD, {**record, "sha256": checksum})
        whole.rename(folder)
    except BaseException:
        shutil.rmtree(whole)
        raise


def read(folder: Path, target: Target | None, flow: FlowConfig | None) -> Stored:
    """Return what `write` wrote.

    Enables float64 in JAX if the target is of this type and known by name.

    Args:
        folder: of the sampler.
        target: in place of the one that was saved; needed if that was made in Python.
        flow: likewise.

    Raises:
        ValueError: if the folder holds no sampler, one of a newer version, or a damaged
            one; if a target or a flow is missing, or has changed; one sentence.
    """
    record = _record(folder)
    tree, made_in_python = record["sampler"], record["made_in_python"]
    name = tree["target"]["name"]
    for kind, given in (("target", target), ("flow", flow)):
        if made_in_python[kind] and given is None:
            which = f"{kind} {name!r}" if kind == "target" else "flow"
            raise ValueError(
                f"{folder} holds a sampler whose {which} was made in Python: make it "
                f"again, and give it as load(folder, {kind}=...)"
            )
    try:
        if target is not None:
            run = from_json({**tree, "target": {"name": name}}, Fixed(target))
        else:
            run = from_json(tree)
            enable_precision(run.target.dtype)
            target = build_from(run.target_name, run.target)
    except (LookupError, ValueError) as error:
        version = record["versions"]["sesamo-jax"]
        raise ValueError(f"{folder}, saved by sesamo-jax {version}: {error}") from error
    config = run.config if flow is None else replace(run.config, flow=flow)
    return Stored(target, config, read_npz(folder / PARAMS, REMEDY))


def by_name(params: Params) -> dict[str, np.ndarray]:
    """Return the leaves of a tree by their path, such as flow/params/.../kernel."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {_name(path): np.asarray(leaf) for path, leaf in leaves}


def fill(like: Params, values: dict[str, np.ndarray], folder: Path) -> Params:
    """Return a tree of parameters with the values of `by_name`.

    Raises:
        ValueError: if names, shapes or types differ.
    """
    leaves = dict(
        (_name(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(like)
    )
    for name in leaves | values:
        wanted, found = leaves.get(name), values.get(name)
        if (
            wanted is None
            or found is None
            or (wanted.shape, wanted.dtype)
            != (
                found.shape,
                found.dtype,
            )
        ):
            raise ValueError(
                f"{folder}: parameter {name} is {_describe(found)}, and "
                f"{_describe(wanted)} in the model of this version, target and flow"
            )
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: jnp.asarray(values[_name(path)]), like
    )


def _record(folder: Path) -> dict[str, Any]:
    """Return the record of a folder, once all of the folder is known to be whole."""
    path = folder / RECORD
    if not path.is_file():
        raise ValueError(
            f"{folder} holds no {RECORD}: it is no folder of Sampler.save (a run's is "
            "read by load_run)"
        )
    record = read_json(path, REMEDY)
    given, found = record.pop("sha256", None), record.get("format")
    if not isinstance(found, int) or found < 1 or given is None:
        raise ValueError(f"{path} is not a record of Sampler.save: {REMEDY}")
    if found > FORMAT:
        raise ValueError(
            f"{path} is of format {found}, newer than this version's {FORMAT}: pip "
            "install --upgrade sesamo-jax"
        )
    with reading(folder / PARAMS, REMEDY):
        if given != _checksum(folder, record):
            raise ValueError(f"its checksum and {RECORD} do not agree")
    return record


def _checksum(folder: Path, record: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the record and the parameters."""
    digest = sha256(json.dumps(record, sort_keys=True).encode())
    digest.update((folder / PARAMS).read_bytes())
    return digest.hexdigest()


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _describe(leaf: Any) -> str:
    return "missing" if leaf is None else f"{leaf.dtype} of shape {leaf.shape}"

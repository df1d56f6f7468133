"""What seals a step of a checkpoint: whose it is, its generator, and a checksum."""

import json
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import jax

from sesamo_jax.core import Key
from sesamo_jax.storage.files import read_json, write_json

RECORD = "record.json"


def seal(path: Path, configuration: str, key: Key) -> None:
    """Write the record of a step, once all else of it is on the disk.

    Args:
        path: the folder of the step.
        configuration: `record.fingerprint` of the run.
        key: one of its keys, which tells the random number generator.
    """
    record = {"configuration": configuration, "generator": _generator(key)}
    checksum = _checksum(path, record)
    write_json(path / RECORD, record | {"sha256": checksum})


def verified(path: Path) -> dict[str, str]:
    """Return what was saved with a step; without a checksum if it has none.

    Raises:
        ValueError: if its files are not as they were written.
    """
    if not (path / RECORD).exists():  # by an earlier version, or killed before it
        return {"generator": _generator(jax.random.key(0))}
    record = read_json(path / RECORD)
    given = record.pop("sha256", None)
    if given != _checksum(path, record):
        raise ValueError("its checksum does not agree")
    return record | {"sha256": given}


def stored_generator(folder: Path) -> str:
    """Return the random number generator of the last states that are whole.

    JAX's own, as it is set up, where there are none.
    """
    for step in steps_in(folder):
        with suppress(ValueError, OSError):
            return verified(folder / str(step))["generator"]
    return _generator(jax.random.key(0))


def steps_in(folder: Path) -> list[int]:
    """Return the steps that are there, whole or not, the last one first."""
    names = [path.name for path in folder.glob("*")]
    return sorted((int(name) for name in names if name.isdecimal()), reverse=True)


def _generator(key: Key) -> str:
    """Return the name of the random number generator of a key."""
    return str(jax.random.key_impl(key))


def _checksum(path: Path, record: dict[str, str]) -> str:
    """Return the SHA-256 of the record of a step and of all its other files."""
    digest = sha256(json.dumps(record, sort_keys=True).encode())
    files = sorted(file for file in path.rglob("*") if file.is_file())
    for file in files:
        if file != path / RECORD:
            content = file.read_bytes()
            digest.update(f"{file.relative_to(path)} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()

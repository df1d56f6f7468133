"""Where the parts of the measurement are kept, one JSON file each."""

from typing import Any

from reading import RESULTS as STUDIES

from sesamo_jax.storage.files import read_json, write_json

RESULTS = STUDIES / "benchmarks"


def write_part(name: str, content: dict[str, Any]) -> None:
    """Write a part's file; it is there whole or not at all."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_json(RESULTS / f"{name}.json", content)


def read_part(name: str) -> dict[str, Any] | None:
    """Return a part's content, None while it is not measured."""
    path = RESULTS / f"{name}.json"
    return read_json(path) if path.exists() else None


def measured_parts() -> dict[str, dict[str, Any]]:
    """Return the content of all measured parts, by name."""
    return {path.stem: read_json(path) for path in sorted(RESULTS.glob("*.json"))}

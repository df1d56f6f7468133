"""Where the parts of the measurement are kept, one JSON file each."""

import json
import os
from typing import Any

from studies import ROOT, read

RESULTS = ROOT / "experiments" / "results" / "benchmarks"


def write_part(name: str, content: dict[str, Any]) -> None:
    """Write a part's file; it is there whole or not at all."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    temporary = RESULTS / f".{name}.part"
    temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    os.replace(temporary, RESULTS / f"{name}.json")


def read_part(name: str) -> dict[str, Any] | None:
    """Return a part's content, None while it is not measured."""
    path = RESULTS / f"{name}.json"
    return read(path) if path.exists() else None


def measured_parts() -> dict[str, dict[str, Any]]:
    """Return the content of all measured parts, by name."""
    return {path.stem: read(path) for path in sorted(RESULTS.glob("*.json"))}

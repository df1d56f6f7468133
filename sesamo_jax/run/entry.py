"""One entry of a study: its configuration, its command line, and carrying it out."""

import subprocess
import sys
from collections.abc import Mapping
from math import isinf
from pathlib import Path
from typing import Any, NamedTuple

from sesamo_jax.config import resolve
from sesamo_jax.config.checks.effects import purpose
from sesamo_jax.config.record import difference, to_json
from sesamo_jax.config.schema import Run

STOPPING_SECONDS = 120.0


class Entry(NamedTuple):
    """One run: a target, settings by dotted name, seeds and their first, a preset."""

    target: str
    settings: Mapping[str, Any]
    seeds: int = 1
    seed: int = 0
    preset: str = "default"


def command(output: Path, entry: Entry) -> list[str]:
    """Return the command line of one run, after `sesamo-jax`."""
    words = ["run", "--target", entry.target]
    words += ["--preset", entry.preset] if entry.preset != "default" else []
    for key, value in entry.settings.items():
        words += ["--set", f"{key}={value}"] if "." in key else [f"--{key}", str(value)]
    words += ["--seeds", str(entry.seeds)] if entry.seeds > 1 else []
    words += ["--seed", str(entry.seed)] if entry.seed else []
    return [*words, "--output", str(output)]


def program(output: Path, entry: Entry) -> list[str]:
    """Return the program of one run, which continues one that was interrupted."""
    words = command(output, entry)
    print("sesamo-jax", *words, flush=True)
    return [sys.executable, "-m", "sesamo_jax", *words, "--resume"]


def changed(config: Mapping[str, Any], entry: Entry) -> str | None:
    """Return how a run's configuration differs from its entry, in words, or None."""
    settings = {name: str(value) for name, value in entry.settings.items()}
    run = resolve(entry.target, entry.preset, settings, entry.seed, entry.seeds)
    wanted = _that_matters(to_json(run), run)
    found = _that_matters(config, run)
    return difference(_forget(found, wanted), _known(wanted, found))


def _that_matters(tree: Mapping[str, Any], run: Run, above: str = "") -> dict:
    """Return a configuration, or a section, without what changes nothing in a run."""
    return {
        name: _that_matters(value, run, f"{above}{name}.")
        if isinstance(value, Mapping)
        else value
        for name, value in tree.items()
        if purpose(run, above + name) is None
    }


def _forget(found: Any, wanted: Any) -> Any:
    """Return what was found, with None, which is filled to suit, wherever wanted."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return {name: _forget(value, wanted.get(name)) for name, value in found.items()}
    return None if wanted is None else found


def _known(wanted: Any, found: Any) -> Any:
    """Return what was wanted of what a run knew, by whatever version it was."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return {
            name: _known(wanted[name], found[name]) for name in wanted if name in found
        }
    return wanted


def finished_in(seconds: float, words: list[str]) -> bool:
    """Return whether a program ends well in time; stop it where it does not."""
    with subprocess.Popen(words) as process:
        try:
            return process.wait(None if isinf(seconds) else seconds) == 0
        except subprocess.TimeoutExpired:
            process.terminate()
        try:
            process.wait(STOPPING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()  # its last checkpoint is at most a minute old
    return False

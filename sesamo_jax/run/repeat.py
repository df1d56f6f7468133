"""A run of a study repeated with another seed, and compared with its result."""

import tempfile
from collections.abc import Mapping
from math import hypot, inf, sqrt
from pathlib import Path
from typing import Any

from sesamo_jax.run.entry import Entry, finished_in, program
from sesamo_jax.run.folder import METRICS
from sesamo_jax.run.study import Study
from sesamo_jax.storage.files import read_json

SEED = 1000
SIGMAS = 3


def repeat_quickest(
    study: Study, runs: Mapping[str, Entry], hours: float = inf
) -> bool:
    """Return whether the quickest run, repeated, agrees with its result; print both."""
    known = {}
    for name in runs:
        results, run = study.place(name)
        found = results.metrics(run)
        # Markov chains, which have no log Z, may stay where they start, on purpose.
        if found is not None and found["seeds"][0]["log_z"]:
            known[name] = found
    if not known:
        print("there is no result to compare with")
        return False
    name = min(known, key=lambda name: _seconds(known[name]))
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "run"
        words = program(fresh, runs[name]._replace(seed=SEED))
        if not finished_in(3600 * hours, words):
            return False
        return agree(name, known[name], read_json(fresh / METRICS))


def _seconds(result: Mapping[str, Any]) -> float:
    return sum(seed["wall_seconds"] for seed in result["seeds"])


def agree(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether two results agree, and print them.

    What does not depend on how well training went is compared: log Z and observables,
    within their own errors; and of several seeds the ESS within their spread.
    """
    print(f"{name}: known, fresh, distance in sigma")
    compared, good = 0, True
    for key in ("ess", "log_z", *old["seeds"][0]["observables"]):
        read_off = _spread if key == "ess" else _value
        known, fresh = read_off(old, key), read_off(new, key)
        if known is None or fresh is None:
            continue
        (a, a_error), (b, b_error) = known, fresh
        distance = (b - a) / hypot(a_error, b_error)
        compared, good = compared + 1, good and abs(distance) < SIGMAS
        print(f"  {key:28} {a:12.6g} {b:12.6g} {distance:+6.1f}")
    if not compared:
        print("  nothing has an error that can be trusted")
    return good and compared > 0


def _spread(result: Mapping[str, Any], key: str) -> tuple[float, float] | None:
    """Return a mean over seeds and its error from their spread, or None."""
    entry, seeds = result["aggregate"][key], len(result["seeds"])
    return (entry["mean"], entry["std"] / sqrt(seeds)) if entry["std"] else None


def _value(result: Mapping[str, Any], key: str) -> tuple[float, float] | None:
    """Return the first seed's scalar estimate and its error, or None."""
    seed = result["seeds"][0]
    entry = seed["observables"].get(key)
    mean, error = (
        (entry["mean"], entry["error"]) if entry else (seed[key], seed[f"{key}_error"])
    )
    return (mean, error) if isinstance(mean, float) and error else None

"""Reading the results of the Hubbard study, seeds pooled, and exact traces."""

from functools import cache
from typing import Any

import numpy as np
import reading
from reading import Run, mean_error

from sesamo_jax.config.record import from_json
from sesamo_jax.geometry.graphs import adjacency
from sesamo_jax.run.text import estimate_text
from sesamo_jax.targets.hubbard.fock import FockReference, fock_reference


def metrics(name: str) -> Run | None:
    """Return the metrics of one of the study's runs, or None."""
    return reading.metrics(f"hubbard/{name}")


def text(run: Run, name: str) -> str:
    """Return mean(error), mean? where a seed has no error to trust, or a dash."""
    mean, error = mean_error(run, name)
    return estimate_text(float(mean), float(error)) if np.isfinite(mean) else "-"


def beside(run: Run, name: str, exact: float) -> str:
    """Return mean(error) : exact, and their distance in sigma where there is one."""
    mean, error = mean_error(run, name)
    if not np.isfinite(mean):
        return "-"
    distance = f", {(mean - exact) / error:+.1f}" if np.isfinite(error) else ""
    return f"{text(run, name)} : {exact:.5f}{distance}"


def trace(name: str) -> FockReference:
    """Return the exact trace of a run's target."""
    results, run = reading.place(f"hubbard/{name}")
    return _trace(from_json(results.config(run)).target)


@cache
def _trace(target: Any) -> FockReference:
    hopping = target.kappa * adjacency(target.graph(), target.sites)
    return fock_reference(hopping, target.u, target.beta, target.time_slices)


def leak(run: Run) -> str:
    """Return the mean leak, or a dash."""
    values = [seed.get("leak") for seed in run["seeds"]]
    return "-" if None in values else f"{np.mean(values):.2g}"


def seconds(run: Run) -> str:
    """Return training or sampling seconds per seed."""
    return f"{np.mean([seed['wall_seconds'] for seed in run['seeds']]):.1f}"


def ess(run: Run) -> str:
    """Return the ESS, a dash for Markov chains."""
    return "-" if run["seeds"][0].get("ess") is None else text(run, "ess")

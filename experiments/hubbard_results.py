"""Reading the result files of the Hubbard study, seeds pooled, and exact traces."""

from functools import cache, partial

import numpy as np
import studies
from hubbard import FOLDER
from studies import ROOT, Run, mean_error

from sesamo_jax.config.resolve import from_json
from sesamo_jax.geometry.graphs import adjacency
from sesamo_jax.run.text import estimate_text
from sesamo_jax.targets.hubbard.fock import FockReference, fock_reference

metrics = partial(studies.metrics, FOLDER)


def text(run: Run, name: str) -> str:
    """Return mean(error), or a dash."""
    mean, error = mean_error(run, name)
    return estimate_text(float(mean), float(error)) if np.isfinite(mean) else "-"


def beside(run: Run, name: str, exact: float) -> str:
    """Return mean(error) : exact, and their distance in sigma."""
    mean, error = mean_error(run, name)
    if not np.isfinite(error):
        return "-"
    return f"{text(run, name)} : {exact:.5f}, {(mean - exact) / error:+.1f}"


@cache
def trace(name: str) -> FockReference:
    """Return the exact trace of a run's target."""
    path = ROOT / "experiments" / "results" / FOLDER / name / "config.json"
    target = from_json(studies.read(path)).target
    hopping = target.kappa * adjacency(target.graph(), target.sites)
    return fock_reference(hopping, target.u, target.beta, target.time_slices)


def leak(run: Run) -> str:
    """Return the mean leak, or a dash."""
    values = [seed.get("leak") for seed in run["seeds"]]
    return "-" if None in values else f"{np.mean(values):.2g}"


def seconds(run: Run) -> str:
    """Return training or sampling seconds per seed."""
    return f"{np.mean([seed['wall_seconds'] for seed in run['seeds']]):.1f}"


def step_seconds(run: Run) -> float:
    """Return the seconds that a training step took."""
    return run["seeds"][0]["wall_seconds"] / run["seeds"][0]["steps"]


def ess(run: Run) -> str:
    """Return the ESS, a dash for Markov chains."""
    return "-" if run["seeds"][0].get("ess") is None else text(run, "ess")

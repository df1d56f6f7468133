"""Judging what a run has trained or sampled: the content of `metrics.json`."""

import resource
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.config.schema import METHODS, Run
from sesamo_jax.core import Key, Model, Target
from sesamo_jax.estimators import doubts
from sesamo_jax.evaluation.audit import build_audited
from sesamo_jax.evaluation.report import report
from sesamo_jax.evaluation.sampling import build_draw
from sesamo_jax.run.console import LOGGER, progress_bar
from sesamo_jax.run.text import aggregate
from sesamo_jax.samplers.conditionals.sites import sites_notice
from sesamo_jax.training.fit import FitResult
from sesamo_jax.training.optimizer import nonfinite_steps
from sesamo_jax.training.source import build_source

GRID_POINTS = 201


def judge(
    run: Run,
    model: Model,
    target: Target,
    result: FitResult,
    held_out: np.ndarray | None,
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Evaluate every seed; return the metrics of each, and samples of all.

    The density on a grid, of targets of two components, is that of the first seed.
    """
    draw = build_draw(model, target, run.config, held_out)
    audited = build_audited(model, target, run.config)
    keep = run.config.evaluation.keep
    entries: list[dict[str, Any]] = []
    kept: list[dict[str, np.ndarray]] = []
    every = jax.device_get(result.params)
    skipped = np.asarray(jax.vmap(nonfinite_steps)(result.states.opt_state))
    of_data = _calls(run, target, result)
    LOGGER.info("judging")
    with progress_bar(run.seeds, "seed", "judged") as bar:
        for index, seed in enumerate(range(run.seed, run.seed + run.seeds)):
            params = jax.tree.map(lambda leaf, i=index: leaf[i], every)
            draws = draw(params, _evaluation_key(seed))
            trained = _entry(run, seed, result, int(skipped[index]))
            entry = trained | of_data[index] | report(draws, target)
            entries.append(entry | audited(params, draws, _evaluation_key(seed)))
            own = {"x": draws.x, "log_w": draws.log_w, "u": draws.u}
            kept.append({name: array[:keep] for name, array in own.items()})
            bar.update()
    arrays = {name: np.stack([own[name] for own in kept]) for name in kept[0]}
    arrays |= angles(target, arrays["x"])
    grid = None if model.log_prob is None else _grid(target)
    if grid is not None and model.log_prob is not None:
        first = jax.tree.map(lambda leaf: leaf[0], every)
        log_p = -_on_grid(jax.vmap(target.action), target, grid)
        arrays |= {
            "grid_axis": grid,
            "grid_log_p": log_p - target.exact.log_z,
            "grid_log_q": _on_grid(partial(model.log_prob, first), target, grid)[None],
        }
    return entries, arrays


def _evaluation_key(seed: int) -> Key:
    """Return a key of the seed that training has not used."""
    return jax.random.fold_in(jax.random.key(seed), 0x5E5A)


def sample_reference(
    run: Run, target: Target
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Sample without a model for every seed; return metrics and samples of all."""
    method = METHODS[run.config.method]
    assert method.report is not None
    sample = method.build(target, run.config)
    entries, x = [], []
    shown: dict[str, np.ndarray] = {}  # of the first seed
    for seed in range(run.seed, run.seed + run.seeds):
        drawn = sample(_evaluation_key(seed))
        flat = drawn.x.reshape(-1, *target.event_shape)
        entry = {
            "seed": seed,
            "samples_drawn": len(flat),
            "wall_seconds": drawn.seconds,
            "compile_seconds": drawn.tuning_seconds,
        }
        estimates, series = method.report(drawn, target)
        entries.append(entry | estimates)
        shown = shown or series
        stride = max(1, len(flat) // max(1, run.config.evaluation.keep))
        x.append(flat[::stride][: run.config.evaluation.keep])  # of every chain
    every = np.stack(x)
    return entries, {"x": every, **shown, **angles(target, every)}


def angles(target: Target, x: np.ndarray) -> dict[str, np.ndarray]:
    """Return where on their orbits samples lie, if one angle of a symmetry says so.

    Args:
        target: whose symmetry it is.
        x: of all seeds, (seeds, n, *event_shape).
    """
    symmetry = target.symmetry
    if symmetry is None or symmetry.order is not None:
        return {}
    event = jax.ShapeDtypeStruct(target.event_shape, target.dtype)
    if jax.eval_shape(symmetry.sector, event).shape:
        return {}
    return {"angles": np.asarray(jax.jit(jax.vmap(jax.vmap(symmetry.sector)))(x))}


def metrics(
    run: Run,
    target: Target,
    entries: list[dict[str, Any]],
    arrays: dict[str, np.ndarray],
) -> dict[str, Any]:
    """Return the content of `metrics.json`."""
    config, exact = run.config, target.exact
    uses = METHODS[config.method].uses
    return {
        "target": run.target_name,
        "method": config.method,
        "modulation": config.modulation if "modulation" in uses else None,
        "density": config.density if "density" in uses else None,
        "sites": sites_notice(config, target),
        "preset": run.preset,
        "peak_memory_bytes": _peak_memory_bytes(),
        "seeds": entries,
        "doubts": _doubts(run, target, entries, arrays["x"][0]),
        "aggregate": aggregate(entries),
        "exact": {
            "log_z": exact.log_z,
            "sectors": None if exact.sectors is None else exact.sectors.tolist(),
            "observables": dict(exact.observables),
            "source": exact.source,
        },
    }


def _peak_memory_bytes() -> int:
    """Return the largest resident memory that this process has had so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB


def _entry(run: Run, seed: int, result: FitResult, skipped: int) -> dict[str, Any]:
    """Return what training says about one seed; seconds are its share of the run."""
    steps = int(result.states.step[0])
    leaves: list[Any] = jax.tree.leaves(result.params)
    return {
        "seed": seed,
        "steps": steps,
        "samples_drawn": steps * run.config.training.batch_size,
        "wall_seconds": result.wall_seconds / run.seeds,
        "compile_seconds": result.compile_seconds,
        "nonfinite_steps": skipped,
        "parameters": sum(leaf.size for leaf in leaves) // run.seeds,
    } | ({} if result.stopped is None else {"stopped": result.stopped})


def _calls(run: Run, target: Target, result: FitResult) -> list[dict[str, int]]:
    """Return what the chains have cost that training had its data from, by seed."""
    source = build_source(target, run.config)
    steps = int(result.states.step[0])
    known = [] if source is None else source.calls(result.states.source, steps)
    return [
        {"gradient_calls": calls.gradients, "energy_calls": calls.energies}
        for calls in known
    ] or [{}] * run.seeds


def _doubts(
    run: Run, target: Target, entries: list[dict[str, Any]], x: np.ndarray
) -> list[str]:
    """Return what speaks against a run, a sentence each."""
    of_all = doubts.lower_bound(target, x)
    found = [] if of_all is None else [of_all]
    trained = METHODS[run.config.method].is_trained
    samples = run.config.evaluation.samples
    for entry in entries:
        where = f"seed {entry['seed']}: " if run.seeds > 1 else ""
        of_model = trained and (
            doubts.skipped_steps(entry["nonfinite_steps"], entry["steps"]),
            doubts.weights(entry, samples),
            doubts.leak(entry, run.config.density, run.config.training.density),
        )
        of_chains = (doubts.chains(entry),)
        of_both = (doubts.far_off(entry, target.exact),)
        for sentence in (*(of_model or of_chains), *of_both):
            if sentence is not None:
                found.append(where + sentence)
    return found


def _grid(target: Target) -> np.ndarray | None:
    """Return the axis of a square grid for the density figure of a 2-d target."""
    if int(np.prod(target.event_shape)) != 2 or target.exact.log_z is None:
        return None
    if target.sample is None:
        return None
    x = np.asarray(target.sample(jax.random.key(0), 2000))
    return np.linspace(-1.1, 1.1, GRID_POINTS) * float(np.abs(x).max())


def _on_grid(f: Callable, target: Target, axis: np.ndarray) -> np.ndarray:
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1)
    flat = points.reshape(-1, *target.event_shape)
    values = jax.jit(f)(jnp.asarray(flat, target.dtype))
    return np.asarray(values).reshape(len(axis), len(axis))

"""One run from configuration to report: train, checkpoint, evaluate, write, draw."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.chains import chain_report, population_report
from sesamo_jax.checkpoint import Checkpoints
from sesamo_jax.config import REFERENCES, Run
from sesamo_jax.core import Key, Model, Target
from sesamo_jax.data import read_data
from sesamo_jax.evaluate import build_draw, report
from sesamo_jax.model import build_model
from sesamo_jax.monitor import progress, stop_signals
from sesamo_jax.optim import nonfinite_steps
from sesamo_jax.plots import make_figures
from sesamo_jax.reference.hmc import run_hmc
from sesamo_jax.reference.smc import run_smc
from sesamo_jax.results import RunFolder, environment, peak_memory_bytes
from sesamo_jax.settings import difference, to_json
from sesamo_jax.summary import aggregate
from sesamo_jax.train import FitResult, TrainState, fit, init_states
from sesamo_jax.validation import complete
from sesamo_jax.warm_start import warm_start

CHECKPOINT_SECONDS = 30.0
GRID_POINTS = 201
# How to run a method of `REFERENCES`, with the section of the configuration that has
# its name, and how to report on it.
SAMPLERS: dict[str, tuple[Callable, Callable]] = {
    "hmc": (run_hmc, chain_report),
    "smc": (run_smc, population_report),
}


class UsageError(ValueError):
    """A request that cannot be carried out as it stands; nothing was written."""


class Stopped(RuntimeError):
    """The run ended early with its state saved; `--resume` continues it."""


def execute(run: Run, path: str | Path, resume: bool = False) -> dict[str, Any]:
    """Carry out a run in a folder and return the content of its `metrics.json`.

    Enables float64 in JAX if the target asks for it.

    Args:
        run: what to do.
        path: the run folder; new or empty, unless resuming.
        resume: continue from the folder's last checkpoint. A finished run is only read.

    Raises:
        UsageError: if the folder is in use, not writable or of another configuration.
        ValueError: if the configuration is wrong.
        Stopped: after SIGINT or SIGTERM.
    """
    if run.target.dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    target = run.target.build(run.target_name)
    run = replace(run, config=complete(run.config, target))
    reference = run.config.method in REFERENCES
    model = None if reference else build_model(target, run.config)
    data = held_out = None
    if not (Path(path) / "metrics.json").exists():  # before anything is written
        data = read_data("training", run.config, target)
        held_out = read_data("evaluation", run.config, target)
    folder = _open(run, Path(path), resume)
    if folder.read("metrics.json") is None:
        if model is None:
            entries, arrays = _run_reference(run, target)
        else:
            result = _train(run, model, target, folder, data)
            entries, arrays = _judge(run, model, target, result, held_out)
        folder.write_arrays("samples.npz", arrays)
        folder.write("metrics.json", _metrics(run, target, entries))
    make_figures(folder)
    return folder.read("metrics.json")


def _open(run: Run, path: Path, resume: bool) -> RunFolder:
    folder = RunFolder(path)
    try:
        empty, config = folder.is_empty(), folder.read("config.json")
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read output folder {path}: {error}") from error
    if not empty and config is None:
        raise UsageError(
            f"output folder {path} holds files that are not a run's: choose another"
        )
    if not empty and not resume:
        raise UsageError(
            f"output folder {path} already holds a run: choose another, or add --resume"
        )
    wanted = to_json(run)
    finished = folder.read("metrics.json") is not None
    known = config
    if config is not None and not finished:  # how to judge may still change
        known = {**config, "evaluation": wanted["evaluation"]}
    if known is not None and (changed := difference(known, wanted)):
        raise UsageError(
            f"output folder {path} holds a run of another configuration ({changed}): "
            "repeat its settings to resume, or choose another folder"
        )
    try:
        folder.open()
        if config is None:
            folder.write("env.json", environment())
        if not finished:
            folder.write("config.json", wanted)
    except OSError as error:
        raise UsageError(
            f"output folder {path} is not writable: {error.strerror or error}"
        ) from error
    return folder


def _train(
    run: Run,
    model: Model,
    target: Target,
    folder: RunFolder,
    data: np.ndarray | None,
) -> FitResult:
    """Train from the last checkpoint, or from the start, to the last step."""
    seeds = range(run.seed, run.seed + run.seeds)
    states = init_states(model, run.config, seeds)
    source = run.config.training.warm_start
    checkpoints = Checkpoints(folder.checkpoints)
    spent = {"wall": 0.0, "compile": 0.0}
    if checkpoints.latest_step() is not None:
        states, spent = checkpoints.restore(states)
    elif source is not None:
        states = warm_start(states, getattr(run.target, "shape", ()), source)
    folder.truncate_history(int(states.step[0]))
    last_save = monotonic()
    steps = run.config.training.steps
    with stop_signals() as stopped, progress(steps, int(states.step[0])) as show:

        def on_chunk(states: TrainState, row: dict[str, np.ndarray]) -> None:
            nonlocal last_save
            row["seconds"] = row["seconds"] + spent["wall"]
            folder.append_history(seeds, row)
            show(row)
            final = int(row["step"][0]) == steps
            if final or stopped() or monotonic() - last_save > CHECKPOINT_SECONDS:
                compilation = spent["compile"] + float(row["compile_seconds"][0])
                wall = float(row["seconds"][0])
                checkpoints.save(states, {"wall": wall, "compile": compilation})
                last_save = monotonic()
            if stopped() and not final:
                raise Stopped(
                    f"stopped at step {row['step'][0]} of {steps}; "
                    f"continue with --output {folder.path} --resume"
                )

        try:
            result = fit(
                model,
                target,
                run.config,
                seeds,
                states=states,
                on_chunk=on_chunk,
                data=data,
            )
        finally:
            checkpoints.close()
    return result._replace(
        wall_seconds=result.wall_seconds + spent["wall"],
        compile_seconds=result.compile_seconds + spent["compile"],
    )


def _judge(
    run: Run,
    model: Model,
    target: Target,
    result: FitResult,
    held_out: np.ndarray | None,
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Evaluate every seed; return the metrics of each, and samples of all."""
    draw = build_draw(model, target, run.config, held_out)
    keep = run.config.evaluation.keep
    entries, x, log_w, densities = [], [], [], []
    grid = None if model.log_prob is None else _grid(target)
    for index in range(run.seeds):
        params = jax.tree.map(lambda leaf, i=index: leaf[i], result.params)
        seed = run.seed + index
        draws = draw(params, _evaluation_key(seed))
        entries.append(_entry(run, seed, result, index) | report(draws, target))
        x.append(draws.x[:keep])
        log_w.append(draws.log_w[:keep])
        if grid is not None and model.log_prob is not None:
            densities.append(_on_grid(partial(model.log_prob, params), target, grid))
    arrays = {"x": np.stack(x), "log_w": np.stack(log_w)}
    if grid is not None and target.exact.log_z is not None:
        log_p = -_on_grid(jax.vmap(target.action), target, grid)
        arrays |= {
            "grid_axis": grid,
            "grid_log_p": log_p - target.exact.log_z,
            "grid_log_q": np.stack(densities),
        }
    return entries, arrays


def _evaluation_key(seed: int) -> Key:
    """Return a key of the seed that training has not used."""
    return jax.random.fold_in(jax.random.key(seed), 0x5E5A)


def _run_reference(
    run: Run, target: Target
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Sample without a model for every seed; return metrics and samples of all."""
    method = run.config.method
    sample, describe = SAMPLERS[method]
    entries, x = [], []
    for seed in range(run.seed, run.seed + run.seeds):
        drawn = sample(target, getattr(run.config, method), _evaluation_key(seed))
        flat = drawn.x.reshape(-1, *target.event_shape)
        entry = {
            "seed": seed,
            "samples_drawn": len(flat),
            "wall_seconds": drawn.seconds,
            "compile_seconds": drawn.tuning_seconds,
        }
        entries.append(entry | describe(drawn, target))
        stride = max(1, len(flat) // max(1, run.config.evaluation.keep))
        x.append(flat[::stride][: run.config.evaluation.keep])  # of every chain
    return entries, {"x": np.stack(x)}


def _metrics(run: Run, target: Target, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the content of `metrics.json`."""
    config, exact = run.config, target.exact
    return {
        "target": run.target_name,
        "method": config.method,
        "modulation": config.modulation if config.method == "sesamo" else None,
        "density": None if config.method in REFERENCES else config.density,
        "preset": run.preset,
        "peak_memory_bytes": peak_memory_bytes(),
        "seeds": entries,
        "aggregate": aggregate(entries),
        "exact": {
            "log_z": exact.log_z,
            "sectors": None if exact.sectors is None else exact.sectors.tolist(),
            "observables": dict(exact.observables),
            "source": exact.source,
        },
    }


def _entry(run: Run, seed: int, result: FitResult, index: int) -> dict[str, Any]:
    """Return what training says about one seed; seconds are its share of the run."""
    skipped = np.asarray(jax.vmap(nonfinite_steps)(result.states.opt_state))
    steps = int(result.states.step[index])
    leaves: list[Any] = jax.tree.leaves(result.params)
    return {
        "seed": seed,
        "steps": steps,
        "samples_drawn": steps * run.config.training.batch_size,
        "wall_seconds": result.wall_seconds / run.seeds,
        "compile_seconds": result.compile_seconds,
        "nonfinite_steps": int(skipped[index]),
        "parameters": sum(leaf.size for leaf in leaves) // run.seeds,
    }


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

"""One run from configuration to report: train, checkpoint, evaluate, write, draw."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from sesamo_jax.checkpoint import Checkpoints
from sesamo_jax.config import Run, complete
from sesamo_jax.core import Model, Target
from sesamo_jax.evaluate import build_draw, report
from sesamo_jax.model import build_model
from sesamo_jax.optim import nonfinite_steps
from sesamo_jax.plots import make_figures
from sesamo_jax.results import RunFolder, environment
from sesamo_jax.settings import difference, to_json
from sesamo_jax.summary import aggregate
from sesamo_jax.train import FitResult, TrainState, fit, init_states

CHECKPOINT_SECONDS = 30.0
GRID_POINTS = 201


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
    model = build_model(target, run.config)
    folder = _open(run, Path(path), resume)
    metrics = folder.read("metrics.json")
    if metrics is None:
        result = _train(run, model, target, folder)
        metrics = _judge(run, model, target, folder, result)
    make_figures(folder)
    return metrics


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
    if config is not None and (changed := difference(config, wanted)):
        raise UsageError(
            f"output folder {path} holds a run of another configuration ({changed}): "
            "repeat its settings to resume, or choose another folder"
        )
    try:
        folder.open()
        if config is None:
            folder.write("config.json", wanted)
            folder.write("env.json", environment())
    except OSError as error:
        raise UsageError(
            f"output folder {path} is not writable: {error.strerror or error}"
        ) from error
    return folder


def _train(run: Run, model: Model, target: Target, folder: RunFolder) -> FitResult:
    """Train from the last checkpoint, or from the start, to the last step."""
    seeds = range(run.seed, run.seed + run.seeds)
    states = init_states(model, run.config, seeds)
    checkpoints = Checkpoints(folder.checkpoints)
    spent = {"wall": 0.0, "compile": 0.0}
    if checkpoints.latest_step() is not None:
        states, spent = checkpoints.restore(states)
    folder.truncate_history(int(states.step[0]))
    last_save = monotonic()
    steps = run.config.training.steps
    with _stop_signals() as stopped, _progress(steps, int(states.step[0])) as show:

        def on_chunk(states: TrainState, row: dict[str, np.ndarray]) -> None:
            nonlocal last_save
            row["seconds"] = row["seconds"] + spent["wall"]
            folder.append_history(seeds, row)
            show(row)
            final = int(row["step"][0]) == steps
            if final or stopped() or monotonic() - last_save > CHECKPOINT_SECONDS:
                wall = {**spent, "wall": float(row["seconds"][0])}
                checkpoints.save(states, wall)
                last_save = monotonic()
            if stopped() and not final:
                raise Stopped(
                    f"stopped at step {row['step'][0]} of {steps}; "
                    f"continue with --output {folder.path} --resume"
                )

        try:
            result = fit(
                model, target, run.config, seeds, states=states, on_chunk=on_chunk
            )
        finally:
            checkpoints.close()
    return result._replace(
        wall_seconds=result.wall_seconds + spent["wall"],
        compile_seconds=result.compile_seconds + spent["compile"],
    )


def _judge(
    run: Run, model: Model, target: Target, folder: RunFolder, result: FitResult
) -> dict[str, Any]:
    """Evaluate every seed, write the samples, and return the metrics."""
    config = run.config
    draw = build_draw(model, target, config)
    keep = config.evaluation.keep
    entries, x, log_w, grids = [], [], [], []
    grid = _grid(target)
    for index in range(run.seeds):
        params = jax.tree.map(lambda leaf, i=index: leaf[i], result.params)
        # The data stream of training starts from the same root, by another path.
        seed = run.seed + index
        draws = draw(params, jax.random.fold_in(jax.random.key(seed), 0x5E5A))
        entries.append(_entry(run, seed, result, index) | report(draws, target))
        x.append(draws.x[:keep])
        log_w.append(draws.log_w[:keep])
        if grid is not None:
            grids.append(_on_grid(partial(model.log_prob, params), target, grid))
    arrays = {"x": np.stack(x), "log_w": np.stack(log_w)}
    if grid is not None:
        log_p = -_on_grid(jax.vmap(target.action), target, grid)
        arrays |= {
            "grid_axis": grid,
            "grid_log_p": log_p - target.exact.log_z,
            "grid_log_q": np.stack(grids),
        }
    folder.write_arrays("samples.npz", arrays)
    exact = target.exact
    metrics = {
        "target": run.target_name,
        "method": config.method,
        "modulation": config.modulation if config.method == "sesamo" else None,
        "density": config.density,
        "preset": run.preset,
        "seeds": entries,
        "aggregate": aggregate(entries),
        "exact": {
            "log_z": exact.log_z,
            "sectors": None if exact.sectors is None else exact.sectors.tolist(),
            "observables": dict(exact.observables),
            "source": exact.source,
        },
    }
    folder.write("metrics.json", metrics)
    return metrics


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


@contextmanager
def _progress(steps: int, done: int) -> Iterator[Callable[[dict], None]]:
    """Yield a function that advances a progress bar; silent off a terminal."""
    quiet = not sys.stderr.isatty()
    with tqdm(total=steps, initial=done, disable=quiet, unit="step") as bar:

        def show(row: dict[str, np.ndarray]) -> None:
            bar.update(int(row["step"][0]) - bar.n)
            bar.set_postfix(
                loss=f"{np.mean(row['loss']):.4f}", ESS=f"{np.mean(row['ess']):.4f}"
            )

        yield show


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether SIGINT or SIGTERM has arrived."""
    received: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        received.append(signum)

    caught = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, note) for number in caught}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

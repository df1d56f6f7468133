"""One run from configuration to report: train, checkpoint, evaluate, write, draw."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import jax
import numpy as np

from sesamo_jax.config.build import build_model
from sesamo_jax.config.complete import complete
from sesamo_jax.config.record import difference, fingerprint, to_json
from sesamo_jax.config.schema import METHODS, Run
from sesamo_jax.core import Model, Target, enable_precision
from sesamo_jax.parallel.devices import ONE_DEVICE, Placement, place
from sesamo_jax.parallel.processes import exchange, from_first, on_first, together
from sesamo_jax.run.checkpoint import Checkpoints
from sesamo_jax.run.console import progress, say_stopped, stop_signals
from sesamo_jax.run.figures import make_figures
from sesamo_jax.run.folder import METRICS, SAMPLES, RunFolder
from sesamo_jax.run.metrics import judge, metrics, sample_reference
from sesamo_jax.run.opening import open_folder
from sesamo_jax.run.report.page import write_report
from sesamo_jax.run.seal import stored_generator
from sesamo_jax.run.tensorboard import TensorBoardFolder
from sesamo_jax.run.warm_start import warm_start
from sesamo_jax.storage.data import read_data
from sesamo_jax.targets import build_from
from sesamo_jax.training.fit import FitResult, fit
from sesamo_jax.training.state import TrainState, init_states, restorable

CHECKPOINT_SECONDS = 30.0


class Stopped(RuntimeError):
    """The run ended early with its state saved; `--resume` continues it."""


def execute(
    run: Run,
    path: str | Path,
    resume: bool = False,
    devices: int | None = None,
    tensorboard: bool = False,
) -> dict[str, Any]:
    """Carry out a run in a folder and return the content of its `metrics.json`.

    Enables float64 in JAX if the target asks for it. Several processes, see
    `processes.join`, train together, each judges the result, and the first one alone
    looks at the folder.

    Args:
        run: what to do.
        path: the run folder; new or empty, unless resuming.
        resume: continue from the folder's last checkpoint. A finished run is only read.
        devices: of each process over which training is spread, see `devices.place`. A
            run may be resumed on another number of them.
        tensorboard: write the history as TensorBoard's events, too.

    Raises:
        UsageError: if the folder is in use, not writable or of another configuration.
        ValueError: if the configuration is wrong, or does not suit the devices, or a
            file of the folder is damaged, or there is nothing to write as events, or no
            tensorboardX; one sentence.
        Stopped: after SIGINT or SIGTERM.
    """
    enable_precision(run.target.dtype)
    folder = _folder(run, Path(path), tensorboard)
    # A resumed run goes on with the random numbers that it was begun with.
    generator = from_first(lambda: stored_generator(folder.checkpoints))
    with jax.default_prng_impl(generator):
        return _execute(run, folder, resume, devices)


def _execute(
    run: Run, folder: RunFolder, resume: bool, devices: int | None
) -> dict[str, Any]:
    """Do what `execute` does."""
    _check_same(run)
    target = build_from(run.target_name, run.target)
    run = replace(run, config=complete(run.config, target))
    placement = _place(run, devices)
    trained = METHODS[run.config.method].is_trained
    model = build_model(target, run.config) if trained else None
    data = held_out = None
    if not from_first((folder.path / METRICS).exists):
        # before anything is written
        data = together(lambda: read_data("training", run.config, target))
        held_out = together(lambda: read_data("evaluation", run.config, target))
    with closing(folder):
        on_first(lambda: open_folder(run, folder, resume, placement))
        return _fill(run, folder, target, model, (data, held_out), placement)


def _fill(
    run: Run,
    folder: RunFolder,
    target: Target,
    model: Model | None,
    data: tuple[np.ndarray | None, np.ndarray | None],
    placement: Placement,
) -> dict[str, Any]:
    """Train and judge, unless that has been done, and return the metrics.

    Args: as in `execute`; `data` to train on and to be judged by.
    """
    finished = from_first(lambda: folder.read(METRICS) is not None)
    arrays, content = None, None
    if not finished:
        if model is None:
            entries, arrays = sample_reference(run, target)
        else:
            start = _start(run, model, target, folder)
            result = _train(run, model, target, folder, data[0], placement, start)
            entries, arrays = judge(run, model, target, result, data[1])
        content = metrics(run, target, entries, arrays)

    def finish() -> dict[str, Any]:
        if arrays is not None:
            folder.write_arrays(SAMPLES, arrays)
            folder.write(METRICS, content)
        write_report(folder, make_figures(folder))
        return folder.read(METRICS)

    return from_first(finish)


def _check_same(run: Run) -> None:
    """Raise ValueError unless all processes were given the same run."""
    first, *others = exchange(to_json(run))
    for process, other in enumerate(others, 1):
        if changed := difference(first, other):
            raise ValueError(
                f"process {process} was given another run ({changed}): start all with "
                "the same settings, or, for runs of their own, with processes=1"
            )


def _folder(run: Run, path: Path, tensorboard: bool) -> RunFolder:
    """Return the folder of a run."""
    if not tensorboard:
        return RunFolder(path)
    method = run.config.method
    if not METHODS[method].is_trained:
        raise ValueError(
            f"method {method!r} trains nothing: tensorboard=True has no history to "
            "write, leave it out"
        )
    return TensorBoardFolder(path)


def _place(run: Run, devices: int | None) -> Placement:
    """Return the placement of a run's training."""
    if not METHODS[run.config.method].is_trained:
        if devices not in (None, 1) or jax.process_count() > 1:
            raise ValueError(
                f"method {run.config.method!r} trains nothing: it runs in one process, "
                "with devices=1"
            )
        return ONE_DEVICE
    return place(devices, run.seeds, run.config.training.batch_size)


class _Start(NamedTuple):
    """What training goes on from, and the seconds spent on it so far by kind."""

    checkpoints: Checkpoints
    states: TrainState
    spent: dict[str, float]


def _start(run: Run, model: Model, target: Target, folder: RunFolder) -> _Start:
    """Return the last checkpoint, or else the beginning."""
    seeds = range(run.seed, run.seed + run.seeds)
    states = init_states(model, run.config, seeds)
    spent = {"wall": 0.0, "compile": 0.0}
    source = run.config.training.warm_start
    checkpoints = Checkpoints(folder.checkpoints, [fingerprint(to_json(run))])
    if checkpoints.latest_step() is not None:
        like = restorable(states, target, run.config)
        states, spent = checkpoints.restore(like)
    elif source is not None:
        states = warm_start(states, run, source)
    done = int(states.step[0])
    on_first(lambda: folder.truncate_history(seeds, done))
    return _Start(checkpoints, states, spent)


def _train(
    run: Run,
    model: Model,
    target: Target,
    folder: RunFolder,
    data: np.ndarray | None,
    placement: Placement,
    start: _Start,
) -> FitResult:
    """Train to the end, save the last states, and close the checkpoints."""
    checkpoints, states, spent = start
    seeds = range(run.seed, run.seed + run.seeds)
    done = int(states.step[0])
    last_save = monotonic()
    steps = run.config.training.steps
    with stop_signals() as stopped, progress(steps, done) as show:

        def on_chunk(states: TrainState, row: dict[str, np.ndarray]) -> None:
            nonlocal last_save
            row["seconds"] = row["seconds"] + spent["wall"]
            on_first(lambda: folder.append_history(seeds, row))
            show(row)
            final = int(row["step"][0]) == steps  # saved below, like any last states
            due = monotonic() - last_save > CHECKPOINT_SECONDS
            # A signal to one process stops all of them, at the same step.
            stop, due = map(any, zip(*exchange((stopped(), due)), strict=True))
            if (stop or due) and not final:
                compilation = spent["compile"] + float(row["compile_seconds"][0])
                wall = float(row["seconds"][0])
                seconds = {"wall": wall, "compile": compilation}
                checkpoints.save(placement.collect(states), seconds)
                last_save = monotonic()
            if stop and not final:
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
                earlier_ess=_earlier_ess(folder),
                on_chunk=on_chunk,
                data=data,
                placement=placement,
            )
            result = result._replace(
                wall_seconds=result.wall_seconds + spent["wall"],
                compile_seconds=result.compile_seconds + spent["compile"],
            )
            ended = int(result.states.step[0])
            if ended > done:
                wall, compilation = result.wall_seconds, result.compile_seconds
                seconds = {"wall": wall, "compile": compilation}
                checkpoints.save(result.states, seconds)
        finally:
            checkpoints.close()
    say_stopped(ended, result.stopped)
    return result


def _earlier_ess(folder: RunFolder) -> list[np.ndarray]:
    """Return the ESS of each chunk in a folder's history."""

    def read() -> list[np.ndarray]:
        there = folder.history_path.exists()
        return list(folder.read_history()["ess"]) if there else []

    return from_first(read)

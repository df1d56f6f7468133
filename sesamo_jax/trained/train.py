"""From a target to trained samplers in one call."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import optax

from sesamo_jax.config import Config, resolve
from sesamo_jax.config.seeds import check_seeds
from sesamo_jax.core import Target, enable_precision
from sesamo_jax.run import console
from sesamo_jax.targets import build_from, find_target
from sesamo_jax.targets.config import Fixed, TargetConfig
from sesamo_jax.trained.sampler import Sampler
from sesamo_jax.training.fit import fit
from sesamo_jax.training.state import TrainState

Row = dict[str, np.ndarray]


@dataclass(frozen=True)
class Trained:
    """What a training gave.

    Attributes:
        samplers: one per seed. All count: to report the best one alone is to select.
        seeds: in the same order.
        history: one array of shape (rows, seeds) per quantity, a row per chunk of
            steps: `step`, `seconds`, `samples_drawn`, `loss`, `ess`, `log_z`, ...
        wall_seconds: training, all seeds together, without compilation.
        compile_seconds: compilation of the training.
        stopped: why it ended before its last step, see `TrainingConfig`; None where it
            did not.
    """

    samplers: tuple[Sampler, ...]
    seeds: tuple[int, ...]
    history: dict[str, np.ndarray]
    wall_seconds: float
    compile_seconds: float
    stopped: str | None = None


def train(
    target: str | Target,
    config: Config | Mapping[str, Any] | None = None,
    *,
    preset: str = "default",
    seeds: int | Sequence[int] = 1,
    progress: bool = True,
    optimizer: optax.GradientTransformation | None = None,
    log: Callable[[Row], None] | None = None,
) -> Trained:
    """Return one trained sampler per seed, all trained in one compiled program.

    Args:
        target: what to sample; a name, see `build_target`, enables float64 in JAX if
            the target needs it.
        config: how, or settings by dotted name as those of the command line, such as
            `{"training.steps": 500}`, over what the preset has for the target.
        preset: `default`, `paper` or `smoke`.
        seeds: the seeds, or how many, counted from 0.
        progress: show a bar on terminals and in notebooks, and else a line on stderr
            for every tenth of the steps; False leaves `logging`, name `sesamo_jax`.
        optimizer: of optax, in place of Adam with the configured rate and clipping.
        log: called after every chunk of steps with a row of the history, arrays of
            shape (seeds,); an exception that it raises ends the training.

    Raises:
        ValueError: for unknown names, values out of their range, what does not fit
            together, and more memory than there is; one sentence.

    Examples:
        >>> little = {"flow.couplings": 2, "training.steps": 20}
        >>> result = train("gmm", little, seeds=2, progress=False)
        >>> result.samplers[1]
        Sampler(target='gmm', method='sesamo')
        >>> result.history["step"][-1].tolist()
        [20, 20]
    """
    target, config = _resolved(target, config, preset)
    seeds = tuple(check_seeds(seeds))
    first = Sampler(target, config, None)
    config = first.config
    with ExitStack() as stack:
        calls = [] if log is None else [log]
        if progress:
            stack.enter_context(console.heard())
            shown = console.progress(config.training.steps, 0)
            calls.append(stack.enter_context(shown))

        def on_chunk(states: TrainState, row: Row) -> None:
            for call in calls:
                call(row)

        result = fit(
            first.model, target, config, seeds, on_chunk=on_chunk, optimizer=optimizer
        )
        console.say_stopped(int(result.states.step[0]), result.stopped)
    return Trained(
        samplers=first.members(result.params),
        seeds=seeds,
        history=result.history,
        wall_seconds=result.wall_seconds,
        compile_seconds=result.compile_seconds,
        stopped=result.stopped,
    )


def _resolved(
    target: str | Target, config: Config | Mapping[str, Any] | None, preset: str
) -> tuple[Target, Config]:
    """Return the target, and what is to be done with it."""
    settings = {} if config is None or isinstance(config, Config) else dict(config)
    if not isinstance(target, Target):
        run = resolve(target, preset, settings)
        enable_precision(run.target.dtype)
        target = build_from(run.target_name, run.target)
        return target, config if isinstance(config, Config) else run.config
    if isinstance(config, Config):
        return target, config
    for name in settings:
        if name.startswith("target."):
            raise ValueError(
                f"{name} comes too late: the target is built already; give its name "
                "instead, or set it in build_target"
            )
    if target.origin is None:
        return target, resolve(
            target.name, preset, settings, known=Fixed(target)
        ).config
    name, own = target.origin
    settings |= _changes(find_target(name), own)
    return target, resolve(name, preset, settings).config


def _changes(default: TargetConfig, config: TargetConfig) -> dict[str, Any]:
    """Return the settings in which a target differs from its default."""
    values = {f.name: getattr(config, f.name) for f in fields(config)}  # type: ignore[arg-type]
    return {
        f"target.{name}": value
        for name, value in values.items()
        if value != getattr(default, name)
    }

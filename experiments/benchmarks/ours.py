"""This package as a contender: `python -m benchmarks.ours` answers jobs."""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.clock import follow
from benchmarks.serving import serve
from benchmarks.weighing import weigh
from sesamo_jax.config import Config, build_model, complete, resolve
from sesamo_jax.core import Array, Key, Model, Params, Target
from sesamo_jax.samplers.weighting import AS_DRAWN, log_q
from sesamo_jax.training.fit import build_chunk, fit
from sesamo_jax.training.state import TrainState, init_states

EVALUATED_AT_ONCE = 2000


class Sampler(NamedTuple):
    """A model, its target, and the complete configuration that describes it."""

    model: Model
    target: Target
    config: Config


def build(
    target: str, preset: str = "default", settings: dict[str, Any] | None = None
) -> Sampler:
    """Return the sampler of a preset, as `experiments/run.py` would build it."""
    run = resolve(target, preset, settings)
    if run.target.dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    built = run.target.build(target)
    config = complete(run.config, built)
    return Sampler(build_model(built, config), built, config)


def compile_chunk(
    sampler: Sampler, seeds: Sequence[int]
) -> tuple[Callable[..., Any], TrainState, float]:
    """Return `(states, steps) -> (states, metrics)`, its first states and the seconds.

    Those are of tracing and compilation; states that go in are used up.
    """
    states = init_states(sampler.model, sampler.config, seeds)
    jax.block_until_ready(states)
    start = time.perf_counter()
    chunk = jax.jit(build_chunk(*sampler), donate_argnums=0)
    compiled = chunk.lower(states, jnp.int32(0)).compile()
    return compiled, states, time.perf_counter() - start


def build_judge(
    sampler: Sampler, samples: int
) -> Callable[[Params, Key], dict[str, float | None]]:
    """Return `(params, key) -> ` ESS, log Z and leak of fresh samples.

    The density is that of the package's reports: exact where the preset's is.
    """
    trained, target, config = sampler
    integrated = trained.integrated
    model = trained if integrated is None else integrated.accurate
    density = str(config.density)
    size = min(samples, EVALUATED_AT_ONCE)

    @jax.jit
    def batch(params: Params, key: Key) -> tuple[Array, Array]:
        drawn = model.sample(params, key, size)
        log_density = drawn.log_q
        if density not in AS_DRAWN:
            log_density = log_q(model, params, drawn, density)
        log_w = -jax.vmap(target.action)(drawn.x) - log_density
        outside = jnp.zeros(size, bool)
        return log_w, outside if model.leaked is None else model.leaked(drawn.y)

    def judge(params: Params, key: Key) -> dict[str, float | None]:
        keys = jax.random.split(key, -(-samples // size))
        parts = [jax.device_get(batch(params, key)) for key in keys]
        log_w, outside = (
            np.concatenate(column)[:samples] for column in zip(*parts, strict=True)
        )
        return {**weigh(log_w), "leak": float(outside.mean())}

    return judge


def train(
    *,
    target: str,
    settings: dict[str, Any],
    seed: int,
    seconds: float,
    stop: float,
    every: int,
    samples: int,
) -> dict[str, Any]:
    """Train one seed and return its course and the seconds of compilation.

    Args:
        target: its name.
        settings: over the default preset.
        seed: of everything.
        seconds: budget of training, without compilation and evaluations.
        stop: ESS at which to stop.
        every: steps between two evaluations.
        samples: of each.
    """
    sampler = build(target, settings=settings)
    chunk, states, compile_seconds = compile_chunk(sampler, [seed])
    judge = build_judge(sampler, samples)
    key = jax.random.fold_in(jax.random.key(1), seed)

    def advance(count: int) -> None:
        nonlocal states
        states, _ = jax.block_until_ready(chunk(states, jnp.int32(count)))

    def judge_now(done: int) -> dict[str, float | None]:
        params = jax.tree.map(lambda leaf: leaf[0], states.params)
        return judge(params, jax.random.fold_in(key, done))

    training = sampler.config.training
    points = follow(
        advance,
        judge_now,
        batch=training.batch_size,
        every=every,
        seconds=seconds,
        stop=stop,
        steps=training.steps,
    )
    return {
        "compile_seconds": compile_seconds,
        "exact_log_z": sampler.target.exact.log_z,
        "points": points,
    }


_KEPT: dict[str, dict[str, Any]] = {}


def steps(
    *, target: str, preset: str, settings: dict[str, Any], count: int
) -> dict[str, float]:
    """Return seconds a training step, the mean over `count`, and those of compilation.

    The program is kept: further calls go on with the training.
    """
    name = json.dumps([target, preset, settings])
    if name not in _KEPT:
        sampler = build(target, preset, settings)
        chunk, states, compile_seconds = compile_chunk(sampler, [0])
        _KEPT[name] = {"chunk": chunk, "states": states, "seconds": compile_seconds}
    kept = _KEPT[name]
    start = time.perf_counter()
    kept["states"], _ = jax.block_until_ready(
        kept["chunk"](kept["states"], jnp.int32(count))
    )
    seconds = (time.perf_counter() - start) / count
    return {"seconds": seconds, "compile_seconds": kept["seconds"]}


@cache
def _drawing(target: str, preset: str, exact: bool, size: int) -> Callable[[int], None]:
    sampler = build(target, preset)
    model = sampler.model
    params = model.init(jax.random.key(0))

    @jax.jit
    def draw(key: Key) -> tuple[Array, Array]:
        drawn = model.sample(params, key, size)
        if exact:
            return drawn.x, log_q(model, params, drawn, "orbit")
        return drawn.x, drawn.log_q

    def run(seed: int) -> None:
        jax.block_until_ready(draw(jax.random.key(seed)))

    run(0)
    return run


def draw(*, target: str, preset: str, exact: bool, size: int, calls: int) -> float:
    """Return samples a second, each with its log q, drawn `size` at a time.

    Args:
        target: its name.
        preset: of the model, which is untrained: that changes no timing.
        exact: log q is the exact density of x, and not that of how x was drawn.
        size: samples a call.
        calls: over which to take the mean.
    """
    run = _drawing(target, preset, exact, size)
    start = time.perf_counter()
    for seed in range(calls):
        run(seed)
    return calls * size / (time.perf_counter() - start)


def train_seeds(*, target: str, seeds: list[int], steps: int | None) -> dict[str, Any]:
    """Train seeds in one program; return its seconds and batch ESS of the last steps.

    Args:
        target: its name, with the default preset.
        seeds: which.
        steps: in place of the preset's.
    """
    settings = {} if steps is None else {"training.steps": steps}
    sampler = build(target, settings=settings)
    result = fit(*sampler, seeds)
    return {
        "compile_seconds": result.compile_seconds,
        "train_seconds": result.wall_seconds,
        "steps": sampler.config.training.steps,
        "ess": statistics.mean(result.history["ess"][-1].tolist()),
    }


CALLS = {"train": train, "steps": steps, "draw": draw, "train_seeds": train_seeds}

if __name__ == "__main__":
    serve(CALLS)

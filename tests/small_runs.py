"""Small runs, and reading their folders, for the tests of runs."""

import csv
import json
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sesamo_jax import build_model
from sesamo_jax.config import complete, resolve
from sesamo_jax.run import execute as runs
from sesamo_jax.run import metrics
from sesamo_jax.run.execute import execute
from sesamo_jax.run.history import COLUMNS
from sesamo_jax.run.opening import UsageError
from sesamo_jax.training.fit import FitResult
from sesamo_jax.training.state import init_states

# Three modes, a few numbers of parameters, three chunks of ten steps.
TINY = {
    "target.modes": 3,
    "target.radius": 3.0,
    "flow.couplings": 1,
    "flow.layers": 0,
    "flow.width": 4,
    "training.steps": 30,
    "training.batch_size": 32,
    "training.chunk": 10,
    "evaluation.samples": 500,
    "evaluation.batch_size": 300,
    "evaluation.keep": 40,
}
PLAIN = TINY | {"method": "realnvp", "base.variance": 5.0}


def plain_run():
    return resolve("gmm", "smoke", PLAIN, seed=1, seeds=2)


class Crash(Exception):
    """What stands in for a crash."""


def strict(path):
    """Return the content of a JSON file that must not hold NaN or Infinity."""

    def refuse(constant):
        raise AssertionError(f"{path.name} holds {constant}")

    return json.loads(path.read_text(), parse_constant=refuse)


def history(path):
    with (path / "history.csv").open() as file:
        return list(csv.DictReader(file))


def without(rows, *names):
    return [{k: v for k, v in row.items() if k not in names} for row in rows]


def contents(path):
    return sorted(entry.relative_to(path) for entry in path.rglob("*"))


def refused(run, path, words, resume=False):
    with pytest.raises(UsageError) as error:
        execute(run, path, resume)
    assert words in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


class Reached(Exception):
    """The run has got as far as it had to."""


def reach(*arguments, **options):
    raise Reached


def judged_run(path):
    """Return entries and arrays of the report of a run carried out in a folder."""
    kept = []

    def keep(*arguments):
        kept.append(metrics.judge(*arguments))
        return kept[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "make_figures", lambda folder: [])
        patch.setattr(runs, "judge", keep)
        execute(plain_run(), path)
    return kept[0]


@contextmanager
def without_training(judged):
    """Let runs take steps that cost nothing, but depend on states, keys and step."""
    run = plain_run()
    steps, seeds = run.config.training.steps, range(run.seed, run.seed + run.seeds)
    target = run.target.build(run.target_name)
    config = complete(run.config, target)
    first = init_states(build_model(target, config), config, seeds)

    def fit(model, target, config, seeds, *, states, on_chunk, **unused):
        for done in range(int(states.step[0]) + 10, steps + 1, 10):
            noise = np.sin(done + jax.random.key_data(states.key)[:, -1] % 1000)

            def move(leaf, noise=noise):
                moved = 0.9 * leaf + noise.reshape(-1, *[1] * (leaf.ndim - 1))
                return moved.astype(leaf.dtype)

            params = jax.tree.map(move, states.params)
            step = np.full(2, done, np.int32)
            states = states._replace(params=params, step=jnp.asarray(step))
            row = {name: noise + i for i, name in enumerate(COLUMNS)}
            row |= {"step": step, "compile_seconds": np.full(2, 0.1)}
            on_chunk(states, row | {"seconds": np.full(2, done * 0.01)})
        return FitResult(states, {}, 0.1, 0.1)

    def judge(run, model, target, result, held_out):
        entries, arrays = judged
        leaves = jax.tree.leaves(result.params)
        sums = sum(
            np.asarray(x, float).sum(axis=tuple(range(1, x.ndim))) for x in leaves
        )
        entries = [
            entry | {"ess": float(s)} for entry, s in zip(entries, sums, strict=True)
        ]
        return entries, arrays | {"x": arrays["x"] + np.float32(sums[:, None, None])}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "init_states", lambda *arguments: first)
        patch.setattr(runs, "fit", fit)
        patch.setattr(runs, "judge", judge)
        patch.setattr(runs, "make_figures", lambda folder: [])
        patch.setattr(runs, "CHECKPOINT_SECONDS", 0.0)
        yield


def results(path):
    """Return everything that a run has computed, but for times and memory."""
    metrics = strict(path / "metrics.json")
    clocks = ("wall_seconds", "compile_seconds")
    with np.load(path / "samples.npz") as file:
        arrays = {name: file[name].tobytes() for name in file.files}
    return (
        without(metrics["seeds"], *clocks),
        metrics["exact"],
        without(history(path), "seconds"),
        arrays,
    )

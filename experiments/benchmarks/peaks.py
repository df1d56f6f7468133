"""Which share of the machine's peak a training step reaches.

Both peaks, a large matrix product and a large triad a + s b, are measured in the same
process and floating type. What a program computes and moves is what XLA counts.
"""

import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from benchmarks.ours import Sampler, build
from benchmarks.serving import serve
from benchmarks.workers import Worker
from sesamo_jax.training.loss import batch_loss, penalty_amplitude
from sesamo_jax.training.optimizer import build_optimizer
from sesamo_jax.training.state import init_states

# By name: target, preset and settings over it.
STEPS = {
    "gmm, default": ("gmm", "default", {}),
    "gmm, paper": ("gmm", "paper", {}),
    "hubbard, default": ("hubbard", "default", {}),
    "hubbard, paper": ("hubbard", "paper", {}),
    "phi4_real 8x8, default": ("phi4_real", "default", {"target.shape": "8,8"}),
}
MATRIX = 2048
VECTOR = 2**25
CALLS = 20  # in a compiled loop
SECONDS = 0.3  # of a turn, at least


def measure(repeats: int) -> dict[str, Any]:
    """Return the peaks, and what every kind of step takes of them.

    Args:
        repeats: turns, of which the median counts; of the peaks the best.
    """
    out = {}
    for name, (target, preset, settings) in STEPS.items():
        with Worker("peaks") as worker:
            out[name] = worker.ask(
                "profile",
                target=target,
                preset=preset,
                settings=settings,
                repeats=repeats,
            )
    return {"steps": out}


def profile(
    *, target: str, preset: str, settings: dict[str, Any], repeats: int
) -> dict[str, Any]:
    """Return the peaks in a target's floating type, and the costs of its step."""
    sampler = build(target, preset, settings)
    dtype = sampler.target.dtype
    step = cost(*training_step(sampler), repeats)
    matrix = jnp.ones((MATRIX, MATRIX), dtype)
    vector = jnp.ones(VECTOR, dtype)
    product = min(turns(jax.jit(jnp.matmul), (matrix, matrix), repeats))
    triad = min(turns(jax.jit(lambda a, b: a + 0.5 * b), (vector, vector), repeats))
    return {
        "batch_size": sampler.config.training.batch_size,
        "dtype": jnp.dtype(dtype).name,
        "peak_flops": 2 * MATRIX**3 / product,
        "peak_bytes": 3 * vector.nbytes / triad,
        "step": step,
    }


def training_step(sampler: Sampler) -> tuple[Callable, tuple]:
    """Return a step of training, loss and gradient and optimiser, and its arguments."""
    model, target, config = sampler
    states = init_states(model, config, [0])
    params = jax.tree.map(lambda leaf: leaf[0], states.params)
    opt_state = jax.tree.map(lambda leaf: leaf[0], states.opt_state)
    optimizer = build_optimizer(config.training)
    loss = functools.partial(batch_loss, *sampler)
    gradient = jax.value_and_grad(loss, has_aux=True)
    amplitude = penalty_amplitude(config, jnp.int32(0))

    def step(params: Any, opt_state: Any, key: Any) -> Any:
        _, grads = gradient(params, key, amplitude)
        value = jnp.ones((), target.dtype)
        updates, after = optimizer.update(grads, opt_state, params, value=value)
        return optax.apply_updates(params, updates), after

    return step, (params, opt_state, jax.random.key(0))


def cost(function: Callable, arguments: tuple, repeats: int) -> dict[str, float]:
    """Return a program's median seconds, and the flops and bytes that XLA counts."""
    compiled = jax.jit(function).lower(*arguments).compile()
    counted = compiled.cost_analysis() or {}
    return {
        "seconds": statistics.median(turns(repeated(function), arguments, repeats))
        / CALLS,
        "flops": counted.get("flops", 0.0),
        "bytes": counted.get("bytes accessed", 0.0),
    }


def repeated(function: Callable) -> Callable:
    """Return a compiled loop of `CALLS` calls, as training has one of steps.

    Called one at a time, the same program may take twice as long. Each call waits for
    the one before: all that it returns is added to what the next one takes, times 0.
    """

    def add(total: Any, leaf: Any) -> Any:
        inexact = jnp.issubdtype(leaf.dtype, jnp.inexact)
        return total + jnp.sum(leaf).astype(total.dtype) if inexact else total

    def shifted(leaf: Any, total: Any) -> Any:
        inexact = jnp.issubdtype(jnp.asarray(leaf).dtype, jnp.inexact)
        return leaf + 0.0 * total.astype(leaf.dtype) if inexact else leaf

    def loop(*arguments: Any) -> Any:
        def body(_: Any, total: Any) -> Any:
            moved = jax.tree.map(functools.partial(shifted, total=total), arguments)
            return functools.reduce(add, jax.tree.leaves(function(*moved)), total)

        return jax.lax.fori_loop(0, CALLS, body, jnp.zeros(()))

    return jax.jit(loop)


def turns(function: Callable, arguments: tuple, repeats: int) -> list[float]:
    """Return seconds a call, the mean of a turn of many calls, for every turn."""
    jax.block_until_ready(function(*arguments))
    start = time.perf_counter()
    jax.block_until_ready(function(*arguments))
    calls = max(1, round(SECONDS / (time.perf_counter() - start)))
    out = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(calls):
            jax.block_until_ready(function(*arguments))
        out.append((time.perf_counter() - start) / calls)
    return out


if __name__ == "__main__":
    serve({"profile": profile})

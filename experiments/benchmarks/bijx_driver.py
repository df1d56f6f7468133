"""The lattice flow of bijx as a contender: `python -m benchmarks.bijx_driver`.

It runs in an environment of its own. Vector field, integrator and base are built as in
the package's example of scalar field theory, with its defaults: `ConvVF.build` with a
kernel as large as the lattice, `ContFlowDiffrax` in ten steps, independent normals.
The example trains nothing; the loss is the package's `reverse_dkl`, with Adam, a
warm-up and a cosine to zero, clipped gradients, and our batch.
"""

import time
from typing import Any

import bijx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from benchmarks.serving import serve
from benchmarks.weighing import effective_samples, load_estimators, weigh

SHAPE = (8, 8)
KAPPA, LAMBDA = 0.3, 0.022
BATCH, LEARNING_RATE, CLIP_NORM = 256, 3e-3, 1.0
INTEGRATION_STEP = 0.1
AT_ONCE = 2000
TRIED = 5  # steps, to learn how long one takes


def action(x: jax.Array) -> jax.Array:
    """Return f of fields (n, *SHAPE), as our target `phi4_real` has it, (n,)."""
    neighbours = jnp.roll(x, 1, 1) + jnp.roll(x, 1, 2)
    local = (1 - 2 * LAMBDA) * x**2 + LAMBDA * x**4
    return jnp.sum(local - 2 * KAPPA * x * neighbours, axis=(1, 2))


def build(seed: int) -> Any:
    """Return the flow as a distribution."""
    field = bijx.ConvVF.build(SHAPE, (), rngs=nnx.Rngs(params=seed))
    flow = bijx.ContFlowDiffrax(field, bijx.DiffraxConfig(dt=INTEGRATION_STEP))
    prior = bijx.IndependentNormal(SHAPE, rngs=nnx.Rngs(sample=seed))
    return bijx.Transformed(prior, flow)


def flow(*, seconds: float, samples: int) -> dict[str, Any]:
    """Train for some seconds and sample, as `lattice_samplers.flow` does."""
    graph, params, rest = nnx.split(build(0), nnx.Param, ...)

    def draw(params: Any, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array]:
        return nnx.merge(graph, params, rest).sample((n,), rng=key)

    def loss(params: Any, key: jax.Array) -> jax.Array:
        x, log_q = draw(params, key, BATCH)
        return bijx.reverse_dkl(-action(x), log_q)

    @jax.jit
    def step(params: Any, state: Any, key: jax.Array, rate: float) -> tuple[Any, Any]:
        grads = jax.grad(loss)(params, key)
        updates, state = optimizer.update(grads, state, params)
        return jax.tree.map(lambda p, u: p - rate * u, params, updates), state

    clip = optax.clip_by_global_norm(CLIP_NORM)
    optimizer = optax.chain(clip, optax.scale_by_adam())
    state = optimizer.init(params)
    start = time.perf_counter()
    jax.block_until_ready(step(params, state, jax.random.key(0), np.float32(0)))
    compile_seconds = time.perf_counter() - start

    # The schedule needs to know how many steps the seconds hold.
    start = time.perf_counter()
    for seed in range(TRIED):
        jax.block_until_ready(step(params, state, jax.random.key(seed), np.float32(0)))
    steps = max(2, round(TRIED * seconds / (time.perf_counter() - start)))
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, LEARNING_RATE, max(1, steps // 20), steps
    )
    rates = np.asarray(jax.vmap(schedule)(jnp.arange(steps)))
    keys = jax.random.split(jax.random.key(1), steps)
    start = time.perf_counter()
    for key, rate in zip(keys, rates, strict=True):
        params, state = step(params, state, key, rate)
    jax.block_until_ready(params)
    train_seconds = time.perf_counter() - start

    @jax.jit
    def batch(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        x, log_q = draw(params, key, AT_ONCE)
        return jnp.abs(jnp.mean(x, axis=(1, 2))), -action(x) - log_q

    keys = jax.random.split(jax.random.key(2), -(-samples // AT_ONCE))
    jax.block_until_ready(batch(keys[0]))
    start = time.perf_counter()
    parts = [jax.device_get(batch(key)) for key in keys]
    sample_seconds = time.perf_counter() - start
    modulus, log_w = (np.concatenate(column) for column in zip(*parts, strict=True))
    mean, error = load_estimators().reweighted(modulus.astype(float), log_w)
    return {
        "setup_seconds": compile_seconds,
        "train_seconds": train_seconds,
        "steps": steps,
        "sample_seconds": sample_seconds,
        "modulus": mean,
        "modulus_error": error,
        "effective": effective_samples(modulus.astype(float), log_w),
        **weigh(log_w),
    }


if __name__ == "__main__":
    serve({"flow": flow})

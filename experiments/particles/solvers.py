"""First discretise or first optimise: two integrators to train with (7.2, Fig. 4).

`sesamo-jax study particles --analysis solvers` trains the kernel flow of `dw4` on data
twice: in 20 classical Runge-Kutta steps, whose gradient is that of the discrete map,
and by Dormand and Prince's method with step-size control and the adjoint equation.
Along the way it measures, at one batch of held-out data, velocities per event, the
integration error of log q and the error of the gradient, both against 320 Runge-Kutta
steps in float64.
"""

import json
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from drawing import FLOW, HMC, row_of_panels
from matplotlib.figure import Figure
from reading import ROOT, write_measured

from particles.files import DATA, prepare
from sesamo_jax import Config, build_model, build_target, fit
from sesamo_jax.config import resolve
from sesamo_jax.core import Array, Params
from sesamo_jax.flows import KernelConfig
from sesamo_jax.flows.continuous.integrate import solve
from sesamo_jax.storage.data import read_data

TOLERANCE = 1e-5  # the paper's relative one
WAYS = {
    "Runge-Kutta, 20 steps": KernelConfig(),
    "Dormand-Prince, adjoint": KernelConfig(tolerance=TOLERANCE),
}
COLOURS = dict(zip(WAYS, (FLOW, HMC), strict=True))
EXACT = KernelConfig(steps=320)
SETTINGS = {
    "training.objective": "maximum_likelihood",
    "training.data": str(ROOT / DATA / "dw4_train.npy"),
    "evaluation.data": str(ROOT / DATA / "dw4_test.npy"),
    "training.batch_size": 64,
    "training.steps": 600,
    "training.chunk": 100,
}
SEEDS = 3
BATCH = 64
# Velocities of one step of Dormand and Prince, whose last is the next one's first.
EACH, FIRST = 6, 1


def velocities(flow: KernelConfig, params: Params, y: Array) -> np.ndarray:
    """Return how many velocities the inverse of each event takes, (n,)."""
    if not flow.tolerance:
        return np.full(len(y), 4 * flow.steps)
    module = flow.build(y.shape[1:], y.dtype)

    def steps(y: Array) -> Array:
        velocity = partial(module.apply, params, method="velocity")
        return solve(velocity, y, 1.0, 0.0, flow.tolerance).stats["num_steps"]

    return FIRST + EACH * np.asarray(jax.jit(jax.vmap(steps))(y))


def log_density(flow: KernelConfig, params: Params, y: Array) -> Array:
    """Return log q of events for a base of variance 1, (n,)."""
    module = flow.build(y.shape[1:], y.dtype)

    def one(y: Array) -> Array:
        z, log_det = module.apply(params, y, method="inverse_and_log_det")
        return log_det - jnp.sum(z**2) / 2 - z.size / 2 * jnp.log(2 * jnp.pi)

    return jax.vmap(one)(y)


def gradient(flow: KernelConfig, params: Params, y: Array) -> tuple[Array, Array]:
    """Return log q, (n,), and the gradient of its mean in all parameters."""

    def mean(params: Params) -> tuple[Array, Array]:
        values = log_density(flow, params, y)
        return jnp.mean(values), values

    slope, values = jax.jit(jax.grad(mean, has_aux=True))(params)
    return values, jax.flatten_util.ravel_pytree(slope)[0]


def measure(flow: KernelConfig, params: Params, y: np.ndarray) -> dict[str, float]:
    """Return what a way of integration does at a batch, at some parameters."""
    count = velocities(flow, params, jnp.asarray(y))
    wide = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), params)
    events = jnp.asarray(y, jnp.float64)
    exact, exact_gradient = gradient(EXACT, wide, events)
    values, own_gradient = gradient(flow, wide, events)
    size = jnp.linalg.norm(exact_gradient)
    return {
        "velocities": float(count.mean()),
        "most_velocities": float(count.max()),
        "nll": float(-exact.mean()),
        "integration_error": float(jnp.sqrt(jnp.mean((values - exact) ** 2))),
        "gradient_error": float(jnp.linalg.norm(own_gradient - exact_gradient) / size),
    }


def train(flow: KernelConfig, settings: dict[str, Any], seeds: int) -> dict[str, Any]:
    """Return the measurements along a training, of its first seed, and seconds."""
    config: Config = replace(resolve("dw4", settings=settings).config, flow=flow)
    target = build_target("dw4")
    held_out = read_data("evaluation", config, target)
    assert held_out is not None
    rows: list[dict[str, float]] = []

    def on_chunk(states: Any, row: dict[str, np.ndarray]) -> None:
        params = jax.tree.map(lambda leaf: leaf[0], states.params["flow"])
        own = {"params": params["params"]["bijection"]}
        rows.append(
            {"step": int(row["step"][0])} | measure(flow, own, held_out[:BATCH])
        )
        print(json.dumps(rows[-1]), flush=True)

    result = fit(build_model(target, config), target, config, seeds, on_chunk=on_chunk)
    steps = config.training.steps * seeds
    model = build_model(target, replace(config, flow=KernelConfig(steps=80)))
    assert model.log_prob is not None
    log_q = jax.jit(jax.vmap(model.log_prob, (0, None)))(result.params, held_out)
    return {
        "rows": rows,
        "nll": (-jnp.mean(log_q, axis=1)).tolist(),
        "seconds_per_step": result.wall_seconds / steps,
        "loss": result.history["loss"].tolist(),
        "seconds": (result.history["seconds"][:, 0] / seeds).tolist(),
    }


def figure(results: dict[str, Any]) -> Figure:
    """Return the loss against time, velocities and errors against steps."""
    drawn, (losses, counts, errors) = row_of_panels(3, (12, 3.4))
    for name, colour in COLOURS.items():
        result = results[name]
        for curve in np.array(result["loss"]).T:
            losses.plot(result["seconds"], curve, color=colour, lw=1)
        rows = result["rows"]
        steps = [row["step"] for row in rows]
        for key, style in (("velocities", "o-"), ("most_velocities", ":")):
            label = name if key == "velocities" else "_"
            counts.plot(steps, [r[key] for r in rows], style, color=colour, label=label)
        for key, style in (("gradient_error", "o-"), ("integration_error", "s:")):
            errors.plot(steps, [row[key] for row in rows], style, color=colour)
    losses.set(xlabel="seconds of training per model", ylabel="NLL of batches")
    counts.set(xlabel="steps", ylabel="velocities, mean (dotted: most)", ylim=(0, None))
    errors.set(xlabel="steps", ylabel="error of gradient (dotted: of log q)")
    errors.set_yscale("log")
    counts.legend(fontsize=7)
    return drawn


def main() -> None:
    """Train both ways and write the result."""
    prepare()
    jax.config.update("jax_enable_x64", True)
    results = {name: train(flow, SETTINGS, SEEDS) for name, flow in WAYS.items()}
    write_measured("particles/solvers", results)

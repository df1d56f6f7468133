"""Three ways to a divergence against the number of particles (Fig. 3).

`sesamo-jax study particles --analysis divergence` takes random kernel fields of
particles in space, in float64, and measures the relative root mean square error of
div v, and the seconds that v and div v of one event take together. The reference for
errors is the trace of the Jacobian by derivatives in reverse, whose rounding is another
than that of either exact way.
"""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from drawing import FLOW, HMC, LINE, OTHER, row_of_panels
from matplotlib.figure import Figure
from reading import write_measured

from sesamo_jax.core import Array, Key
from sesamo_jax.flows import KernelConfig
from sesamo_jax.flows.continuous.divergence import brute_force, hutchinson

SIZES = (2, 4, 8, 16, 32, 64)
FIELDS = 16
REPEATS = 5
DIMENSION = 3
SPREAD = 1.5  # of the particles: most distances then lie among the bumps
TIME = 0.4
COLOURS = {"closed form": FLOW, "brute force": HMC, "hutchinson": OTHER}


def ways(field: Callable, closed: Callable) -> dict[str, Callable]:
    """Return by name (params, y, probe) -> (v, div v).

    Args:
        field: (params, t, y) -> v.
        closed: (params, t, y) -> (v, div v).
    """

    def exact(params: Any, y: Array, _: Array) -> tuple[Array, Array]:
        return brute_force(partial(field, params))(TIME, y)

    def estimate(params: Any, y: Array, probe: Array) -> tuple[Array, Array]:
        return hutchinson(partial(field, params), probe)(TIME, y)

    return {
        "closed form": lambda params, y, _: closed(params, TIME, y),
        "brute force": exact,
        "hutchinson": estimate,
    }


def measure(particles: int, fields: int, repeats: int, key: Key) -> dict[str, Any]:
    """Return errors and times of all ways for one number of particles.

    Args:
        particles: N.
        fields: random fields, each at one random event and with one probe.
        repeats: of the timing, of which the fastest counts.
        key: for all of them.
    """
    shape = (particles - 1, DIMENSION)
    flow = KernelConfig().build(shape, jnp.float64)
    closed = partial(flow.apply, method="velocity")

    def field(params: Any, t: Array, y: Array) -> Array:
        return closed(params, t, y)[0]

    events, parameters, signs = jax.random.split(key, 3)
    y = SPREAD * jax.random.normal(events, (fields, *shape), jnp.float64)
    init = partial(flow.init, method="velocity")
    keys = jax.random.split(parameters, fields)
    params = jax.vmap(init, (0, None, 0))(keys, TIME, y)
    probe = jax.random.rademacher(signs, y.shape, y.dtype)

    def jacobian(params: Any, y: Array) -> Array:
        rows = jax.jacrev(partial(field, params, TIME))(y)
        return rows.reshape(y.size, y.size)

    def run(function: Callable) -> tuple[Any, float]:
        # One event after the other, as memory for the larger systems requires.
        program = jax.jit(partial(jax.lax.map, lambda of: function(*of)))
        out = jax.block_until_ready(program((params, y, probe)))
        seconds = []
        for _ in range(repeats):
            start = time.perf_counter()
            jax.block_until_ready(program((params, y, probe)))
            seconds.append(time.perf_counter() - start)
        return out, min(seconds) / fields

    full = jax.lax.map(lambda of: jacobian(*of), (params, y))
    traces = jnp.trace(full, axis1=1, axis2=2)
    scale = _root_mean_square(traces)
    off_diagonal = full * (1 - jnp.eye(full.shape[-1]))
    # By the variance of one probe; the Jacobian of a gradient is symmetric.
    law = float(jnp.sqrt(2 * jnp.mean(jnp.sum(off_diagonal**2, axis=(1, 2)))))
    row: dict[str, Any] = {
        "particles": particles,
        "divergence": scale,
        "hutchinson_law": law / scale,
    }
    for name, function in ways(field, closed).items():
        (_, divergence), seconds = run(function)
        error = _root_mean_square(divergence - traces) / scale
        row[name] = {"error": error, "seconds": seconds}
    return row


def _root_mean_square(values: Array) -> float:
    return float(jnp.sqrt(jnp.mean(values**2)))


def figure(rows: list[dict[str, Any]]) -> Figure:
    """Return errors and times against N, side by side."""
    drawn, (errors, times) = row_of_panels(2, (9, 3.6))
    particles = np.array([row["particles"] for row in rows])
    for name, colour in COLOURS.items():
        for panel, quantity in ((errors, "error"), (times, "seconds")):
            values = [row[name][quantity] for row in rows]
            panel.plot(particles, values, "o-", color=colour, label=name)
    law = [row["hutchinson_law"] for row in rows]
    errors.plot(
        particles, law, ":", color=LINE, label="standard deviation of one probe"
    )
    errors.set(ylabel="relative error of div v")
    times.set(ylabel="seconds for v and div v")
    for panel in (errors, times):
        panel.set(xlabel="particles", xscale="log", yscale="log")
        panel.set_xticks(particles, [str(n) for n in particles], minor=False)
        panel.set_xticks([], minor=True)
        panel.legend(fontsize=8)
    return drawn


def main() -> None:
    """Measure all sizes and write the result."""
    jax.config.update("jax_enable_x64", True)
    rows = []
    for particles in SIZES:
        key = jax.random.fold_in(jax.random.key(0), particles)
        rows.append(measure(particles, FIELDS, REPEATS, key))
        print(json.dumps(rows[-1]))
    content = {"dimension": DIMENSION, "fields": FIELDS, "rows": rows}
    write_measured("particles/divergence", content)

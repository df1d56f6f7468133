"""Seconds and memory of a training step against the order of a group.

`sesamo-jax study symmetries --analysis cost` differentiates the loss of one batch under
groups from 2 to 384 elements, in turns, by the density of the cell and by the sum over
the orbit, and writes the medians.
"""

from functools import partial
from time import perf_counter

import jax
import jax.numpy as jnp
import numpy as np
from reading import write_measured

from sesamo_jax import Config, Target, TrainingConfig, build_model
from sesamo_jax.config import complete
from sesamo_jax.core import Array, FiniteSymmetry
from sesamo_jax.symmetries import Cyclic, dihedral, hyperoctahedral, symmetric
from sesamo_jax.training.loss import batch_loss

BATCH = 1000
TURNS = 9
DENSITIES = ("cell", "orbit")
GROUPS: dict[str, FiniteSymmetry] = {
    "Z_2": Cyclic(2, broken=True),
    "Z_3": Cyclic(3, broken=True),
    "D_4": dihedral(4, broken=True),
    "S_4": symmetric(4, broken=True),
    "S_5": symmetric(5, broken=True),
    "B_4": hyperoctahedral(4, broken=True),
}
COMPONENTS = {"Z_2": 2, "Z_3": 2, "D_4": 2, "S_4": 4, "S_5": 5, "B_4": 4}


def action(x: Array) -> Array:
    """Return a quartic action that no group here leaves as it is."""
    return jnp.sum(x**4) / 4 + jnp.sum(jnp.arange(x.size) * x) / 9


def measure(name: str, density: str) -> dict[str, float]:
    """Return seconds of a step and what memory its program takes beside its arguments.

    Seconds are the median of a few steps, after one that is not counted.
    """
    target = Target("quartic", (COMPONENTS[name],), action, GROUPS[name])
    training = TrainingConfig(batch_size=BATCH, density=density)
    config = complete(Config(training=training), target)
    model = build_model(target, config)
    params = model.init(jax.random.key(0))
    loss = partial(batch_loss, model, target, config)
    gradient = jax.jit(jax.grad(lambda params, key: loss(params, key, 1.0)[0]))
    program = gradient.lower(params, jax.random.key(0)).compile()
    seconds = []
    for turn in range(TURNS + 1):
        start = perf_counter()
        jax.block_until_ready(program(params, jax.random.key(turn)))
        seconds.append(perf_counter() - start)
    memory = program.memory_analysis().temp_size_in_bytes / 2**20
    return {"seconds": float(np.median(seconds[1:])), "mebibytes": memory}


def main() -> None:
    """Measure and write all rows."""
    rows = {}
    for name, group in GROUPS.items():
        rows[name] = {density: measure(name, density) for density in DENSITIES}
        rows[name]["order"] = group.order
        print(name, rows[name], flush=True)
    write_measured("symmetries/cost", {"batch": BATCH, "rows": rows})

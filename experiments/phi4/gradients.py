"""How far path gradients are off by the error of integration, against its steps.

`sesamo-jax study phi4 --analysis gradients` trains the complex field for a while and
compares mean gradients at the same parameters and samples of the base, in units of one
batch's gradient. The velocity is the same throughout: the bound on its slope is on that
of a step.
"""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jax.flatten_util import ravel_pytree
from reading import measured, write_measured

from sesamo_jax import Sampler, train
from sesamo_jax.run.pages import markdown

TARGET = "phi4_complex"
TRAINING = {"training.steps": 600}
BATCHES, BATCH = 40, 256
SLOPE = 4.2  # over unit time
STEPS = (7, 8, 10, 14)
MANY = 40


def gradients(trained: Sampler, steps: int) -> tuple[np.ndarray, float]:
    """Return the flow's gradients of all batches, (batches, parameters), and an ESS."""
    config = trained.config
    flow: Any = config.flow
    config = replace(
        config,
        flow=replace(flow, steps=steps, slope=SLOPE / steps),
        training=replace(config.training, batch_size=BATCH),
    )
    sampler = Sampler(trained.target, config, trained.params)
    gradient = jax.jit(jax.grad(lambda sampler, key: sampler.loss(key), has_aux=True))
    keys = jax.random.split(jax.random.key(1), BATCHES)
    rows, metrics = zip(*(gradient(sampler, key) for key in keys), strict=True)
    flat = [ravel_pytree(row.params["flow"])[0] for row in rows]
    return np.array(flat, float), float(np.mean([one["ess"] for one in metrics]))


def main() -> None:
    """Train, measure and write."""
    trained = train(TARGET, TRAINING).samplers[0]
    reference, ess = gradients(trained, MANY)
    size = np.sqrt(np.mean(np.sum(reference**2, axis=1)))  # of one batch's gradient
    rows = {str(MANY): {"ess": ess, "off": 0.0}}
    for steps in STEPS:
        found, ess = gradients(trained, steps)
        off = np.linalg.norm((found - reference).mean(axis=0)) / size
        rows[str(steps)] = {"ess": ess, "off": float(off)}
        print(steps, rows[str(steps)], flush=True)
    write_measured("phi4/gradients", {"training": TRAINING, "rows": rows})


def gradients_table() -> str:
    """Return how far path gradients are off, against the steps of integration."""
    content = measured("phi4/gradients")
    if content is None:
        return ""
    rows = [
        [steps, f"{row['off']:.2f}", f"{row['ess']:.3f}"]
        for steps, row in sorted(content["rows"].items(), key=lambda row: int(row[0]))
    ]
    return markdown(["steps", "gradient off by", "ESS of batches"], rows)

"""How far path gradients are off by the error of integration, against its steps.

`sesamo-jax study phi4 --analysis gradients` trains the complex field for a while and
compares mean gradients at the same parameters and samples of the base, in units of one
batch's gradient. The velocity is the same throughout: the bound on its slope is on that
of a step.
"""

from typing import Any

import jax
import numpy as np
from jax.flatten_util import ravel_pytree
from reading import measured, write_measured

from sesamo_jax import build_model, build_target, train
from sesamo_jax.config import complete, resolve
from sesamo_jax.core import Params
from sesamo_jax.run.pages import markdown
from sesamo_jax.training.loss import batch_loss

TARGET = "phi4_complex"
TRAINING = {"training.steps": 600}
BATCHES, BATCH = 40, 256
SLOPE = 4.2  # over unit time
STEPS = (7, 8, 10, 14)
MANY = 40


def gradients(params: Params, steps: int) -> tuple[np.ndarray, float]:
    """Return the flow's gradients of all batches, (batches, parameters), and an ESS."""
    settings: dict[str, Any] = TRAINING | {"training.batch_size": BATCH}
    settings |= {"flow.steps": steps, "flow.slope": SLOPE / steps}
    target = build_target(TARGET)
    config = complete(resolve(TARGET, settings=settings).config, target)
    model = build_model(target, config)

    @jax.jit
    def one(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        def loss(params: Params) -> tuple[jax.Array, dict[str, jax.Array]]:
            return batch_loss(model, target, config, params, key)

        gradient, metrics = jax.grad(loss, has_aux=True)(params)
        return ravel_pytree(gradient["flow"])[0], metrics["ess"]

    found = [one(key) for key in jax.random.split(jax.random.key(1), BATCHES)]
    rows, ess = zip(*jax.device_get(found), strict=True)
    return np.array(rows, float), float(np.mean(ess))


def main() -> None:
    """Train, measure and write."""
    params = train(TARGET, TRAINING).samplers[0].params
    reference, ess = gradients(params, MANY)
    size = np.sqrt(np.mean(np.sum(reference**2, axis=1)))  # of one batch's gradient
    rows = {str(MANY): {"ess": ess, "off": 0.0}}
    for steps in STEPS:
        found, ess = gradients(params, steps)
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

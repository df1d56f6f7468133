"""What `test_devices` looks at, on eight virtual devices; it prints one JSON object."""

import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax import build_model, fit
from sesamo_jax.config import complete, resolve
from sesamo_jax.parallel.devices import ONE_DEVICE, over_batch, place
from sesamo_jax.run.checkpoint import Checkpoints
from sesamo_jax.training.fit import build_chunk
from sesamo_jax.training.state import init_states

jax.config.update("jax_enable_x64", True)
SETTINGS = {
    "target.dtype": "float64",
    "target.modes": 3,
    "flow.couplings": 1,
    "flow.layers": 0,
    "flow.width": 4,
    "training.steps": 20,
    "training.chunk": 10,
    "training.batch_size": 64,
}
RUN = resolve("gmm", "smoke", SETTINGS)
TARGET = RUN.target.build("gmm")
CONFIG = complete(RUN.config, TARGET)
MODEL = build_model(TARGET, CONFIG)
EIGHT = place(8, 1, 64)


def train(placement, seeds=1, states=None, folder=None):
    """Return the history and parameters as lists; save the first chunk's states."""

    def on_chunk(states, row):
        if folder is not None and int(row["step"][0]) == 10:
            checkpoints = Checkpoints(folder)
            checkpoints.save(placement.collect(states), {"wall": 0.0, "compile": 0.0})
            checkpoints.close()

    result = fit(
        *(MODEL, TARGET, CONFIG, seeds),
        states=states,
        on_chunk=on_chunk,
        placement=placement,
    )
    leaves = jax.tree.leaves(result.params)
    return {
        "loss": result.history["loss"].tolist(),
        "params": np.concatenate([np.ravel(leaf) for leaf in leaves]).tolist(),
    }


def resume(placement, folder):
    """Return what training from a checkpoint gives."""
    states, _ = Checkpoints(folder).restore(init_states(MODEL, CONFIG, [0]))
    return train(placement, states=states)


def flops(placement, seeds=1):
    """Return the work of one step on one device."""
    states = placement.spread(init_states(MODEL, CONFIG, range(seeds)))
    chunk = build_chunk(MODEL, TARGET, CONFIG, placement.seeds_axis)
    compiled = placement.compile(chunk, states, np.int32(0), None)
    return compiled.cost_analysis()["flops"]


def fourier():
    """Return the largest error of a transform of a batch over all devices."""
    fields = np.random.default_rng(0).normal(size=(16, 4, 4))
    with jax.set_mesh(EIGHT.mesh):
        found = jax.jit(over_batch(jnp.fft.fftn))(fields)
    assert len(found.sharding.device_set) == 8
    return float(np.max(np.abs(found - np.fft.fftn(fields, axes=(1, 2)))))


def refused(devices, seeds, batch_size):
    """Return the sentence that refuses a request."""
    try:
        place(devices, seeds, batch_size)
    except ValueError as error:
        return str(error)
    return ""


folder = Path(sys.argv[1])
print(
    json.dumps(
        {
            "one": train(ONE_DEVICE, folder=folder / "one"),
            "eight": train(EIGHT, folder=folder / "eight"),
            "one_then_eight": resume(EIGHT, folder / "one"),
            "eight_then_one": resume(ONE_DEVICE, folder / "eight"),
            "one_of_four_seeds": train(ONE_DEVICE, 4),
            "seeds": train(place(8, 4, 64), 4),
            "grid": place(8, 4, 64).describe(),
            "unasked": place(None, 4, 64).describe(),
            "flops": {
                "batch": [flops(ONE_DEVICE), flops(EIGHT)],
                "seeds": [flops(ONE_DEVICE, 2), flops(place(4, 8, 1), 8)],
            },
            "fourier": fourier(),
            "refused": [refused(9, 1, 64), refused(8, 2, 50), refused(0, 1, 64)],
        }
    )
)

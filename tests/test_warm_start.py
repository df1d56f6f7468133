"""Starting from a trained run: parameters keep their meaning on a larger lattice."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import random_params
from tolerances import F64

from sesamo_jax.flows.continuous import ContinuousConfig
from sesamo_jax.flows.slice_continuous import SliceContinuousConfig
from sesamo_jax.lattice import displacement_classes
from sesamo_jax.results import RunFolder
from sesamo_jax.runs import execute
from sesamo_jax.settings import resolve
from sesamo_jax.warm_start import enlarge


@pytest.mark.parametrize(
    ("config", "tail", "small", "large"),
    [
        (ContinuousConfig(steps=3, slope=1e3), (), (4, 6), (8, 6)),
        (ContinuousConfig(steps=3, slope=1e3), (), (3, 3), (6, 6)),
        (ContinuousConfig(steps=3, slope=1e3), (), (2, 4, 2), (4, 4, 6)),
        (SliceContinuousConfig(steps=3, slope=1e3), (2,), (4, 4), (8, 8)),
    ],
)
def test_an_enlarged_flow_maps_repeated_fields_alike(config, tail, small, large, rng):
    """A field of the small lattice's period sees the same velocity everywhere.

    The bound on slopes counts more waves on a larger lattice: it is out of reach here.
    """
    copies = tuple(b // a for a, b in zip(small, large, strict=True))
    flow, larger = (config.build(shape + tail, jnp.float64) for shape in (small, large))
    z = rng.normal(size=small + tail)
    if tail:  # on the slice
        z -= np.mean(z, axis=(0, 1))
        z[..., 0] += 1.3

    def init(flow, z):
        return flow.init(jax.random.key(0), z, method="forward_and_log_det")

    params = random_params(lambda: init(flow, z), rng)
    params = jax.tree.map(lambda leaf: 0.3 * leaf, params)
    tiled = np.tile(z, copies + (1,) * len(tail))
    more = enlarge(params, init(larger, tiled), small, large)
    y, log_det = flow.apply(params, z, method="forward_and_log_det")
    tiled_y, tiled_log_det = larger.apply(more, tiled, method="forward_and_log_det")
    assert np.max(np.abs(y - z)) > 0.01
    expected = np.tile(y, copies + (1,) * len(tail))
    np.testing.assert_allclose(tiled_y, expected, atol=F64)
    if not tail:  # the volume factor of the slice counts once
        assert float(tiled_log_det) == pytest.approx(np.prod(copies) * float(log_det))


def test_an_enlarged_spectrum_agrees_at_common_momenta(rng):
    small, large = (4, 6), (8, 12)
    classes, first = displacement_classes(small)
    new_classes, new_first = displacement_classes(large)
    path = {"params": {"base": {"log_variance": jnp.asarray(rng.normal(size=(2, 12)))}}}
    assert first.size == 12
    new = {"params": {"base": {"log_variance": jnp.zeros((2, new_first.size))}}}
    more = enlarge(path, new, small, large)["params"]["base"]["log_variance"]
    old = np.asarray(path["params"]["base"]["log_variance"])
    common = np.asarray(more)[:, new_classes[::2, ::2]]
    np.testing.assert_allclose(common, old[:, classes], atol=F64)


def test_what_does_not_fit_is_refused():
    old = {"kernel": jnp.zeros((3, 7, displacement_classes((4, 4))[1].size))}
    smaller = {"kernel": jnp.zeros((3, 7, displacement_classes((2, 2))[1].size))}
    with pytest.raises(ValueError, match=r"parameter kernel has shape .* no smaller"):
        enlarge(old, smaller, (4, 4), (2, 2))
    with pytest.raises(ValueError, match="has no parameter mean"):
        enlarge(old, {"mean": jnp.zeros(())}, (4, 4), (4, 4))


def test_a_run_starts_from_another(tmp_path):
    settings = {
        "target.shape": "4,4",
        "base.kind": "gaussian",  # a start far from the target
        "flow.steps": 2,
        "flow.features": 3,
        "training.steps": 40,
        "training.batch_size": 256,
        "training.chunk": 1,
        "evaluation.samples": 500,
        "evaluation.keep": 10,
        "evaluation.largest_error": 1.0,
    }
    first, second = tmp_path / "first", tmp_path / "second"
    execute(resolve("phi4_real", settings=settings), first)
    later = {"training.steps": 1, "training.warm_start": str(first)}
    execute(resolve("phi4_real", settings=settings | later), second)
    losses = [RunFolder(path).read_history()["loss"] for path in (first, second)]
    cold, trained, warm = losses[0].flat[0], losses[0].flat[-1], losses[1].flat[0]
    assert cold - warm > 0.5 * (cold - trained) > 1


def test_a_folder_without_a_trained_run_is_refused(tmp_path):
    settings = {"training.warm_start": str(tmp_path / "nowhere"), "flow.steps": 2}
    with pytest.raises(ValueError, match="holds no run with a checkpoint"):
        execute(resolve("phi4_real", settings=settings), tmp_path / "none")

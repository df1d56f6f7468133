"""Flows that are trained through an adaptive integrator, `flow.tolerance`."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sesamo_jax.config import Config, EvaluationConfig, TrainingConfig, build_model
from sesamo_jax.evaluation.sampling import build_draw
from sesamo_jax.flows import KernelConfig
from sesamo_jax.targets import build_target
from sesamo_jax.training.fit import fit

SMALL = KernelConfig(kernels=7, time_kernels=3, reach=8.0, width=2.0)
FORWARD = "forward_and_log_det"


@pytest.mark.slow  # compiles much
def test_a_tolerance_takes_the_adaptive_integrator(rng):
    adaptive = replace(SMALL, tolerance=1e-7)
    y = rng.normal(size=(2, 2))
    flow = adaptive.build((2, 2), jnp.float64)
    params = flow.init(jax.random.key(0), y, method=FORWARD)
    found, named, steps = (
        jax.jit(partial(flow.apply, params, method=FORWARD))(y)
        for flow in (
            flow,
            SMALL.build((2, 2), jnp.float64, 1e-7),
            SMALL.build((2, 2), jnp.float64),
        )
    )
    jax.tree.map(np.testing.assert_array_equal, found, named)
    assert 0 < np.max(np.abs(found[0] - steps[0])) < 1e-4
    # Also of float32 events, in a program that knows float64.
    narrow = jax.tree.map(lambda leaf: leaf.astype(np.float32), params)
    single = adaptive.build((2, 2), jnp.float32, 1e-4)
    end, log_det = single.apply(narrow, y.astype(np.float32), method=FORWARD)
    assert end.dtype == log_det.dtype == np.float32
    np.testing.assert_allclose(end, found[0], atol=1e-3)
    assert adaptive.finer().tolerance == pytest.approx(1e-8)
    assert SMALL.finer().tolerance == 0


@pytest.mark.slow  # trains twice, also adaptively; values are compared above
def test_both_integrators_train_alike(tmp_path, rng):
    """On data, in a few steps; the same keys draw the same batches."""
    path = str(tmp_path / "data.npy")
    np.save(path, rng.normal(0, 2, (64, 1, 2)))
    target = build_target("dw2", dtype="float64")
    training = TrainingConfig(
        steps=6, batch_size=16, data=path, objective="maximum_likelihood"
    )
    losses = []
    for tolerance in (0.0, 1e-7):
        flow = replace(SMALL, tolerance=tolerance)
        config = Config(method="realnvp", flow=flow, training=training)
        result = fit(build_model(target, config), target, config)
        assert not result.history["nonfinite_steps"].any()
        losses.append(result.history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-4)


@pytest.mark.slow  # compiles much
def test_a_tolerance_that_cannot_be_met_is_one_sentence(key):
    target = build_target("dw2")
    evaluation = EvaluationConfig(samples=4, batch_size=4, tolerance=1e-12)
    config = Config(method="realnvp", flow=SMALL, evaluation=evaluation)
    model = build_model(target, config)
    draw = build_draw(model, target, config)
    with pytest.raises(ValueError, match="has no finite value: train") as error:
        draw(model.init(jax.random.key(0)), key)
    assert "evaluation.tolerance=1e-12" in str(error.value)
    assert "\n" not in str(error.value)

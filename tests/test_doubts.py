"""What speaks against a run is said: in its report's head, and by a warning."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from sesamo_jax import (
    Config,
    EvaluationConfig,
    RealNVPConfig,
    TrainingConfig,
    build_model,
    evaluate,
    fit,
)
from sesamo_jax.core import Target
from sesamo_jax.estimators import doubts
from sesamo_jax.symmetries import Z2
from sesamo_jax.targets import TARGETS

CONFIG = Config(
    method="realnvp",
    flow=RealNVPConfig(couplings=2, layers=0, width=4),
    training=TrainingConfig(steps=4, batch_size=32, learning_rate=0.5),
    evaluation=EvaluationConfig(samples=400, batch_size=400),
)


def small(action, **fields):
    return Target("made_up", (3,), action, dtype=jnp.float64, **fields)


def rays(target, rng):
    return rng.normal(size=(20, *target.event_shape))


@pytest.mark.parametrize(
    "action",
    [
        lambda x: -jnp.sum(x**2),
        lambda x: jnp.sum(x**2) - 1e-4 * x[1] ** 4,
        lambda x: x[0] - 2 * x[2],
        lambda x: -jnp.exp(jnp.sum(x**2)),
    ],
)
def test_an_action_without_lower_bound_is_found(action, rng):
    target = small(action)
    assert "no lower bound" in doubts.lower_bound(target, rays(target, rng))


@pytest.mark.parametrize(
    "action",
    [
        lambda x: jnp.sum((x - 3) ** 2) - 1e5,
        lambda x: 1e-4 * jnp.sum(x**4) - 50 * jnp.sum(x**2),
        lambda x: jnp.sum(jnp.cos(x)),  # of angles
        lambda x: jnp.where(x[0] > 2, jnp.inf, jnp.sum(x**2) - 40 * x[1]),
        lambda x: jnp.log(jnp.sum(x**2)) - jnp.sum(x) / (1 + jnp.sum(x**2)),
    ],
)
def test_an_action_with_a_lower_bound_is_not_doubted(action, rng):
    target = small(action)
    assert doubts.lower_bound(target, rays(target, rng)) is None


@pytest.mark.parametrize("name", TARGETS)
def test_no_target_of_the_package_is_doubted(name, rng):
    target = TARGETS[name].build(name)
    assert doubts.lower_bound(target, rays(target, rng)) is None


def test_fit_warns_where_every_step_is_skipped():
    # A number whose derivative is none.
    target = small(lambda x: jnp.sum(x**2) + jnp.sqrt(0 * x[0] ** 2))
    model = build_model(target, CONFIG)
    with pytest.warns(RuntimeWarning, match="made_up: 4 of 4 training steps were"):
        fit(model, target, CONFIG)


def test_fit_warns_of_an_action_without_lower_bound():
    target = small(lambda x: -100 * jnp.sum(x**4))
    model = build_model(target, CONFIG)
    with pytest.warns(RuntimeWarning, match="made_up: .*no lower bound"):
        fit(model, target, CONFIG)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"log_z": None}, "no finite mean"),
        ({"log_z": 1.0, "max_weight_share": 0.83}, "one sample of 400 carries 83%"),
        (
            {"log_z": 1.0, "max_weight_share": 0.1, "pareto_k": 0.91, "ess": 0.6},
            "(Pareto k = 0.91)",
        ),
        ({"log_z": 1.0, "max_weight_share": 0.1, "pareto_k": 0.91, "ess": 0.98}, None),
        ({"log_z": 1.0, "max_weight_share": 0.1, "pareto_k": 0.6, "ess": 0.6}, None),
        ({"log_z": 1.0, "max_weight_share": None, "pareto_k": None}, None),
    ],
)
def test_what_weights_leave_in_doubt(entry, sentence):
    found = doubts.weights(entry, 400)
    assert (found is None) if sentence is None else (sentence in found)


def test_what_a_leak_leaves_in_doubt():
    """Counted several times it is an error; summed over, a waste of training."""
    leaking = {"leak": 0.07, "log_z_error": 0.002}
    assert "log Z is too large" in doubts.leak(leaking, "cell", "cell")
    assert "training.density=orbit" in doubts.leak(leaking, "orbit", "cell")
    assert doubts.leak(leaking, "orbit", "orbit") is None
    assert doubts.leak(leaking, "strict", "orbit") is None
    little = {"leak": 0.001, "log_z_error": 0.002}
    assert doubts.leak(little, "cell", "cell") is None
    assert doubts.leak({"leak": 0.001, "log_z_error": None}, "cell", "cell")
    assert doubts.leak({"leak": None}, "cell", "cell") is None


def test_hard_walls_leave_a_report(key):
    """Half of the orbits of a shifted box lie outside it, with all their images."""

    def action(x):
        inside = (jnp.abs(x[0]) < 1.5) & (x[1] > -0.5)
        return jnp.where(inside, jnp.sum(x**2) / 2, jnp.inf)

    target = small(action, symmetry=Z2((3,), broken=True), prior_variance=2.0)
    config = replace(CONFIG, method="sesamo")
    model = build_model(target, config)
    out = evaluate(model, target, config, model.init(key), key)
    normal = np.random.default_rng(1).normal(size=(10**6, 2))
    mass = np.mean((np.abs(normal[:, 0]) < 1.5) & (normal[:, 1] > -0.5))
    log_z = np.log(mass) + 1.5 * np.log(2 * np.pi)
    assert abs(out["log_z"] - log_z) < 5 * out["log_z_error"]
    assert 0 < out["ess"] < 1
    assert all(share is not None for share in out["sectors_heat_bath"])

"""Loss and gradients of one training batch: path against total, and the metrics."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_mean, random_params
from tolerances import F64

from sesamo_jax.config import (
    BaseConfig,
    Config,
    PenaltyConfig,
    TrainingConfig,
    build_model,
)
from sesamo_jax.core import Target
from sesamo_jax.flows import RealNVPConfig
from sesamo_jax.symmetries import Z2
from sesamo_jax.targets.gaussian_mixture import GaussianMixture
from sesamo_jax.training.loss import batch_loss

TILTED = GaussianMixture(modes=3, radius=1.5, breaking=0.3, dtype="float64").build()
FLOW = RealNVPConfig(2, 0, 6, "tanh", shared=True, log_scale_bound=0.3)


def path_and_total(target, modulation, keys, seed, *, base, amplitude, **training):
    """Return flow and modulation gradients of small batches, by kind of gradient.

    Each is (keys, parameters). Without a seed for them the flow is the identity.
    """

    def gradients(kind):
        config = Config(
            modulation=modulation,
            flow=FLOW,
            base=base,
            penalty=PenaltyConfig(sharpness=1.0),
            training=TrainingConfig(batch_size=32, gradient=kind, **training),
        )
        model = build_model(target, config)
        init = partial(model.init, jax.random.key(0))
        params = random_params(init, np.random.default_rng(seed), gain=seed is not None)
        loss = partial(batch_loss, model, target, config, amplitude=amplitude)
        grad = jax.vmap(jax.grad(loss, has_aux=True), (None, 0))
        return jax.jit(grad)(params, keys)[0]

    def flat(tree):
        leaves = [np.reshape(x, (len(keys), -1)) for x in jax.tree.leaves(tree)]
        return np.concatenate(leaves, axis=1)

    path, total = gradients("path"), gradients("total")
    flow = flat(path["flow"]), flat(total["flow"])
    if modulation == "heat_bath":
        return flow, None
    return flow, (flat(path["modulation"]), flat(total["modulation"]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("modulation", "objective", "density"),
    [
        ("heat_bath", "reverse_kl", "cell"),
        ("heat_bath", "reverse_kl", "orbit"),
        ("learned", "rao_blackwell", "cell"),
        ("learned", "reinforce", "orbit"),
    ],
)
def test_path_and_total_gradients_have_the_same_mean(
    modulation, objective, density, key
):
    """Draw by draw the two differ, by a score whose mean is zero."""
    (path, total), modulations = path_and_total(
        TILTED,
        modulation,
        jax.random.split(key, 1000),
        seed=3,
        base=BaseConfig(mean=0.6, variance=3.0),
        amplitude=2.0,
        objective=objective,
        density=density,
    )
    assert np.max(np.std(path - total, axis=0)) > 0.01
    assert np.max(np.abs(np.mean(path, axis=0))) > 0.01
    assert_mean(path - total, 0.0)
    if modulations is not None:
        assert_mean(modulations[0] - modulations[1], 0.0)


@pytest.mark.parametrize(("mean", "density"), [(0.0, "cell"), (0.7, "orbit")])
def test_path_gradient_noise_vanishes_where_the_model_is_exact(mean, density, key):
    """Target and base are one Gaussian, off centre where only `orbit` is right."""
    target = Target(
        name="gaussian",
        event_shape=(2,),
        action=lambda x: jnp.sum((x - mean) ** 2) / 4,
        symmetry=Z2((2,), broken=mean != 0),
        dtype=jnp.float64,
    )
    (path, total), _ = path_and_total(
        target,
        "heat_bath",
        jax.random.split(key, 10),
        seed=None,
        base=BaseConfig(mean=mean, variance=2.0),
        amplitude=0.0,
        objective="reverse_kl",
        density=density,
    )
    assert np.max(np.abs(total)) > 0.05
    np.testing.assert_allclose(path, 0, atol=F64)


@pytest.mark.parametrize(
    ("modulation", "objective"),
    [
        ("heat_bath", "reverse_kl"),
        ("learned", "reinforce"),
        ("learned", "rao_blackwell"),
    ],
)
def test_batch_metrics_measure_the_weights(modulation, objective, key, rng):
    """A leaking flow in cell accounting: mean w = |G| Z, for sampled u or all u."""
    config = Config(
        modulation=modulation,
        flow=FLOW,
        base=BaseConfig(mean=0.6, variance=3.0),
        training=TrainingConfig(batch_size=8000, objective=objective, density="cell"),
    )
    model = build_model(TILTED, config)
    params = random_params(partial(model.init, key), rng)
    loss = jax.jit(partial(batch_loss, model, TILTED, config, amplitude=1.0))
    log_z = [loss(params, k)[1]["log_z"] for k in jax.random.split(key, 30)]
    assert_mean(np.exp(log_z), 3 * np.exp(TILTED.exact.log_z))

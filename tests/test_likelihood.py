"""Maximum likelihood on data: values, gradients, draws, training, reports."""

from dataclasses import replace
from functools import partial

import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_counts, random_params
from tolerances import F64

from sesamo_jax import (
    BaseConfig,
    Config,
    EvaluationConfig,
    RealNVPConfig,
    Target,
    TrainingConfig,
    build_model,
    build_target,
    evaluate,
    fit,
)
from sesamo_jax.config import complete
from sesamo_jax.flows import KernelConfig
from sesamo_jax.objectives.likelihood import (
    likelihood_share,
    negative_log_likelihoods,
)
from sesamo_jax.training.loss import batch_loss
from sesamo_jax.training.source import data_batch

TINY = RealNVPConfig(couplings=2, layers=0, width=4)
VARIANCE = 2.5
TARGET = Target(
    "bowl",
    (3,),
    lambda x: jnp.sum(x**2) / 2 + 0.1 * jnp.sum(x) ** 4,
    dtype=jnp.float64,
)


@pytest.fixture(scope="module", autouse=True)
def _quick_compilation():
    """These tests compile much and compute little."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def saved(tmp_path, rng):
    """Return the path of data, and the data."""
    data = rng.normal(0.4, 1.3, (50, 3))
    np.save(tmp_path / "data.npy", data)
    return str(tmp_path / "data.npy"), data


def configuration(path="data.npy", **training):
    settings = {"objective": "maximum_likelihood", "data": path, "batch_size": 16}
    return Config(
        method="realnvp",
        flow=TINY,
        base=BaseConfig(variance=VARIANCE),
        training=TrainingConfig(**settings | training),
    )


def gaussian_nll(x, variance):
    """Return -log of the density of independent Gaussians, by its formula."""
    squares = np.sum(np.asarray(x).reshape(len(x), -1) ** 2, axis=1)
    size = np.prod(np.shape(x)[1:])
    return squares / (2 * variance) + size / 2 * np.log(2 * np.pi * variance)


# Values and gradients


def test_nll_of_the_untrained_flow_is_that_of_its_base(key, rng):
    config = complete(configuration(), TARGET)
    model = build_model(TARGET, config)
    params = model.init(key)  # the identity
    data = jnp.asarray(rng.normal(size=(40, 3)))
    expected = gaussian_nll(data, VARIANCE)
    terms = negative_log_likelihoods(model, params, key, data)
    np.testing.assert_allclose(terms, expected, rtol=F64)
    loss, metrics = batch_loss(model, TARGET, config, params, key, x=data)
    np.testing.assert_allclose(loss, expected.mean(), rtol=F64)
    np.testing.assert_allclose(metrics["loss_std"], expected.std(), rtol=F64)
    assert metrics["loss"] == metrics["nll"] == loss
    # No samples of the model were drawn, and the history says so.
    assert all(np.isnan(metrics[name]) for name in ("ess", "log_z", "leak"))


def test_the_mix_is_that_of_the_single_objectives(key, rng):
    """Its gradients at lambda = 0, 1 and between, with the same key."""
    mixed = complete(configuration(likelihood_share=0.5), TARGET)
    model = build_model(TARGET, mixed)
    params = random_params(lambda: model.init(key), rng, gain=0.3)
    data = jnp.asarray(rng.normal(size=(40, 3)))

    def value_and_grad(config):
        def loss(params, share):
            return batch_loss(model, TARGET, config, params, key, None, data, share)

        compiled = jax.jit(jax.value_and_grad(loss, has_aux=True))

        def at(share):
            (value, metrics), grads = compiled(params, share)
            return value, metrics, jax.flatten_util.ravel_pytree(grads)[0]

        return at

    likelihood, data_metrics, data_grads = value_and_grad(
        complete(configuration(), TARGET)
    )(1.0)
    plain = configuration(objective="reverse_kl", data=None, density="orbit")
    reverse, metrics, reverse_grads = value_and_grad(complete(plain, TARGET))(1.0)
    mix_at = value_and_grad(mixed)
    assert np.linalg.norm(data_grads - reverse_grads) > 0.1
    for share in (0.0, 0.3, 1.0):
        value, mix_metrics, grads = mix_at(share)
        np.testing.assert_allclose(
            value, share * likelihood + (1 - share) * reverse, rtol=F64
        )
        np.testing.assert_allclose(
            grads, share * data_grads + (1 - share) * reverse_grads, atol=F64
        )
        for name in ("ess", "log_z", "leak"):
            np.testing.assert_allclose(mix_metrics[name], metrics[name], rtol=F64)
        spread = np.hypot(
            share * data_metrics["loss_std"], (1 - share) * metrics["loss_std"]
        )
        np.testing.assert_allclose(mix_metrics["loss_std"], spread, rtol=F64)
        np.testing.assert_allclose(mix_metrics["nll"], likelihood, rtol=F64)


def test_the_share_falls_linearly_from_one_to_its_end():
    training = TrainingConfig(steps=5, likelihood_share=0.2)
    shares = [float(likelihood_share(training, jnp.int32(i))) for i in range(5)]
    np.testing.assert_allclose(shares, [1, 0.8, 0.6, 0.4, 0.2])
    alone = likelihood_share(TrainingConfig(steps=1), jnp.int32(0))
    assert float(alone) == 1


def test_all_data_are_drawn_with_the_same_probability(key):
    """First, last and any other; by the key alone."""
    data = jnp.arange(7.0)[:, None]
    training = TrainingConfig(batch_size=70_000)
    x = data_batch(TARGET, training, key, data)
    assert x.shape == (70_000, 1)
    assert_counts(np.bincount(np.asarray(x[:, 0], int), minlength=7), np.full(7, 1 / 7))
    # Draws are independent: neighbours agree as often as any two.
    same = int(jnp.sum(x[1:] == x[:-1]))
    assert_counts([same], [1 / 7], total=69_999)
    np.testing.assert_array_equal(x, data_batch(TARGET, training, key, data))
    other = data_batch(TARGET, training, jax.random.fold_in(key, 1), data)
    assert_counts([int(jnp.sum(x == other))], [1 / 7], total=70_000)


def test_augmented_data_have_the_same_energies(key, rng):
    target = build_target("lj13", dtype="float64")
    data = jnp.asarray(rng.normal(size=(3, 12, 3)))
    training = TrainingConfig(batch_size=8)
    plain = data_batch(target, training, key, data)
    moved = data_batch(target, replace(training, augment=True), key, data)
    energies = jax.jit(jax.vmap(target.action))
    np.testing.assert_allclose(energies(moved), energies(plain), rtol=1e-8)
    # Each draw moves in its own way.
    deviations = np.abs(np.asarray(moved - plain)).max(axis=(1, 2))
    assert np.all(deviations > 0.1)
    assert len(np.unique(deviations)) == 8


# Training


@pytest.mark.slow
@pytest.mark.parametrize("share", [1.0, 0.4])
def test_training_on_data(saved, share):
    """Descent, an ensemble, one compilation, and a resumed run that is the same."""
    path, _ = saved
    config = configuration(
        path, steps=25, chunk=10, learning_rate=0.05, likelihood_share=share
    )
    model = build_model(TARGET, config)
    kept, compilations, compiled = [], [], []

    def listen(event, duration, **details):
        if "backend_compile" in event:
            compiled.append(event)

    def on_chunk(states, row):
        compilations.append(len(compiled))
        kept.append(jax.tree.map(jnp.copy, states))
        compiled.clear()

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        result = fit(model, TARGET, config, [1, 4], on_chunk=on_chunk)
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert compilations[0] >= 1
    assert compilations[1:] == [0, 0]
    nll = result.history["nll"]
    assert nll.shape == (3, 2)
    # The reverse KL pulls away from these data.
    assert share < 1 or np.all(nll[-1] < nll[0])
    assert len(np.unique(nll)) == 6
    assert np.all(np.isnan(result.history["ess"]) == (share == 1))
    assert np.all(np.isfinite(result.history["loss_std"]))
    assert not result.history["nonfinite_steps"].any()

    resumed = fit(model, TARGET, config, [1, 4], states=kept[0])
    for one, other in zip(
        jax.tree.leaves(resumed.params), jax.tree.leaves(result.params), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(resumed.history["loss"], result.history["loss"][1:])


def test_a_learned_law_learns_the_shares_of_the_data(tmp_path, rng):
    """Which needs no score functions: the likelihood sums over the orbit."""
    target = build_target("gmm", modes=3, radius=3.0, dtype="float64", breaking=0.1)
    modes = np.repeat([0, 1, 2], [60, 25, 15])
    angles = 2 * np.pi * modes / 3
    centres = 3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    np.save(tmp_path / "data.npy", centres + 0.5 * rng.normal(size=(100, 2)))
    config = Config(
        modulation="learned",
        flow=replace(TINY, couplings=1),
        training=TrainingConfig(
            objective="maximum_likelihood",
            data=str(tmp_path / "data.npy"),
            batch_size=100,
            steps=250,
            chunk=250,
            learning_rate=0.05,
        ),
    )
    result = fit(build_model(target, config), target, config)
    logits = result.params["modulation"]["params"]["logits"].ravel()
    found = np.sort(np.asarray(jax.nn.softmax(logits)))
    np.testing.assert_allclose(found, [0.15, 0.25, 0.6], atol=0.04)


# Reports


@pytest.mark.slow
def test_nll_of_held_out_particles_is_normalised(tmp_path, key, rng):
    """In (N - 1) D dimensions, by a flow that stands still; with the forward ESS."""
    target = build_target("dw4", dtype="float64")
    x = rng.normal(0, 1.5, (11, 4, 2))
    np.save(tmp_path / "x.npy", x - x.mean(axis=1, keepdims=True))
    config = Config(
        method="realnvp",
        flow=KernelConfig(kernels=3, time_kernels=2, gain=0.0, steps=1),
        base=BaseConfig(variance=1.7),
        evaluation=EvaluationConfig(
            samples=20, batch_size=4, tolerance=1e-3, data=str(tmp_path / "x.npy")
        ),
    )
    model = build_model(target, config)
    found = evaluate(model, target, config, model.init(key), key)
    centred = x - x.mean(axis=1, keepdims=True)
    terms = np.sum(centred**2, axis=(1, 2)) / (2 * 1.7) + 3 * np.log(2 * np.pi * 1.7)
    assert found["nll"] == pytest.approx(terms.mean(), rel=F64)
    assert found["nll_error"] == pytest.approx(terms.std(ddof=1) / 11**0.5, rel=F64)
    coordinates = np.load(tmp_path / "x.npy")
    helmert = np.linalg.svd(np.ones((1, 4)))[2][1:]  # any basis: actions are the same
    log_w = terms - jax.vmap(target.action)(helmert @ coordinates)
    expected = 1 / (np.mean(np.exp(log_w)) * np.mean(np.exp(-log_w)))
    assert found["forward_ess"] == pytest.approx(expected, rel=1e-6)
    assert found["forward_from"] == "data"


def test_exact_samples_stay_those_of_the_forward_ess(tmp_path, key, rng):
    target = build_target("gmm", modes=3, radius=2.0, dtype="float64")
    data = rng.normal(0, 5, (30, 2))
    np.save(tmp_path / "data.npy", data)
    config = Config(
        method="realnvp",
        flow=TINY,
        base=BaseConfig(variance=3.0),
        evaluation=EvaluationConfig(samples=50, data=str(tmp_path / "data.npy")),
    )
    model = build_model(target, config)
    judge = partial(evaluate, model, target, params=model.init(key), key=key)
    found = judge(config=config)
    assert found["nll"] == pytest.approx(gaussian_nll(data, 3.0).mean(), rel=F64)
    assert found["forward_from"] == "exact samples"
    without = judge(config=replace(config, evaluation=EvaluationConfig(samples=50)))
    assert found["forward_ess"] == without["forward_ess"]
    assert without["nll"] is without["nll_error"] is None

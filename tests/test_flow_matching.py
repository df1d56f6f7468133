"""Flow matching: nearest images, its regression where it is known, trained flows."""

from dataclasses import replace
from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import random_params

from sesamo_jax import BaseConfig, Config, TrainingConfig, build_model, build_target
from sesamo_jax.config import complete
from sesamo_jax.flows import BlackBoxConfig, EquivariantGraphConfig, KernelConfig
from sesamo_jax.geometry.particles import coordinates, pair_distances, positions
from sesamo_jax.objectives.flow_matching import aligned, squared_errors
from sesamo_jax.training.fit import fit
from sesamo_jax.training.loss import batch_loss
from sesamo_jax.training.source import data_batch

nearest = jax.jit(aligned)


def configuration(path="x.npy", **fields):
    training = {"objective": "flow_matching", "data": str(path), "batch_size": 64}
    flow = EquivariantGraphConfig(width=12, layers=2, bumps=8)
    fields = {"method": "realnvp", "flow": flow} | fields
    training |= fields.pop("training", {})
    return Config(training=TrainingConfig(**training), **fields)


# Nearest images


def distance_by_svd(x, goal):
    """Return the least distance over all images, each turned by Kabsch's rotation."""
    known = []
    for order in permutations(range(len(x))):
        image = x[list(order)]
        u, _, v = np.linalg.svd(image.T @ goal)  # u v may reflect: O(2)
        known.append(np.sum((image @ u @ v - goal) ** 2))
    return min(known)


@pytest.mark.parametrize("particles", [2, 3, 4])
def test_the_image_is_the_nearest_of_all(particles, rng):
    """And keeps all distances. Asymmetric: no image is as near as another."""
    for _ in range(20):
        y, goal = rng.normal(size=(2, particles - 1, 2))
        image = nearest(y, goal)
        expected = distance_by_svd(np.array(positions(y)), np.array(positions(goal)))
        assert np.sum((y - goal) ** 2) > expected + 1e-6
        np.testing.assert_allclose(np.sum((image - goal) ** 2), expected, atol=1e-12)
        np.testing.assert_allclose(
            np.sort(pair_distances(image)), np.sort(pair_distances(y)), atol=1e-12
        )


def test_an_image_is_brought_back_to_where_it_came_from(rng):
    """By a permutation that is not its own inverse, a rotation and a reflection."""
    x = np.array(positions(rng.normal(size=(3, 2))))
    turn = np.array([[0.6, 0.8], [0.8, -0.6]])
    moved = x[[2, 0, 3, 1]] @ turn
    assert np.max(np.abs(moved - x)) > 0.1
    image = positions(nearest(coordinates(moved), coordinates(x)))
    np.testing.assert_allclose(image, x, atol=1e-12)


def test_nearest_images_do_not_depend_on_the_image_they_start_from(rng):
    y, goal = rng.normal(size=(2, 3, 2))
    x = np.array(positions(y))
    turn = np.array([[0.28, 0.96], [0.96, -0.28]])
    moved = coordinates(x[[1, 3, 0, 2]] @ turn)
    np.testing.assert_allclose(nearest(moved, goal), nearest(y, goal), atol=1e-12)
    # Turned towards an image of the goal, it is that image of the nearest.
    order = [3, 0, 2, 1]
    other = coordinates(np.array(positions(goal))[order] @ turn)
    expected = np.array(positions(nearest(y, goal)))[order] @ turn
    np.testing.assert_allclose(positions(nearest(y, other)), expected, atol=1e-12)


def test_there_is_no_torque_along_the_path_to_the_nearest_image(rng):
    """Which is why forces along the lines between particles are enough."""
    y, goal = rng.normal(size=(2, 3, 2))
    x, end = np.array(positions(goal)), np.array(positions(nearest(y, goal)))
    middle, v = (x + end) / 2, end - x
    turning = middle[:, 0] * v[:, 1] - middle[:, 1] * v[:, 0]
    assert np.max(np.abs(turning)) > 0.01
    assert abs(turning.sum()) < 1e-12


# The regression


def two_particles(**fields):
    target = build_target("dw2", dtype="float64")
    config = complete(configuration(**fields), target)
    return target, config, build_model(target, config)


@pytest.mark.slow
def test_the_loss_is_zero_at_the_known_velocity_and_not_elsewhere(key, rng):
    """Data at one distance r: y moves straight out or in, from where it started."""
    target, config, model = two_particles(base=BaseConfig(variance=1.7))
    r = 2.5
    angle = rng.uniform(0, 2 * np.pi, 30)
    data = r * np.stack([np.cos(angle), np.sin(angle)], axis=1)[:, None]
    params = model.init(key)
    x = data_batch(target, config.training, key, jnp.asarray(data))

    def known(params, t, y):
        size = jnp.linalg.norm(y, axis=(1, 2), keepdims=True)
        start = (size - t[:, None, None] * r) / (1 - t[:, None, None])
        return (r - start) * y / size

    def errors(velocity):
        own = model._replace(transport=model.transport._replace(velocity=velocity))
        return np.asarray(squared_errors(own, params, key, x))

    # Near t = 1 the start cannot be told from y, and a few paths cross the origin.
    assert np.median(errors(known)) < 1e-20
    assert np.mean(errors(known) < 1e-12) > 0.9
    standing = errors(model.transport.velocity)  # as the flow begins
    assert standing.shape == (64,)
    assert np.mean(standing) > 0.1
    # Of z ~ N(0, 1.7) in the plane: E (|z| - r)^2 with E|z| = (pi 1.7 / 2)^(1/2).
    expected = 2 * 1.7 - 2 * r * (np.pi * 1.7 / 2) ** 0.5 + r**2
    error = standing.std(ddof=1) / 8
    assert abs(standing.mean() - expected) < 5 * error


@pytest.mark.parametrize(
    "flow",
    [
        KernelConfig(kernels=6, time_kernels=3, reach=5.0, width=1.5, steps=20),
        BlackBoxConfig((6, 5), 20),
        EquivariantGraphConfig(width=6, layers=2, bumps=6, steps=20),
    ],
    ids=lambda flow: type(flow).__name__,
)
def test_the_velocity_is_that_of_the_samples(flow, key, rng):
    """In the target's lengths, where the flow measures in units of the base's width."""
    target = build_target("dw4", dtype="float64")
    config = complete(configuration(flow=flow, base=BaseConfig(variance=2.3)), target)
    model = build_model(target, config)
    params = random_params(lambda: model.init(key), rng, gain=0.6)
    samples = model.sample(params, key, 5)
    y = model.transport.prior(params, jax.random.split(key)[0], 5)
    assert np.max(np.abs(y - samples.y)) > 0.1
    velocity = jax.jit(model.transport.velocity)
    steps = 60
    for i in range(steps):  # the midpoint rule
        t = jnp.full(5, i / steps)
        middle = y + velocity(params, t, y) / (2 * steps)
        y = y + velocity(params, t + 1 / (2 * steps), middle) / steps
    np.testing.assert_allclose(y, samples.y, atol=5e-3)


# Training


@pytest.mark.slow
def test_a_trained_flow_has_the_density_of_gaussian_data(tmp_path, rng):
    """Of variance 2.25, from a base of 1: log q against the exact one."""
    np.save(tmp_path / "data.npy", 1.5 * rng.normal(size=(20_000, 2, 2)))
    target = build_target("dw4", particles=3)
    training = {"steps": 400, "chunk": 200, "learning_rate": 0.01, "batch_size": 512}
    config = configuration(tmp_path / "data.npy", training=training)
    model = build_model(target, config)
    result = fit(model, target, config)
    assert np.all(np.isnan(result.history["ess"]))
    assert np.all(result.history["loss"][1] < result.history["loss"][0])
    params = jax.tree.map(lambda leaf: leaf[0], result.params)
    x = 1.5 * rng.normal(size=(500, 2, 2))
    log_p = -np.sum(x**2, axis=(1, 2)) / 4.5 - 2 * np.log(2 * np.pi * 2.25)
    log_q = jax.jit(model.log_prob)(params, jnp.asarray(x, jnp.float32))
    untrained = -np.sum(x**2, axis=(1, 2)) / 2 - 2 * np.log(2 * np.pi)
    assert np.mean(log_p - untrained) > 0.7
    assert np.mean(log_p - log_q) < 0.05
    assert np.median(np.abs(log_p - log_q)) < 0.15


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_a_share_mixes_it_with_the_reverse_kl(share, rng, key):
    """By the same batch of data and the same samples of the model."""
    target = build_target("dw4")
    both = complete(configuration(training={"likelihood_share": 0.5}), target)
    alone = replace(both.training, objective="reverse_kl", data=None)
    model = build_model(target, both)
    start = model.init(key)
    params = jax.tree.map(
        lambda a, b: (a + 0.2 * b).astype(a.dtype),
        start,
        random_params(lambda: start, rng),
    )
    x = jnp.asarray(rng.normal(size=(16, 3, 2)), jnp.float32)
    terms = (model, target, both, params, key)
    found, metrics = jax.jit(lambda: batch_loss(*terms, x=x, share=share))()
    plain = replace(both, training=replace(alone, likelihood_share=1.0))
    reverse, known = jax.jit(lambda: batch_loss(model, target, plain, params, key))()
    errors = jnp.mean(jax.jit(squared_errors, static_argnums=0)(model, params, key, x))
    assert float(found) == pytest.approx(
        float(share * errors + (1 - share) * reverse), rel=1e-4
    )
    assert float(metrics["ess"]) == pytest.approx(float(known["ess"]), rel=1e-4)
    assert "nll" not in metrics


# What it cannot do

WRONG = {
    "no data": (
        configuration(training={"data": None}),
        "dw4",
        "objective 'flow_matching' trains on data: set training.data",
    ),
    "method": (
        configuration(method="sesamo"),
        "dw4",
        "trains a flow alone, which method 'sesamo' is not: use method 'flow'",
    ),
    "no particles": (
        configuration(),
        "gmm_broken",
        "and 'gmm_broken' has none: use 'maximum_likelihood'",
    ),
    "many particles in space": (
        configuration(),
        "lj13",
        "and 'lj13' has 13 in 3 dimensions: use 'maximum_likelihood'",
    ),
    "no velocity": (
        Config(method="realnvp", training=configuration().training),
        "dw4",
        "which flow RealNVP does not have: use flow.name=equivariant_graph",
    ),
    "base off centre": (
        configuration(base=BaseConfig(mean=0.5)),
        "dw4",
        "not base.kind='gaussian' with base.mean=0.5: leave both out",
    ),
    "lattice base": (
        configuration(base=BaseConfig(kind="spectral")),
        "dw4",
        "not base.kind='spectral' with base.mean=None: leave both out",
    ),
    "augmented": (
        configuration(training={"augment": True}),
        "dw4",
        "training.augment=True does nothing for objective 'flow_matching'",
    ),
}


@pytest.mark.parametrize(("config", "name", "words"), WRONG.values(), ids=WRONG)
def test_what_it_cannot_do_is_refused(config, name, words):
    with pytest.raises(ValueError, match=r"\w") as error:
        complete(config, build_target(name))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_complete_configuration_stays_as_it_is():
    target = build_target("dw4")
    config = complete(configuration(), target)
    assert complete(config, target) == config
    assert config.training.objective == "flow_matching"

"""Training on chains: samples of p, moved inside the step, resumed to the bit."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sesamo_jax import (
    BaseConfig,
    Config,
    RealNVPConfig,
    Target,
    TrainingConfig,
    build_model,
    build_target,
    fit,
)
from sesamo_jax.config import complete, resolve
from sesamo_jax.reference import HMCConfig
from sesamo_jax.run.checkpoint import Checkpoints
from sesamo_jax.training.source import build_source, start_source
from sesamo_jax.training.state import init_states, restorable

SHARES = np.array([0.55, 0.3, 0.15])
RADIUS, STD = 6.0, 0.5


def three_modes():
    """Return a mixture of three modes far apart, of unequal weight, that know no u."""
    angles = 2 * np.pi * np.arange(3) / 3
    centres = RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    symmetry = build_target("gmm", modes=3, radius=RADIUS, dtype="float64").symmetry

    def action(x):
        squares = jnp.sum((x - centres) ** 2, axis=1) / (2 * STD**2)
        return -jax.nn.logsumexp(jnp.log(SHARES) - squares)

    return Target(
        "three modes", (2,), action, replace(symmetry, broken=True), jnp.float64, 9.0
    )


TARGET = three_modes()
LOG_Z = np.log(2 * np.pi * STD**2)


def configuration(**training):
    settings = {
        "objective": "maximum_likelihood",
        "data": "chains",
        "batch_size": 64,
        "steps": 24,
        "chunk": 12,
    }
    return Config(
        method="flow",
        flow=RealNVPConfig(couplings=2, layers=0, width=4),
        base=BaseConfig(variance=9.0),
        training=TrainingConfig(**settings | training),
        hmc=HMCConfig(leapfrog_steps=3, warmup=60),
    )


@pytest.fixture(scope="module")
def trained():
    """Return a model, its configuration, the states after each chunk, the result."""
    config = complete(configuration(), TARGET)
    model = build_model(TARGET, config)
    kept = []
    result = fit(
        model,
        TARGET,
        config,
        [2, 5],
        on_chunk=lambda states, row: kept.append(jax.tree.map(jnp.copy, states)),
    )
    return model, config, kept, result


def test_a_batch_is_a_sample_of_the_target(key):
    """Of all modes by their weight, wherever chains fell at first; and their spread."""
    config = complete(configuration(batch_size=800), TARGET)
    source = build_source(TARGET, config)
    states = start_source(source, key[None])
    one = jax.tree.map(lambda leaf: leaf[0], states)
    draw = jax.jit(source.draw)
    batches = []
    for step in range(4):
        one, x, metrics = draw(jax.random.fold_in(key, step), one, None)
        batches.append(np.asarray(x))
        assert 0.5 < metrics["chain_acceptance"] <= 1
    sector = np.asarray(jax.vmap(TARGET.symmetry.sector)(batches[-1]))
    counts = np.bincount(sector, minlength=3)
    expected = 800 * SHARES
    assert np.all(np.abs(counts - expected) < 5 * np.sqrt(expected * (1 - SHARES)))
    home = jax.vmap(TARGET.symmetry.undo)(sector, batches[-1])
    # 1,600 normal components: their variance is known to 2 / 1,600 of itself, squared.
    variance = np.var(np.asarray(home), axis=0).mean() / STD**2
    assert abs(variance - 1) < 5 * np.sqrt(2 / 1600)
    assert np.mean(np.all(batches[0] == batches[1], axis=1)) < 0.3  # refused


def test_chains_advance_with_the_training(trained):
    _, config, kept, result = trained
    before, after = kept[0].source, kept[1].source
    assert before.states.position.shape == (2, 64, 2)
    stayed = np.asarray(before.states.position) == after.states.position
    assert np.mean(stayed) < 0.01
    assert result.history["chain_acceptance"].shape == (2, 2)
    # Seeds have chains of their own.
    assert not np.any(after.states.position[0] == after.states.position[1])
    nll = result.history["nll"]
    assert np.all(nll[1] < nll[0])


def test_a_resumed_training_is_the_same_to_the_bit(trained, tmp_path):
    """From a checkpoint on the disk, into states that never moved."""
    model, config, kept, result = trained
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(kept[0], {"wall": 0.0, "compile": 0.0})
    like = restorable(init_states(model, config, [2, 5]), TARGET, config)
    states, _ = checkpoints.restore(like)
    checkpoints.close()
    resumed = fit(model, TARGET, config, [2, 5], states=states)
    for one, other in zip(
        jax.tree.leaves(resumed.states._replace(key=0)),
        jax.tree.leaves(result.states._replace(key=0)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_every_evaluation_is_counted(key):
    """By the action itself, from where chains begin to the third batch."""
    counted = []

    def action(x):
        jax.debug.callback(lambda _: counted.append(1), x[0])
        return jnp.sum(x**2) / 2

    target = Target("bowl", (2,), action, dtype=jnp.float64)
    config = complete(
        replace(
            configuration(batch_size=5, steps=3, chunk=3),
            hmc=HMCConfig(leapfrog_steps=2, warmup=4),
        ),
        target,
    )
    source = build_source(target, config)
    states = start_source(source, key[None])
    draw = jax.jit(jax.vmap(source.draw, (0, 0, None)))
    for step in range(3):
        states, *_ = draw(jax.random.fold_in(key, step)[None], states, None)
    jax.effects_barrier()
    (calls,) = source.calls(states, 3)
    assert calls.gradients == calls.energies == len(counted)


def test_data_from_a_file_carry_nothing(tmp_path):
    """So that checkpoints are those of before."""
    config = configuration(data="x.npy")
    states = init_states(build_model(TARGET, config), config, [0])
    assert states.source == restorable(states, TARGET, config).source == ()


@pytest.mark.slow  # trains a flow that is large enough
def test_a_mixed_loss_learns_the_normalisation(key):
    """Which three modes far apart hide from samples of a flow alone."""
    config = configuration(
        likelihood_share=0.5, steps=300, chunk=300, learning_rate=0.02
    )
    config = replace(config, flow=RealNVPConfig(couplings=6, layers=1, width=24))
    model = build_model(TARGET, config)
    result = fit(model, TARGET, config, 1)
    params = jax.tree.map(lambda leaf: leaf[0], result.params)
    samples = jax.jit(model.sample, static_argnums=2)(params, key, 4000)
    w = np.exp(-np.asarray(jax.vmap(TARGET.action)(samples.x)) - samples.log_q)
    sector = np.asarray(jax.vmap(TARGET.symmetry.sector)(samples.x))
    # Z of each mode: all have been found.
    for mode, share in enumerate(SHARES):
        own = np.where(sector == mode, w, 0)
        error = own.std(ddof=1) / len(w) ** 0.5
        assert error < 0.1 * own.mean()
        assert abs(own.mean() - share * np.exp(LOG_Z)) < 5 * error


def test_chains_alone_ask_for_the_mix_that_finds_all_and_sharpens():
    config = resolve("hubbard", settings={"training.data": "chains"}).config
    assert config.training.objective == "maximum_likelihood"
    assert config.training.likelihood_share == 0.5
    # A mixture of flows takes the likelihood alone.
    mixture = {"method": "vmonf", "training.data": "chains"}
    config = resolve("gmm_broken", settings=mixture).config
    assert complete(config, build_target("gmm_broken")).training.likelihood_share == 1


# What cannot be


def test_chains_that_do_not_move_are_refused_before_training():
    wall = Target("wall", (2,), lambda x: 1e12 * jnp.sum(x**2) ** 4, dtype=jnp.float64)
    config = complete(configuration(), wall)
    config = replace(config, hmc=HMCConfig(leapfrog_steps=30, warmup=3))
    with pytest.raises(ValueError, match=r"chains are stuck.*raise hmc\.warmup"):
        fit(build_model(wall, config), wall, config, 1)


@pytest.mark.parametrize(
    ("target", "settings", "words"),
    [
        (
            "gmm",
            {"training.data": "chains", "training.objective": "reverse_kl"},
            "training.data='chains' is for training.objective=",
        ),
        (
            "gmm",
            {"hmc.leapfrog_steps": 4},
            "method=hmc, or training.data=chains",
        ),
        (
            "gmm",
            {
                "training.data": "chains",
                "training.objective": "maximum_likelihood",
                "hmc.samples": 4,
            },
            "it is for method=hmc",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(target, settings, words):
    def prepare():
        run = resolve(target, settings={"method": "flow"} | settings)
        complete(run.config, build_target(target))

    with pytest.raises(ValueError, match=r"\w") as error:
        prepare()
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_moves_that_there_are_not_are_refused():
    bowl = Target("bowl", (2,), lambda x: jnp.sum(x**2), dtype=jnp.float64)
    config = replace(configuration(), hmc=HMCConfig(modulation=True))
    with pytest.raises(ValueError, match="declares no symmetry to move along"):
        complete(config, bowl)

"""Wells that are no images of each other: maps, densities, chains, refusals."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_counts, assert_mean, grid, random_params
from tolerances import F64, SIGMAS

from sesamo_jax import train
from sesamo_jax.config import BaseConfig, Config, TrainingConfig, build_model, complete
from sesamo_jax.core import Target
from sesamo_jax.flows import RealNVPConfig
from sesamo_jax.modulation import build_law
from sesamo_jax.reference.move import nothing
from sesamo_jax.reference.moves import build_moves, orbit_move
from sesamo_jax.symmetries import Wells, find_wells, wells_at
from sesamo_jax.symmetries.wells.minima import quench
from sesamo_jax.training.loss import batch_loss

MINIMA = np.array([[-1.5, 0.4], [1.2, -0.3], [0.8, 2.0]])
HESSIANS = np.array(
    [[[2.0, 0.5], [0.5, 1.0]], [[4.0, -1.0], [-1.0, 3.0]], [[1.5, 0.0], [0.0, 5.0]]]
)
DEPTHS = np.array([0.3, 0.0, 0.9])
MASSES = np.exp(-DEPTHS) * 2 * np.pi / np.sqrt(np.linalg.det(HESSIANS))


def action(x):
    """Three Gaussians of different shape, which overlap."""
    away = x - MINIMA
    return -jax.nn.logsumexp(
        -jnp.einsum("ki,kij,kj->k", away, jnp.asarray(HESSIANS), away) / 2 - DEPTHS
    )


WELLS = Wells(
    MINIMA,
    DEPTHS,
    np.stack([np.linalg.inv(np.linalg.cholesky(h)).T for h in HESSIANS]),
)
TARGET = Target("three", (2,), action, WELLS, jnp.float64)
SMOOTH = RealNVPConfig(2, 1, 8, "tanh", shared=True, log_scale_bound=0.3)


@cache
def leaking(modulation):
    base = BaseConfig(mean=0.4, variance=2.0)
    config = Config(modulation=modulation, flow=SMOOTH, base=base)
    model = build_model(TARGET, config)
    init = partial(model.init, jax.random.key(0))
    params = random_params(init, np.random.default_rng(3))
    return model, params, jax.jit(partial(model.log_prob, params))


NODES, VOLUME = grid(9.0, 180)


@pytest.mark.parametrize("modulation", ["heat_bath", "learned"])
def test_log_prob_integrates_to_one_and_governs_the_draws(modulation):
    model, params, log_prob = leaking(modulation)
    p = np.exp(log_prob(NODES)) * VOLUME
    np.testing.assert_allclose(p.sum(), 1, atol=1e-6)
    samples = jax.jit(partial(model.sample, n=len(NODES)))(params, jax.random.key(1))
    for moment in (lambda x: x, lambda x: x**2, lambda x: np.sin(x) * x[:, ::-1]):
        assert_mean(moment(np.asarray(samples.x)), p @ moment(NODES))
    log_q = log_prob(samples.x)
    assert np.all(log_q >= samples.log_q - F64)
    drawn = jax.jit(model.log_prob)(params, samples.x, samples)
    np.testing.assert_allclose(log_q, drawn, atol=F64)
    assert model.leaked is None


def test_the_law_weighs_wells_by_their_volume(key):
    """At y = 0 with the masses that a harmonic well has, exp(-f) |det L|."""
    law = build_law("heat_bath", TARGET)
    y = jnp.array([0.3, -0.2])
    log_probs = jax.jit(lambda y: law.apply({}, y, method="log_probs"))(y)
    images = [np.asarray(WELLS.act(u, y)[0]) for u in range(3)]
    weights = [
        np.exp(-float(action(x))) / np.sqrt(np.linalg.det(h))
        for x, h in zip(images, HESSIANS, strict=True)
    ]
    np.testing.assert_allclose(np.exp(log_probs), weights / np.sum(weights), atol=F64)
    x = jnp.array([0.1, 0.5])
    into = jax.jit(lambda x: law.apply({}, x, method="log_probs_into"))(x)
    of = jax.jit(lambda y: law.apply({}, y, method="log_probs"))
    expected = [of(WELLS.undo(u, x))[u] for u in range(3)]
    np.testing.assert_allclose(into, expected, atol=F64)


@pytest.mark.slow  # compiles much
def test_training_follows_the_gradient_of_the_divergence():
    """The draw of u depends on the flow: its score is a part of the gradient."""
    config = Config(
        flow=SMOOTH,
        base=BaseConfig(mean=0.4, variance=2.0),
        training=TrainingConfig(batch_size=40_000, gradient="total"),
    )
    model, params, _ = leaking("heat_bath")
    config = complete(config, TARGET)
    assert config.training.objective == "reinforce"

    def divergence(params):
        log_q = model.log_prob(params, jnp.asarray(NODES))
        f = jax.vmap(action)(jnp.asarray(NODES))
        return jnp.sum(jnp.exp(log_q) * (log_q + f)) * VOLUME

    loss = jax.jit(jax.grad(lambda p, k: batch_loss(model, TARGET, config, p, k)[0]))
    exact, _ = jax.flatten_util.ravel_pytree(jax.jit(jax.grad(divergence))(params))
    found = np.array(
        [
            jax.flatten_util.ravel_pytree(loss(params, jax.random.key(i)))[0]
            for i in range(6)
        ]
    )
    along = found @ exact / (exact @ exact)
    error = along.std(ddof=1) / np.sqrt(6)
    assert abs(along.mean() - 1) < SIGMAS * error
    assert error < 0.02


@pytest.mark.slow  # compiles much
def test_chains_between_wells_leave_exact_samples_as_they_are(key):
    """Shares of wells and moments stay; a draw without its weights would move them."""
    count = 40_000
    mode_key, noise_key, step_key = jax.random.split(key, 3)
    mode = jax.random.choice(
        mode_key, 3, (count,), p=jnp.asarray(MASSES / MASSES.sum())
    )
    noise = jax.random.normal(noise_key, (count, 2))
    x = jax.vmap(WELLS.act)(mode, noise)[0]
    (move,) = build_moves(TARGET, None)
    step = jax.jit(jax.vmap(lambda k, x: move.step(k, x, action, nothing)))
    there, rates, _ = step(jax.random.split(step_key, count), x)
    sector = jax.jit(jax.vmap(WELLS.sector))
    before, after = sector(x), sector(there)
    assert np.mean(before != after) > 0.4
    np.testing.assert_array_equal(rates, 1)
    for g in (lambda x: x, lambda x: x**2, lambda x: np.sin(2 * x) * x[:, ::-1]):
        assert_mean(g(np.asarray(there)) - g(np.asarray(x)), 0)
    p = np.exp(-jax.vmap(action)(jnp.asarray(NODES))) * VOLUME
    shares = np.bincount(sector(NODES), p / p.sum(), 3)
    assert_counts(np.bincount(after, minlength=3), shares)


def test_a_draw_among_all_pairs_would_be_no_gibbs_update(key):
    """T_v T_u^-1 x of all u, v with weights exp(-f) |det| do not lead back."""
    assert orbit_move(TARGET).name == "orbit"
    count = 40_000
    mode_key, noise_key, step_key = jax.random.split(key, 3)
    mode = jax.random.choice(
        mode_key, 3, (count,), p=jnp.asarray(MASSES / MASSES.sum())
    )
    x = jax.vmap(WELLS.act)(mode, jax.random.normal(noise_key, (count, 2)))[0]

    def step(key, x):
        def image(u, v):
            there, log_vol = WELLS.act(v, WELLS.undo(u, x))
            return there, action(there) - log_vol + WELLS.act(u, x)[1]

        u, v = jnp.divmod(jnp.arange(9), 3)
        images, actions = jax.vmap(image)(u, v)
        return images[jax.random.categorical(key, -actions)]

    there = jax.jit(jax.vmap(step))(jax.random.split(step_key, count), x)
    difference = np.asarray(there**2 - x**2)
    pulls = difference.mean(axis=0) / difference.std(axis=0) * np.sqrt(count)
    assert np.max(np.abs(pulls)) > 2 * SIGMAS


@pytest.mark.slow  # compiles much
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_minima_are_found_and_merged(dtype, rng):
    """Tilted double wells of two components: two minima, two saddles between them."""

    def double(x):
        x = x.astype(dtype)
        return 3 * (x[0] ** 2 - 1) ** 2 + 0.4 * x[0] + (x[1] - 0.5 * x[0]) ** 2

    starts = np.concatenate([rng.normal(0, 2, (30, 2)), [[0.0333, 0.0]]])
    wells = find_wells(double, starts)
    assert wells.order == 2
    assert wells.energies[0] < wells.energies[1]
    cubic = np.roots([12, 0, -12, 0.4])
    expected = np.sort(cubic.real)[[0, 2]]
    np.testing.assert_allclose(wells.minima[:, 0], expected, atol=2e-3)
    np.testing.assert_allclose(wells.minima[:, 1], expected / 2, atol=2e-3)
    hessian = np.array([[36 * expected[0] ** 2 - 12 + 0.5, -1.0], [-1.0, 2.0]])
    found = np.linalg.inv(wells.spreads[0] @ wells.spreads[0].T)
    np.testing.assert_allclose(found, hessian, rtol=2e-2)
    np.testing.assert_allclose(wells.spreads[0], wells.spreads[0].T)
    assert find_wells(double, starts, deepest=0.1).order == 1


@pytest.mark.slow  # trains to an ESS of 0.99
def test_seven_wells_of_the_page_are_sampled_well(experiment):
    target = experiment("symmetries.targets").seven_wells()
    settings = {"training.steps": 600, "training.batch_size": 256}
    sampler = train(target, settings, progress=False).samplers[0]
    report = sampler.report(jax.random.key(100))
    assert report["ess"] >= 0.99
    # 100,000 samples: the error of log Z at that ESS is 0.0003, of rounding 0.0001
    assert abs(report["log_z"] - target.exact.log_z) < 0.002


def test_a_quench_keeps_the_shape_of_events():
    ends = quench(lambda x: jnp.sum((x - 1) ** 2), np.zeros((2, 2, 3)))
    np.testing.assert_allclose(ends, np.ones((2, 2, 3)), atol=1e-6)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: wells_at(lambda x: x[0] ** 2 - x[1] ** 2, [[0.0, 0.0]]),
            r"does not rise in all directions from \[0. 0.\], its curvatures begin",
        ),
        (
            lambda: wells_at(lambda x: (jnp.sum(x**2) - 1) ** 2, [[1.0, 0.0]]),
            "fix what a continuous symmetry moves",
        ),
        (lambda: wells_at(action, [1.0, 0.0]), r"of shape \(wells, \*event_shape\)"),
        (
            lambda: find_wells(lambda x: x[0] - x[0] ** 2, np.ones((3, 1))),
            "none of 3 starts comes to rest at a minimum",
        ),
    ],
)
def test_what_is_no_well_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (Config(method="canonicalization"), "needs the cell of a group: use 'sesamo'"),
        (Config(density="strict"), "no cells for density='strict': use 'orbit'"),
        (
            Config(training=TrainingConfig(density="cell")),
            "no cells for training.density='cell': use 'orbit'",
        ),
        (
            Config(training=TrainingConfig(objective="rao_blackwell")),
            "sums over images of one cell",
        ),
        (
            Config(training=TrainingConfig(objective="reverse_kl")),
            "whose weights depend on u: use",
        ),
    ],
)
def test_what_needs_cells_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        complete(config, TARGET)


def test_the_exact_law_is_refused():
    with pytest.raises(ValueError, match="breaks its symmetry"):
        build_law("exact", TARGET)

"""Samplers as objects: what they draw and say, as pytrees, and their training."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sesamo_jax import Sampler, Target, build_target, evaluate, fit, train
from sesamo_jax.config import resolve
from sesamo_jax.symmetries import Z2

TILT = 0.7
TINY = {
    "flow.couplings": 2,
    "flow.layers": 0,
    "flow.width": 4,
    "training.steps": 40,
    "training.batch_size": 32,
    "training.chunk": 10,
    "training.density": "orbit",
    "evaluation.samples": 400,
    "evaluation.batch_size": 400,
    "evaluation.audit": False,
}
HALF_WIDTH, POINTS = 7.0, 281


def tilted(traces=None):
    """f = |x|^4 / 4 - tilt x_0 + x_1^2, which takes one list entry per trace."""

    def log_density(x):
        if traces is not None:
            traces.append(1)
        return TILT * x[0] - jnp.sum(x**2) ** 2 / 4 - x[1] ** 2

    return Target.from_log_density(
        log_density,
        (2,),
        "tilted",
        symmetry=Z2((2,), broken=True),
        observables={"first": lambda x: x[0], "both": lambda x: x**2},
        dtype=jnp.float64,
    )


@pytest.fixture(scope="module")
def rows():
    return []


@pytest.fixture(scope="module")
def trained(rows):
    return train(tilted(), TINY, seeds=[3, 8], log=rows.append)


@pytest.fixture(scope="module")
def sampler(trained):
    return trained.samplers[0]


@pytest.fixture(scope="module")
def grid():
    axis = np.linspace(-HALF_WIDTH, HALF_WIDTH, POINTS)
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), -1)


def total(values):
    """Return the integral of values on the grid; spectrally accurate for these."""
    return float(np.sum(values)) * (2 * HALF_WIDTH / (POINTS - 1)) ** 2


@pytest.mark.slow  # compiles much
def test_the_density_of_a_grid_of_events_integrates_to_one(sampler, grid):
    log_prob = sampler.log_prob(grid)
    assert log_prob.shape == grid.shape[:-1]
    assert total(np.exp(log_prob)) == pytest.approx(1, abs=1e-4)
    # asymmetric, so that transposed axes would show
    assert not np.allclose(log_prob, log_prob.T)
    np.testing.assert_allclose(sampler.log_prob(grid[30, 40]), log_prob[30, 40])


def test_weights_give_the_partition_function_and_the_means(sampler, key, grid):
    found = sampler.weighted(key, 4000)
    density = np.exp(-jax.vmap(jax.vmap(sampler.target.action))(grid))
    z = total(density)
    w = np.exp(found.log_w)
    assert abs(w.mean() - z) < 5 * w.std() / np.sqrt(len(w))
    exact = total(density * grid[..., 0]) / z
    first = found.observables["first"]
    np.testing.assert_array_equal(first, found.x[:, 0])
    residual = w * (first - exact) / w.mean()
    assert abs(residual.mean()) < 5 * residual.std() / np.sqrt(len(w))
    assert found.observables["both"].shape == (4000, 2)
    assert set(np.unique(found.u)) == {0, 1}


def test_samples_come_with_their_density(sampler, key):
    x, log_prob = sampler.sample_and_log_prob(key, 50)
    np.testing.assert_array_equal(x, sampler.sample(key, 50))
    np.testing.assert_allclose(log_prob, sampler.log_prob(x), rtol=1e-10)
    whole = sampler.observables(x.reshape(5, 10, 2))["both"]
    np.testing.assert_array_equal(whole, (x**2).reshape(5, 10, 2))


def test_the_report_is_that_of_evaluate(sampler, key):
    own = sampler.report(key)
    parts = (sampler.model, sampler.target, sampler.config, sampler.params)
    assert own == evaluate(*parts, key)
    assert own["log_z"] is not None


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros(3), r"x of shape \(3,\) must be one event of target 'tilted', of"),
        (np.zeros((2, 3)), r"a batch of them, \(..., 2\)"),
        (1.0, r"x of shape \(\) must"),
        (np.zeros(2, complex), "of type complex128 must be real"),
    ],
)
def test_other_events_are_refused(x, words, sampler):
    for function in (sampler.log_prob, sampler.observables):
        with pytest.raises(ValueError, match=words):
            function(x)


@pytest.mark.parametrize("n", [0, -1, 2.0, True])
def test_other_numbers_of_samples_are_refused(n, sampler, key):
    for draw in (sampler.sample, sampler.sample_and_log_prob, sampler.weighted):
        with pytest.raises(ValueError, match="must be an integer >= 1"):
            draw(key, n)


def test_worldlines_say_that_they_have_no_density(key):
    run = resolve("hubbard", settings={"method": "worldlines"})
    sampler = Sampler(build_target("hubbard"), run.config, None)
    with pytest.raises(ValueError, match="'worldlines' has no density of x: .*with w"):
        sampler.log_prob(np.zeros(2))
    with pytest.raises(ValueError, match="has no density of x"):
        sampler.sample_and_log_prob(key, 3)


def test_a_sampler_goes_through_transformations(trained, sampler, key):
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), *trained.samplers)
    keys = jax.random.split(key)
    drawn = jax.vmap(lambda sampler, key: sampler.sample(key, 6))(both, keys)
    for index, one in enumerate(trained.samplers):
        expected = one.sample(keys[index], 6)
        np.testing.assert_allclose(drawn[index], expected, rtol=1e-10)
    inside = jax.jit(lambda sampler, x: sampler.log_prob(x))(sampler, drawn[0])
    np.testing.assert_allclose(inside, sampler.log_prob(drawn[0]), rtol=1e-10)

    def body(sampler, key):
        return sampler, sampler.sample(key, 6)

    last, scanned = jax.lax.scan(body, sampler, keys)
    np.testing.assert_allclose(scanned[1], sampler.sample(keys[1], 6), rtol=1e-10)
    assert isinstance(last, Sampler)


def test_the_gradient_of_the_loss_is_its_slope(trained, key):
    """With the total gradient, whose loss is what is differentiated."""
    run = resolve("gmm", settings=TINY | {"training.gradient": "total"})
    sampler = Sampler(tilted(), run.config, trained.samplers[0].params)

    @jax.jit
    @jax.grad
    def gradient(sampler):
        return sampler.loss(key)[0]

    along = gradient(sampler)
    assert isinstance(along, Sampler)
    step = 1e-5
    norm2 = sum(float(jnp.vdot(leaf, leaf)) for leaf in jax.tree.leaves(along))

    def moved(sign):
        return jax.tree.map(lambda p, g: p + sign * step * g, sampler, along)

    slope = (moved(1).loss(key)[0] - moved(-1).loss(key)[0]) / (2 * step)
    assert float(slope) == pytest.approx(norm2, rel=1e-4)
    assert norm2 > 0


def test_functions_are_compiled_once_for_all_samplers(key):
    traces = []
    run = resolve("gmm", settings=TINY)
    first = Sampler.init(tilted(traces), run.config, key)
    second = first.with_params(jax.tree.map(lambda leaf: leaf + 0.1, first.params))
    first.weighted(key, 7)
    counted = len(traces)
    assert counted > 0
    other = second.weighted(jax.random.key(1), 7)
    assert len(traces) == counted
    assert not np.array_equal(other.x, first.weighted(key, 7).x)


# Training


def test_every_seed_is_that_of_fit(trained, rows):
    assert trained.seeds == (3, 8)
    first = trained.samplers[0]
    result = fit(first.model, first.target, first.config, [3, 8])
    jax.tree.map(
        np.testing.assert_array_equal,
        result.params,
        jax.tree.map(
            lambda *leaves: jnp.stack(leaves), *[s.params for s in trained.samplers]
        ),
    )
    assert [int(row["step"][0]) for row in rows] == [10, 20, 30, 40]
    np.testing.assert_array_equal(trained.history["loss"][-1], rows[-1]["loss"])


def test_an_optimiser_of_ones_own_takes_the_steps(trained):
    """The very one that there is without it gives the same, bit for bit."""
    training = trained.samplers[0].config.training
    rate = optax.cosine_decay_schedule(training.learning_rate, training.steps)
    same = optax.chain(optax.clip_by_global_norm(training.clip_norm), optax.adam(rate))
    again = train(tilted(), TINY, seeds=[3, 8], optimizer=same)
    np.testing.assert_array_equal(again.history["loss"], trained.history["loss"])


def test_a_callback_ends_the_training(capsys):
    def stop(row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tilted(), TINY, seeds=[3, 8], log=stop, progress=False)
    assert capsys.readouterr() == ("", "")


def test_a_named_target_has_its_preset():
    with pytest.raises(ValueError, match="steps=0 must be at least 1"):
        train("gmm", {"training.steps": 0})
    with pytest.raises(ValueError, match="unknown target 'gnm'; nearest: gmm"):
        train("gnm")
    with pytest.raises(ValueError, match="target.modes comes too late"):
        train(build_target("gmm"), {"target.modes": 3})
    with pytest.raises(ValueError, match="unknown setting 'training.stepz'"):
        train(tilted(), {"training.stepz": 3})


def test_a_target_that_was_built_has_the_method_of_its_parameters(monkeypatch):
    """As on the command line, where the number of slices decides."""
    chosen = []

    def reach(target, config, params):
        chosen.append(config.method)
        raise KeyboardInterrupt

    monkeypatch.setattr("sesamo_jax.trained.train.Sampler", reach)
    for slices in (1, 4):
        with pytest.raises(KeyboardInterrupt):
            train(build_target("hubbard", time_slices=slices))
    assert chosen == ["sesamo", "worldlines"]

"""The mixture of flows: its density, its bound, gradients, training, refusals."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_counts, assert_mean, grid, random_params
from jax.scipy.stats import norm
from tolerances import F64

from sesamo_jax.config import (
    BaseConfig,
    Config,
    TrainingConfig,
    VMoNFConfig,
    build_model,
    complete,
    resolve,
)
from sesamo_jax.config.presets import PRESETS
from sesamo_jax.evaluation.report import evaluate
from sesamo_jax.evaluation.sampling import build_draw
from sesamo_jax.flows import RealNVPConfig
from sesamo_jax.geometry.lattice import Lattice
from sesamo_jax.run import execute as runs
from sesamo_jax.run.execute import execute
from sesamo_jax.run.folder import RunFolder
from sesamo_jax.run.warm_start import enlarge
from sesamo_jax.samplers.weighting import log_q
from sesamo_jax.targets import TARGETS
from sesamo_jax.targets.gaussian_mixture import GaussianMixture
from sesamo_jax.training.fit import batch_loss, fit

# No two of the modes, nor of the components, are alike.
TARGET = GaussianMixture(modes=3, radius=1.5, breaking=0.3, dtype="float64").build()
MEAN, VARIANCE, COMPONENTS = 0.6, 3.0, 3
FLOW = RealNVPConfig(2, 1, 8, "tanh", shared=True, log_scale_bound=0.3)
CONFIG = Config(
    method="vmonf",
    flow=FLOW,
    base=BaseConfig(mean=MEAN, variance=VARIANCE),
    vmonf=VMoNFConfig(components=COMPONENTS, width=6, layers=1),
)
LIMIT, POINTS = 16.0, 240
DRAWS = POINTS**2


def trained_by(density, **fields):
    """Return the completed configuration with an accounting of the training."""
    training = TrainingConfig(density=density, **fields)
    return complete(replace(CONFIG, training=training), TARGET)


MODEL = build_model(TARGET, CONFIG)


@pytest.fixture(scope="module")
def params():
    init = partial(MODEL.init, jax.random.key(0))
    return random_params(init, np.random.default_rng(5))


@pytest.fixture(scope="module")
def log_prob(params):
    return jax.jit(partial(MODEL.log_prob, params))


@pytest.fixture(scope="module")
def samples(params):
    return jax.jit(partial(MODEL.sample, n=DRAWS))(params, jax.random.key(2))


@pytest.fixture(scope="module")
def on_grid(log_prob):
    """Return nodes, log densities there, and the volume of a cell."""
    points, volume = grid(LIMIT, POINTS)
    return points, np.asarray(log_prob(jnp.asarray(points))), volume


def action(x):
    return np.asarray(jax.jit(jax.vmap(TARGET.action))(x))


def written_out(params, z):
    """Return x, log q(x, c) and log p(c | z) of every component, each by itself.

    Of z, (n, 2), the first two are (n, K, 2) and (n, K).
    """
    unit = np.sqrt(VARIANCE)
    flow = FLOW.build((2,), jnp.float64)
    h = z / unit
    layers = params["modulation"]["params"]
    for index in range(len(layers)):
        layer = layers[f"Dense_{index}"]
        h = h @ layer["kernel"] + layer["bias"]
        h = jnp.maximum(h, 0) if index < len(layers) - 1 else h
    log_p = h - jnp.log(jnp.sum(jnp.exp(h), axis=1, keepdims=True))
    log_base = jnp.sum(norm.logpdf(z, MEAN, unit), axis=1)
    x, log_joint = [], []
    for c in range(COMPONENTS):
        own = jax.tree.map(lambda leaf, c=c: leaf[c], params["flow"]["components"])
        forward = partial(flow.apply, own, method="forward_and_log_det")
        y, log_det = jax.vmap(forward)(z / unit)
        x.append(unit * y)
        log_joint.append(log_base + log_p[:, c] - log_det)
    return jnp.stack(x, axis=1), jnp.stack(log_joint, axis=1), log_p


# The density


def test_samples_follow_the_marginal_density(samples, log_prob):
    """A coarse histogram against the density integrated over its bins."""
    bins, inner, limit = 10, POINTS // 10, 8.0
    edges = np.linspace(-limit, limit, bins + 1)
    middle = (np.arange(bins * inner) + 0.5) / (bins * inner) * 2 * limit - limit
    points = np.stack(np.meshgrid(middle, middle, indexing="ij"), axis=-1)
    density = np.exp(log_prob(jnp.asarray(points.reshape(-1, 2))))
    fine = density.reshape(bins, inner, bins, inner)
    probabilities = fine.sum(axis=(1, 3)) * (2 * limit / (bins * inner)) ** 2
    x = np.asarray(samples.x)
    counts = np.histogram2d(x[:, 0], x[:, 1], bins=(edges, edges))[0]
    assert probabilities.sum() > 0.98
    assert_counts(counts, probabilities, DRAWS)


def test_a_sample_is_one_component_of_its_base_sample(samples, params):
    x, log_joint, log_p = written_out(params, samples.y)
    every, own = np.arange(DRAWS), np.asarray(samples.u)
    assert np.ptp(np.asarray(log_p), axis=1).mean() > 0.5
    np.testing.assert_allclose(samples.x, x[every, own], atol=F64)
    np.testing.assert_allclose(samples.log_p_u, log_p[every, own], atol=F64)
    expected = log_joint[every, own] + np.log(COMPONENTS)
    np.testing.assert_allclose(samples.log_q, expected, atol=F64)
    assert_mean(own[:, None] == np.arange(COMPONENTS), np.exp(log_p).mean(axis=0))
    assert_mean(samples.y, MEAN)


def test_images_hold_every_component_of_each_base_sample(params, key):
    images = MODEL.images(params, key, 50)
    x, log_joint, log_p = written_out(params, images.y)
    np.testing.assert_array_equal(images.u, np.tile(np.arange(COMPONENTS), (50, 1)))
    np.testing.assert_allclose(images.x, x, atol=F64)
    np.testing.assert_allclose(images.log_p_u, log_p, atol=F64)
    np.testing.assert_allclose(images.log_q, log_joint + np.log(COMPONENTS), atol=F64)
    marginal = log_q(MODEL, params, images, "marginal")
    assert np.all(marginal > log_joint)


@pytest.mark.parametrize("density", ["marginal", "augmented"])
def test_both_accountings_estimate_log_z(density, samples, log_prob):
    log_density = log_prob(samples.x) if density == "marginal" else samples.log_q
    weights = np.exp(-action(samples.x) - log_density - TARGET.exact.log_z)
    assert_mean(weights, 1.0)
    assert np.std(weights) > 0.3


@pytest.mark.parametrize("density", ["marginal", "augmented"])
def test_reports_weigh_samples_by_the_density_they_name(density, params, log_prob):
    evaluation = replace(CONFIG.evaluation, samples=2000, batch_size=800)
    config = replace(CONFIG, density=density, evaluation=evaluation)
    draws = build_draw(MODEL, TARGET, config)(params, jax.random.key(3))
    off = draws.log_w + draws.action + np.asarray(log_prob(jnp.asarray(draws.x)))
    assert len(off) == 2000
    assert (np.max(np.abs(off)) < F64) == (density == "marginal")
    # log q(x, c) + log K is larger on average, by a KL divergence.
    assert density == "marginal" or off.mean() < 0


def test_a_component_whose_inverse_overflows_has_no_mass_there(params, samples):
    flow = replace(FLOW, log_scale_bound=0.0)
    model = build_model(TARGET, replace(CONFIG, flow=flow))
    components, second = params["flow"]["components"], jnp.arange(COMPONENTS) == 1

    def shrunk(path, leaf):  # by exp(-1000), both halves
        last = path[-2].key == "Dense_2" and path[-1].key == "bias"
        return leaf - 1000.0 * second[:, None] * last if leaf.ndim == 2 else leaf

    wild = jax.tree_util.tree_map_with_path(shrunk, components)
    changed = {**params, "flow": {**params["flow"], "components": wild}}
    x = samples.x[:50]
    one = jax.tree.map(lambda leaf: leaf[1], wild)
    inverse = partial(flow.build((2,), jnp.float64).apply, one)
    z, _ = jax.vmap(partial(inverse, method="inverse_and_log_det"))(x)
    assert not np.any(np.all(np.isfinite(z), axis=1))
    found, before = model.log_prob(changed, x), model.log_prob(params, x)
    assert np.all(np.isfinite(found))
    assert np.all(found < before)


def test_one_component_is_a_plain_flow_on_any_base(key, rng):
    """On a lattice with a learned spectrum: one density, by both directions."""
    settings = {
        **{"method": "vmonf", "vmonf.components": 1, "target.shape": (4, 4)},
        **{"flow.name": "checkerboard", "base.kind": "spectral", "base.mean": 0.7},
        "target.dtype": "float64",
    }
    run = resolve("phi4_real", settings=settings)
    model = build_model(run.target.build(run.target_name), run.config)
    params = random_params(partial(model.init, key), rng, gain=0.3)
    samples = jax.jit(partial(model.sample, n=20))(params, key)
    assert np.ptp(samples.x) > 1
    assert params["flow"]["base"]["params"]["log_variance"].size > 1
    found = jax.jit(model.log_prob)(params, samples.x)
    np.testing.assert_allclose(found, samples.log_q, atol=F64)


def test_float32_stays_float32():
    target = replace(TARGET, dtype=jnp.float32)
    model = build_model(target, CONFIG)
    params = jax.eval_shape(model.init, jax.random.key(0))
    samples = jax.eval_shape(partial(model.sample, n=4), params, jax.random.key(0))
    trees = (params, samples, jax.eval_shape(model.log_prob, params, samples.x))
    floats = {
        leaf.dtype
        for leaf in jax.tree.leaves(trees)
        if jnp.issubdtype(leaf.dtype, jnp.floating)
    }
    assert floats == {jnp.dtype("float32")}


# The loss


@pytest.mark.slow  # compiles much
def test_the_bound_lies_above_the_marginal_kl(params, key, on_grid):
    points, log_density, volume = on_grid
    q = np.exp(log_density) * volume
    kl = q @ (log_density + action(points)) + TARGET.exact.log_z
    images = jax.jit(partial(MODEL.images, n=20_000))(params, key)
    p = np.exp(images.log_p_u)
    shift = jax.jit(jax.vmap(jax.vmap(TARGET.action)))(images.x) + TARGET.exact.log_z
    marginal = np.asarray(log_q(MODEL, params, images, "marginal"))
    assert_mean(np.sum(p * (marginal + shift), axis=1), kl)
    bound = np.sum(p * (images.log_q + shift), axis=1)
    error = bound.std() / np.sqrt(len(bound))
    assert bound.mean() - kl > 20 * error
    # It is largest where no component overlaps another.
    assert bound.mean() - kl < np.log(COMPONENTS)
    for density, terms in (("augmented", images.log_q), ("marginal", marginal)):
        config = trained_by(density, batch_size=20_000, gradient="total")
        loss = jax.jit(partial(batch_loss, MODEL, TARGET, config))(params, key)[0]
        expected = np.mean(np.sum(p * (terms + shift), axis=1)) - TARGET.exact.log_z
        np.testing.assert_allclose(loss, expected, atol=F64)


@pytest.mark.parametrize("part", ["flow", "modulation"])
def test_gradient_of_the_bound_is_that_of_the_enumerated_expectation(
    part, params, key, rng
):
    config = trained_by("augmented", batch_size=64)
    assert config.training.gradient == "total"
    z = MODEL.images(params, key, 64).y

    @jax.jit
    def expectation(params):
        x, log_joint, log_p = written_out(params, z)
        actions = jnp.stack(
            [jax.vmap(TARGET.action)(x[:, c]) for c in range(COMPONENTS)], axis=1
        )
        return jnp.mean(jnp.sum(jnp.exp(log_p) * (log_joint + actions), axis=1))

    direction = jax.tree.map(jnp.zeros_like, params)
    direction[part] = random_params(lambda: params[part], rng)

    def moved(step):
        shift = partial(jax.tree.map, lambda p, d: p + step * d)
        return float(expectation(shift(params, direction)))

    step = 1e-5
    expected = (moved(step) - moved(-step)) / (2 * step)
    loss = partial(batch_loss, MODEL, TARGET, config)
    gradient = jax.jit(jax.grad(loss, has_aux=True))(params, key)[0]
    products = jax.tree.map(lambda g, d: jnp.sum(g * d), gradient, direction)
    assert abs(expected) > 0.05
    np.testing.assert_allclose(sum(jax.tree.leaves(products)), expected, rtol=1e-6)


@pytest.mark.slow
def test_path_and_total_gradients_of_the_marginal_loss_have_the_same_mean(params, key):
    keys = jax.random.split(key, 500)

    def gradients(kind):
        config = trained_by("marginal", batch_size=16, gradient=kind)
        loss = partial(batch_loss, MODEL, TARGET, config)
        grad = jax.vmap(jax.grad(loss, has_aux=True), (None, 0))
        leaves = jax.tree.leaves(jax.jit(grad)(params, keys)[0])
        return np.concatenate([np.reshape(x, (len(keys), -1)) for x in leaves], axis=1)

    assert trained_by("marginal").training.gradient == "path"
    path, total = gradients("path"), gradients("total")
    assert np.max(np.std(path - total, axis=0)) > 0.01
    assert np.max(np.abs(np.mean(path, axis=0))) > 0.01
    assert_mean(path - total, 0.0)


@pytest.mark.slow  # trains; the bound and the gradients are checked below
@pytest.mark.parametrize("density", ["augmented", "marginal"])
def test_training_brings_the_mixture_closer(density):
    config = trained_by(density, steps=150, batch_size=200, chunk=150)
    config = replace(config, evaluation=replace(config.evaluation, samples=20_000))
    start = MODEL.init(jax.random.key(0))
    fitted = fit(MODEL, TARGET, config, seeds=2)
    trained = jax.tree.map(lambda leaf: leaf[1], fitted.params)
    before, after = (
        evaluate(MODEL, TARGET, config, params, jax.random.key(1))
        for params in (start, trained)
    )
    assert after["kl"] < before["kl"] / 4
    assert after["ess"] > 0.9
    off = after["log_z"] - TARGET.exact.log_z
    assert abs(off) < 5 * after["log_z_error"]
    assert np.all(fitted.history["leak"] == 0)


# Configurations


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", TARGETS)
def test_presets_fit_every_target(name, preset):
    run = resolve(name, preset, {"method": "vmonf"})
    config = complete(run.config, run.target.build(name))
    assert config.density == "marginal"
    training = config.training
    assert (training.objective, training.density) == ("rao_blackwell", "augmented")
    assert training.gradient == "total"
    assert complete(config, run.target.build(name)) == config
    assert build_model(run.target.build(name), run.config).log_prob is not None


REFUSALS = {
    "components": (
        "gmm",
        {"vmonf.components": 0},
        "vmonf.components=0 must be at least 1",
    ),
    "width": ("gmm", {"vmonf.width": -2}, "vmonf.width=-2 must be at least 1"),
    "layers": ("gmm", {"vmonf.layers": -1}, "vmonf.layers=-1 must be at least 0"),
    "density": ("gmm", {"density": "orbit"}, "density 'orbit' .* use 'marginal'"),
    "training density": (
        *("gmm", {"training.density": "cell"}),
        "training.density 'cell' .* use 'marginal' or 'augmented'",
    ),
    "objective": (
        *("gmm", {"training.objective": "reverse_kl"}),
        "objective 'reverse_kl' .* use 'rao_blackwell'",
    ),
    "gradient": (
        *("gmm", {"training.gradient": "path"}),
        "set training.density to 'marginal'",
    ),
    "continuous": ("gmm", {"flow.name": "continuous"}, "use flow.name=realnvp"),
    "slice": ("phi4_complex", {"base.kind": "slice"}, "use 'gaussian'"),
    "aligned": ("phi4_complex", {"target.space": "aligned"}, "target.space to 'full'"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_a_mixture_cannot_do_is_refused(name):
    target, settings, message = REFUSALS[name]

    def build():
        run = resolve(target, settings={"method": "vmonf", **settings})
        build_model(run.target.build(run.target_name), run.config)

    with pytest.raises(ValueError, match=message) as error:
        build()
    assert "\n" not in str(error.value)


def test_a_mixture_does_not_start_from_another_method(params):
    single = build_model(TARGET, replace(CONFIG, method="realnvp"))
    old = jax.eval_shape(single.init, jax.random.key(0))
    with pytest.raises(ValueError, match="has no parameter flow/components"):
        enlarge(old, params, Lattice(()), Lattice(()))


# A run

TINY = {
    **{"method": "vmonf", "vmonf.components": 2, "vmonf.width": 3, "vmonf.layers": 0},
    **{"target.modes": 3, "target.radius": 3.0, "base.variance": 5.0},
    **{"flow.couplings": 1, "flow.layers": 0, "flow.width": 4},
    **{"training.steps": 30, "training.batch_size": 32, "training.chunk": 10},
    **{"evaluation.samples": 400, "evaluation.keep": 40},
}


@pytest.mark.slow  # two runs; those of other methods are quick
def test_a_run_resumes_and_draws_its_figures(tmp_path, monkeypatch):
    run = resolve("gmm_broken", "smoke", TINY, seed=4, seeds=2)
    metrics = execute(run, tmp_path / "whole")
    assert (metrics["method"], metrics["density"]) == ("vmonf", "marginal")
    assert all(entry["leak"] is None for entry in metrics["seeds"])
    figures = {path.name for path in (tmp_path / "whole").glob("*.png")}
    assert figures == {"density.png", "ess.png", "weights.png", "sectors.png"}

    append = RunFolder.append_history

    def crash(folder, seeds, row):
        if int(row["step"][0]) == 30:
            raise InterruptedError
        append(folder, seeds, row)

    with monkeypatch.context() as patch:
        patch.setattr(runs, "CHECKPOINT_SECONDS", 0.0)
        patch.setattr(RunFolder, "append_history", crash)
        with pytest.raises(InterruptedError):
            execute(run, tmp_path / "parts")
    execute(run, tmp_path / "parts", resume=True)
    whole, parts = (
        dict(np.load(tmp_path / name / "samples.npz")) for name in ("whole", "parts")
    )
    assert whole["grid_log_q"].shape == (1, 201, 201)
    for name, values in whole.items():
        np.testing.assert_array_equal(values, parts[name])

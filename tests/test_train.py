"""Training: one compiled program, ensembles, continuation, and what is learned."""

from dataclasses import replace
from functools import cache, partial
from itertools import product

import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tolerances import F64

from sesamo_jax import (
    BaseConfig,
    Config,
    PenaltyConfig,
    RealNVPConfig,
    Target,
    TrainingConfig,
    build_model,
    fit,
)
from sesamo_jax.config import complete
from sesamo_jax.modulation import LAWS
from sesamo_jax.objectives import OBJECTIVES
from sesamo_jax.symmetries import Z2, subgroup_chain
from sesamo_jax.targets.gaussian_mixture import GaussianMixture
from sesamo_jax.training.loss import batch_loss, penalty_amplitude
from sesamo_jax.training.state import init_states

SMALL = RealNVPConfig(couplings=2, layers=1, width=8)
TINY = RealNVPConfig(couplings=1, layers=0, width=4)
STEPS, CHUNK, BATCH = 25, 10, 64


@pytest.fixture(scope="module", autouse=True)
def _quick_compilation():
    """These tests compile much and compute little."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def copy(tree):
    return jax.tree.map(jnp.copy, tree)


def member(tree, index):
    return jax.tree.map(lambda leaf: leaf[index], tree)


def assert_same(first, second):
    """Assert that two trees of states agree in every bit."""

    def same(a, b):
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        np.testing.assert_array_equal(a, b)

    jax.tree.map(same, first, second)


# One run of three members, looked at from all sides


class Ensemble:
    """Three members trained in chunks of 10, 10 and 5 steps, and what was seen."""

    def __init__(self, dtype="float64"):
        self.target = GaussianMixture(modes=3, radius=3.0, dtype=dtype).build()
        training = TrainingConfig(
            steps=STEPS, batch_size=BATCH, chunk=CHUNK, learning_rate=0.03
        )
        self.config = Config(flow=SMALL, training=training)
        self.model = build_model(self.target, self.config)
        self.compilations, self.rows, self.states, self.originals = [], [], [], []
        compiled = []

        def listen(event, duration, **details):
            if "backend_compile" in event:
                compiled.append(event)

        def on_chunk(states, row):
            # Before the first copy: only fit's own work counts from here on.
            self.compilations.append(len(compiled))
            self.rows.append(row)
            self.states.append(copy(states))
            self.originals.append(states)
            compiled.clear()

        jax.monitoring.register_event_duration_secs_listener(listen)
        try:
            self.result = self.fit([1, 3, 5], on_chunk=on_chunk)
        finally:
            jax.monitoring.unregister_event_duration_listener(listen)

    def fit(self, seeds, **arguments):
        return fit(self.model, self.target, self.config, seeds, **arguments)


@pytest.fixture(scope="module")
def ensemble():
    return Ensemble()


def test_only_the_first_chunk_compiles(ensemble):
    first, *later = ensemble.compilations
    assert first >= 1
    # The third chunk is shorter than the others.
    assert later == [0, 0]


def test_on_chunk_sees_every_chunk_once(ensemble):
    assert [int(row["step"][0]) for row in ensemble.rows] == [10, 20, 25]
    for row, states in zip(ensemble.rows, ensemble.states, strict=True):
        assert {value.shape for value in row.values()} == {(3,)}
        np.testing.assert_array_equal(states.step, row["step"])
        np.testing.assert_array_equal(row["samples_drawn"], row["step"] * BATCH)
        assert not np.any(row["nonfinite_steps"])
        for name in ("loss", "loss_std", "ess", "log_z", "leak"):
            assert np.all(np.isfinite(row[name]))
        assert np.all((row["ess"] > 0) & (row["ess"] <= 1))
        assert np.all((row["leak"] >= 0) & (row["leak"] <= 1))


def test_history_collects_the_rows(ensemble):
    history = ensemble.result.history
    assert set(history) == set(ensemble.rows[0])
    for name, column in history.items():
        assert column.shape == (3, 3)
        rows = [row[name] for row in ensemble.rows]
        np.testing.assert_array_equal(column, rows)
    assert np.all(np.diff(history["seconds"], axis=0) > 0)
    assert history["seconds"][-1, 0] == ensemble.result.wall_seconds
    assert ensemble.result.compile_seconds > 0


def test_loss_decreases_for_every_member(ensemble):
    loss = ensemble.result.history["loss"]
    assert np.all(loss[-1] < loss[0] - 0.5)


def test_every_leaf_has_a_leading_axis_over_seeds(ensemble):
    for leaf in jax.tree.leaves(ensemble.result.states):
        assert leaf.shape[:1] == (3,)
    assert ensemble.result.params is ensemble.result.states.params


def test_members_have_draws_and_parameters_of_their_own(ensemble):
    assert len(np.unique(ensemble.result.history["loss"][0])) == 3
    for leaf in jax.tree.leaves(ensemble.result.params["flow"]):
        assert np.any(leaf[0] != leaf[1])
        assert np.any(leaf[1] != leaf[2])


def test_a_member_equals_its_single_run(ensemble):
    alone = ensemble.fit([3])
    together = member(ensemble.result.states, 1)
    for one, other in zip(
        jax.tree.leaves(alone.params), jax.tree.leaves(together.params), strict=True
    ):
        # The order of summation in batched products differs, nothing else.
        np.testing.assert_allclose(one[0], other, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(
        alone.history["loss"][:, 0], ensemble.result.history["loss"][:, 1], rtol=F64
    )
    strangers = ensemble.result.history["loss"][:, [0, 2]]
    assert np.all(np.abs(strangers - alone.history["loss"]) > 1e-6)


def test_a_continued_run_equals_an_uninterrupted_one(ensemble):
    states = copy(ensemble.states[0])
    before = copy(states)
    result = ensemble.fit([1, 3, 5], states=states)
    assert_same(result.states, ensemble.result.states)
    for name, column in result.history.items():
        if name not in ("seconds", "compile_seconds"):
            np.testing.assert_array_equal(column, ensemble.result.history[name][1:])
    # The loop gives its buffers away, but not the caller's.
    assert_same(states, before)
    assert any(leaf.is_deleted() for leaf in jax.tree.leaves(ensemble.originals[0]))


def test_the_same_seed_starts_the_same(ensemble):
    states = init_states(ensemble.model, ensemble.config, [1, 3])
    again = init_states(ensemble.model, ensemble.config, [7, 5, 1])
    assert_same(member(states, 0), member(again, 2))
    keys = jax.random.key_data(states.key)
    assert np.any(keys[0] != keys[1])


def test_a_number_of_seeds_counts_from_zero(ensemble, monkeypatch):
    class Enough(Exception):
        pass

    def init(model, config, seeds, optimizer):
        assert list(seeds) == [0, 1, 2]
        raise Enough

    monkeypatch.setattr("sesamo_jax.training.fit.init_states", init)
    with pytest.raises(Enough):
        ensemble.fit(3)


def test_states_of_another_number_of_seeds_are_refused(ensemble):
    with pytest.raises(ValueError, match="seeds"):
        ensemble.fit([1, 3], states=ensemble.states[0])


def drawing(law):
    """Return an objective that draws elements and suits a law."""
    return "reinforce" if LAWS[law].depends_on_y else "self_reparam"


@pytest.mark.parametrize("law", LAWS)
def test_float32_stays_float32_where_float64_is_enabled(law):
    modes = 2 if law == "autoregressive" else 3  # a law over sign flips
    target = GaussianMixture(modes=modes, radius=3.0, dtype="float32").build()
    if law == "cosets":
        target = replace(target, symmetry=subgroup_chain([-np.eye(2)], broken=True))
    config = Config(
        modulation=law,
        flow=TINY,
        training=TrainingConfig(batch_size=8, objective=drawing(law)),
    )
    model = build_model(target, config)
    states = jax.eval_shape(partial(init_states, model, config, [0]))
    params, key = states.params, jax.random.key(0)
    # One member, without the axis over seeds.
    params = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), params
    )
    samples = jax.eval_shape(lambda params: model.sample(params, key, 8), params)
    loss_of = partial(batch_loss, model, target, complete(config, target))
    loss = jax.eval_shape(loss_of, params, key, 100.0)
    trees = {"states": (states.params, states.opt_state), "samples": samples}
    for name, tree in {**trees, "loss": loss}.items():
        leaves = jax.tree.leaves(tree)
        floats = {x.dtype for x in leaves if jnp.issubdtype(x.dtype, jnp.floating)}
        assert floats == {jnp.dtype("float32")}, name


# Steps that fail


def test_non_finite_steps_are_skipped_and_counted():
    def action(x):
        # About one sample in 250, so that fewer than half of the steps are hit.
        return jnp.sum(x**2) / 2 * jnp.where(x[0] > 3.2, jnp.nan, 1.0)

    target = Target("holes", (2,), action, dtype=jnp.float64)
    training = TrainingConfig(steps=30, batch_size=BATCH, chunk=1)
    config = Config(
        method="realnvp", flow=TINY, base=BaseConfig(variance=1.5), training=training
    )
    seen = []
    result = fit(
        build_model(target, config),
        target,
        config,
        on_chunk=lambda states, row: seen.append(copy(states.params)),
    )
    bad = np.isnan(result.history["loss"][:, 0])
    assert 3 < bad.sum() < 27
    counted = result.history["nonfinite_steps"][:, 0]
    np.testing.assert_array_equal(counted, np.cumsum(bad))
    in_one = replace(config, training=replace(training, chunk=30))
    row = fit(build_model(target, in_one), target, in_one).history["loss"]
    np.testing.assert_allclose(row[0], np.nanmean(result.history["loss"]), rtol=1e-12)
    for leaf in jax.tree.leaves(result.params):
        assert np.all(np.isfinite(leaf))
    for step in range(1, 30):
        moved = any(
            np.any(a != b)
            for a, b in zip(
                jax.tree.leaves(seen[step - 1]),
                jax.tree.leaves(seen[step]),
                strict=True,
            )
        )
        assert moved == (not bad[step])


# Two wells of unequal mass, on which the flow starts out perfect

WEIGHT, CENTRE = 0.8, 2.5


@cache
def wells(shift=0.0):
    """Gaussians of mass 0.8 and 0.2 around +-(c, c), in one cell of Z2 each."""

    def action(x):
        right = jnp.log(WEIGHT) - jnp.sum((x - CENTRE) ** 2) / 2
        left = jnp.log(1 - WEIGHT) - jnp.sum((x + CENTRE) ** 2) / 2
        return -jnp.logaddexp(right, left) + shift

    symmetry = Z2((2,), broken=True)
    return Target("wells", (2,), action, symmetry=symmetry, dtype=jnp.float64)


def wells_config(**training):
    settings = {"batch_size": 256, **training}
    return Config(
        modulation="learned",
        flow=TINY,
        base=BaseConfig(mean=CENTRE),
        training=TrainingConfig(**settings),
    )


# Largest deviation of any member. The sum over u has no noise of its own; the noise of
# the gamma term moves the flow as well, at times out of its cell.
SPREAD = {"rao_blackwell": 0.002, "reinforce": 0.02, "self_reparam": 0.2}


@pytest.mark.slow
@pytest.mark.parametrize(("objective", "spread"), SPREAD.items())
def test_a_learned_law_finds_the_masses_of_the_wells(objective, spread):
    config = wells_config(objective=objective, learning_rate=0.02, steps=250, chunk=250)
    target = wells()
    result = fit(build_model(target, config), target, config, seeds=8)
    logits = result.params["modulation"]["params"]["logits"]
    masses = np.asarray(jax.nn.softmax(logits.reshape(8, 2))[:, 0])
    # The law starts at one half.
    assert np.all(np.abs(masses - WEIGHT) < spread)
    assert abs(np.median(masses) - WEIGHT) < 0.01


LEARNED = ("learned", "autoregressive")
VARYING = [law for law, row in LAWS.items() if row.varies_weights]
COMBINATIONS = [
    ("sesamo", law, objective)
    for law in LAWS
    for objective, row in OBJECTIVES.items()
    if objective != "forward_kl" and row.data_terms is None  # worldlines, data
    if objective != "reverse_kl" or law not in VARYING
    if row.follows_draws or not LAWS[law].depends_on_y
] + [
    (method, "exact", objective)
    for method in ("canonicalization", "realnvp")
    for objective in ("reverse_kl", "self_reparam", "reinforce")
]


@cache
def start(method, law):
    """Return target, configuration, model and parameters of one method."""
    target = wells()
    if law == "exact":
        broken = target.action
        target = replace(
            target, symmetry=Z2((2,)), action=lambda x: (broken(x) + broken(-x)) / 2
        )
    if law == "cosets":
        target = replace(target, symmetry=subgroup_chain([-np.eye(2)], broken=True))
    config = Config(
        method=method,
        modulation=law,
        flow=replace(TINY, init="paper"),
        training=TrainingConfig(batch_size=32, objective=drawing(law)),
    )
    model = build_model(target, config)
    params = member(init_states(model, config, [0]).params, 0)
    return target, config, model, params


@pytest.mark.slow  # operation by operation; `test_objectives` has the gradients
@pytest.mark.parametrize(("method", "law", "objective"), COMBINATIONS)
def test_every_objective_trains_every_method(method, law, objective, key):
    target, config, model, params = start(method, law)
    # Where the path gradient is biased it is refused.
    biased = method == "canonicalization" or objective == "self_reparam"
    gradients = ["total"] if biased else ["total", "path"]
    accountings = ["cell"] if objective == "rao_blackwell" else ["cell", "orbit"]
    for gradient, density in product(gradients, accountings):
        training = replace(
            config.training, objective=objective, gradient=gradient, density=density
        )
        chosen = complete(replace(config, training=training), target)
        loss_of = partial(batch_loss, model, target, chosen)
        # Operation by operation: a compiled program for each would take minutes.
        with jax.disable_jit():
            (loss, metrics), grads = jax.value_and_grad(loss_of, has_aux=True)(
                params, key, 100.0
            )
        assert loss.shape == ()
        assert np.isfinite(loss)
        assert all(np.isfinite(value) for value in metrics.values())
        assert 1e-3 < float(optax.tree.norm(grads["flow"])) < np.inf
        law_norm = float(optax.tree.norm(grads["modulation"]))
        assert (law_norm > 1e-3) == (law in LEARNED)


# Schedules


def test_the_penalty_falls_until_half_way_and_stays():
    config = Config(
        penalty=PenaltyConfig(amplitude=100.0, final=20.0),
        training=TrainingConfig(steps=40),
    )
    steps = jnp.array([0, 10, 20, 30, 40])
    amplitudes = penalty_amplitude(config, steps)
    np.testing.assert_allclose(amplitudes, [100, 60, 20, 20, 20])


def test_the_plateau_rule_follows_the_spread_of_the_loss_not_its_value():
    # The loss is negative, where "a relative improvement" would mean the opposite.
    target = wells(shift=-1000.0)
    config = wells_config(
        steps=40,
        chunk=1,
        batch_size=32,
        objective="rao_blackwell",
        schedule="plateau",
        patience=5,
        decay=0.5,
        learning_rate=0.1,
    )
    result = fit(build_model(target, config), target, config)
    assert np.all(result.history["loss"] < 0)
    best, waited, scale = np.inf, 0, 1.0
    for value in result.history["loss_std"][:, 0]:
        waited += 1
        if value < (1 - 1e-4) * best:
            best, waited = value, 0
        if waited == 5:
            scale, waited = scale / 2, 0
    found = optax.tree_utils.tree_get(result.states.opt_state, "scale")
    assert scale < 1
    assert float(found[0]) == scale

"""The optimiser: schedules, the plateau rule, clipping, and the non-finite guard.

With a constant gradient Adam moves every parameter by exactly its rate, so the size of
an update is the rate in force.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerances import F64

from sesamo_jax.config import TrainingConfig
from sesamo_jax.training.optimizer import build_optimizer, nonfinite_steps

PARAMS = {"a": jnp.array([1.0, -2.0]), "b": jnp.array(0.5)}
ONES = jax.tree.map(jnp.ones_like, PARAMS)
RATE = 0.1


def plateau(**fields):
    settings = {"decay": 0.5, "patience": 3, "minimum_learning_rate": 0.02, **fields}
    return TrainingConfig(
        schedule="plateau", learning_rate=RATE, clip_norm=0.0, **settings
    )


def rates(config, values):
    """Return the rate of each step that sees the given values of the loss's std."""
    optimizer = build_optimizer(config)
    update = jax.jit(lambda state, v: optimizer.update(ONES, state, PARAMS, value=v))
    state, out = optimizer.init(PARAMS), []
    for value in values:
        updates, state = update(state, value)
        out.append(-float(updates["b"]))
    return out


def test_plateau_drops_the_rate_after_patience_steps_and_keeps_its_floor():
    # The first value is an improvement on nothing; then three in a row are not.
    expected = [0.1] * 3 + [0.05] * 3 + [0.025] * 3 + [0.02] * 6
    np.testing.assert_allclose(rates(plateau(), [7.0] * 15), expected, rtol=1e-6)


def test_plateau_does_not_drop_while_the_value_improves():
    falling = 7.0 * 0.999 ** np.arange(30)
    np.testing.assert_allclose(rates(plateau(), falling), RATE, rtol=1e-6)


def test_plateau_takes_improvements_below_one_part_in_ten_thousand_for_none():
    creeping = 7.0 * (1 - 1e-5) ** np.arange(5)
    np.testing.assert_allclose(
        rates(plateau(), creeping), [0.1] * 3 + [0.05] * 2, rtol=1e-6
    )


def test_plateau_starts_counting_again_after_an_improvement():
    values = [7.0, 7.0, 7.0, 6.0, 6.0, 6.0, 6.0]
    np.testing.assert_allclose(rates(plateau(), values), [0.1] * 6 + [0.05], rtol=1e-6)


def test_plateau_compares_with_the_best_value_not_the_last():
    values = [5.0, 9.0, 8.0, 7.0]
    np.testing.assert_allclose(rates(plateau(), values), [0.1] * 3 + [0.05], rtol=1e-6)


def test_cosine_falls_from_the_peak_to_zero():
    config = TrainingConfig(steps=10, learning_rate=RATE, clip_norm=0.0)
    expected = RATE * (1 + np.cos(np.pi * np.arange(11) / 10)) / 2
    assert expected[10] == 0
    # The value is ignored, however bad it gets.
    found = rates(config, np.arange(11.0))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=F64)


def moments_after(clip_norm, gradient):
    optimizer = build_optimizer(TrainingConfig(steps=10, clip_norm=clip_norm))
    grads = jax.tree.map(lambda leaf: jnp.full_like(leaf, gradient), PARAMS)
    _, state = optimizer.update(grads, optimizer.init(PARAMS), PARAMS, value=1.0)
    return jax.tree.leaves(state.inner_state)


def test_clipping_shortens_long_gradients_and_no_others():
    # Three components of 2 have norm 2 sqrt 3; clipped to 1 each is 1 / sqrt 3.
    clipped = moments_after(1.0, 2.0)
    assert all(map(np.allclose, clipped, moments_after(0.0, 3**-0.5)))
    assert not all(map(np.allclose, clipped, moments_after(0.0, 2.0)))
    short = moments_after(1.0, 0.1)
    assert all(map(np.allclose, short, moments_after(0.0, 0.1)))


def test_clip_norm_zero_clips_nothing():
    large = moments_after(0.0, 1e6)
    assert max(float(jnp.max(leaf)) for leaf in large) > 1e8


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf, -jnp.inf])
def test_a_non_finite_gradient_changes_nothing_and_is_counted(schedule, bad):
    optimizer = build_optimizer(TrainingConfig(schedule=schedule, steps=10))
    update = jax.jit(optimizer.update)
    _, before = update(ONES, optimizer.init(PARAMS), PARAMS, value=2.0)
    grads = {**ONES, "a": jnp.array([1.0, bad])}
    updates, after = update(grads, before, PARAMS, value=jnp.nan)
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(updates))
    old, new = before.inner_state, after.inner_state
    jax.tree.map(np.testing.assert_array_equal, old, new)
    assert int(nonfinite_steps(before)) == 0
    assert int(nonfinite_steps(after)) == 1
    # The next good step goes on as if the bad one had not been.
    expected, _ = update(ONES, before, PARAMS, value=2.0)
    updates, after = update(ONES, after, PARAMS, value=2.0)
    jax.tree.map(np.testing.assert_array_equal, updates, expected)
    assert int(nonfinite_steps(after)) == 1


def test_skipping_never_gives_up():
    optimizer = build_optimizer(TrainingConfig(steps=10))
    grads = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), PARAMS)

    def step(state, _):
        updates, state = optimizer.update(grads, state, PARAMS, value=1.0)
        return state, updates

    state, updates = jax.lax.scan(step, optimizer.init(PARAMS), length=500)
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(updates))
    assert int(nonfinite_steps(state)) == 500


def test_members_of_an_ensemble_have_schedules_and_guards_of_their_own():
    optimizer = build_optimizer(plateau())
    params = jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), PARAMS)
    state = jax.vmap(optimizer.init)(params)
    update = jax.jit(jax.vmap(lambda g, s, p, v: optimizer.update(g, s, p, value=v)))
    grads = jax.tree.map(jnp.ones_like, params)
    grads = {**grads, "b": grads["b"].at[2].set(jnp.nan)}
    for step in range(6):
        # The first stagnates, the second improves, the third is not finite.
        values = jnp.array([1.0, 0.9**step, 0.9**step])
        updates, state = update(grads, state, params, values)
    np.testing.assert_allclose(-updates["b"], [0.05, 0.1, 0.0], rtol=1e-6)
    np.testing.assert_array_equal(jax.vmap(nonfinite_steps)(state), [0, 0, 6])

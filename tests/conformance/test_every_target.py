"""What every target of the table must hold; a new row is tested by itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerances import F32, F64

from sesamo_jax.geometry.slices import shape_before_symmetry
from sesamo_jax.targets import TARGETS, build_target


@pytest.fixture(params=TARGETS)
def registered(request):
    return build_target(request.param)


@pytest.fixture
def fields(registered, rng):
    scale = registered.prior_variance**0.5
    shape = (5, *registered.event_shape)
    return jnp.asarray(rng.normal(0, scale, shape), registered.dtype)


def test_action_is_a_differentiable_scalar_of_the_declared_dtype(registered, fields):
    values = jax.jit(jax.vmap(registered.action))(fields)
    assert values.shape == (5,)
    assert values.dtype == registered.dtype
    one_by_one = [float(registered.action(x)) for x in fields]
    tolerance = F32 if registered.dtype == np.float32 else F64
    np.testing.assert_allclose(values, one_by_one, rtol=tolerance)
    gradients = jax.jit(jax.vmap(jax.grad(registered.action)))(fields)
    assert gradients.shape == fields.shape
    assert np.all(np.isfinite(gradients))
    assert np.all(np.max(np.abs(gradients.reshape(5, -1)), axis=1) > 0)


def test_gradient_is_that_of_finite_differences(registered, fields, rng):
    x = np.asarray(fields[0], np.float64)
    direction = rng.normal(size=x.shape)
    direction /= np.linalg.norm(direction)
    action = jax.jit(registered.action)
    above, below = (action(x + h * direction) for h in (1e-5, -1e-5))
    slope = np.sum(jax.grad(registered.action)(jnp.asarray(x)) * direction)
    np.testing.assert_allclose(slope, (above - below) / 2e-5, rtol=1e-6, atol=1e-6)


def test_observables_and_references_fit_the_target(registered, fields):
    observed = jax.jit(jax.vmap(registered.observe))(fields)
    for name, values in observed.items():
        assert np.all(np.isfinite(values)), name
    assert set(registered.exact.observables) <= {*observed, *registered.derived}
    for inputs, _ in registered.derived.values():
        assert set(inputs) <= set(observed)
    exact = registered.exact
    if exact.sectors is not None:
        assert exact.sectors.shape == (registered.symmetry.order,)
        np.testing.assert_allclose(exact.sectors.sum(), 1, atol=F64)
        assert np.all(exact.sectors > 0)
        assert exact.source


def test_exact_samples_have_the_declared_shape_and_dtype(registered, key):
    if registered.sample is None:
        pytest.skip("no exact sampler")
    x = jax.eval_shape(lambda key: registered.sample(key, 7), key)
    assert x.shape == (7, *registered.event_shape)
    assert x.dtype == registered.dtype


@pytest.mark.parametrize("name", TARGETS)
def test_actions_are_invariant_under_exact_factors_and_no_others(name, rng):
    target = TARGETS[name].build(name)
    factors = getattr(target.symmetry, "factors", None)
    if not factors:
        pytest.skip("no finite group")
    scale = target.prior_variance**0.5
    x = rng.normal(0, scale, (20, *target.event_shape)).astype(target.dtype)
    action = jax.jit(jax.vmap(target.action))
    before, n = action(x), len(factors)
    tolerance = F32 if target.dtype == np.float32 else F64
    for index, factor in enumerate(factors):
        digits = [np.arange(factor.order) if i == index else 0 for i in range(n)]
        elements = np.ravel_multi_index(digits, [f.order for f in factors])

        def moved_action(x, g, act=target.symmetry.act):
            return target.action(act(g, x)[0])

        orbits = jax.jit(jax.vmap(jax.vmap(moved_action, (None, 0)), (0, None)))
        scaled = np.abs(orbits(x, elements[1:]) - before[:, None])
        changes = np.max(scaled / (1 + np.abs(before[:, None])), axis=0)
        if factor.broken:
            assert min(changes) > 10 * tolerance
        else:
            assert max(changes) < tolerance


@pytest.mark.parametrize("name", TARGETS)
def test_actions_are_invariant_under_rotations_unless_they_break_them(name, rng):
    target = build_target(name, dtype="float64")
    symmetry = target.symmetry
    if symmetry is None or symmetry.order is not None:
        pytest.skip("no continuous group")
    y = jnp.asarray(rng.normal(size=shape_before_symmetry(target)))

    def moved_action(x):
        return target.action(symmetry.act(symmetry.sector(x), y)[0])

    turned = rng.normal(size=(20, *target.event_shape))
    actions = jax.jit(jax.vmap(moved_action))(turned)
    assert (np.ptp(actions) < F64 * (1 + abs(actions[0]))) == (not symmetry.broken)


@pytest.mark.parametrize("name", TARGETS)
def test_actions_in_float32_are_those_in_float64(name, rng):
    try:
        single, double = (
            build_target(name, dtype=dtype) for dtype in ("float32", "float64")
        )
    except ValueError:
        pytest.skip("a target in float64 only")
    scale = double.prior_variance**0.5
    x = rng.normal(0, scale, (20, *double.event_shape))
    exact = np.asarray(jax.jit(jax.vmap(double.action))(x))
    found = jax.jit(jax.vmap(single.action))(x.astype(np.float32))
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, exact, rtol=F32, atol=F32 * np.ptp(exact))

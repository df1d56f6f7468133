"""What every registered target declares, and which parameters are refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerances import F32, F64

from sesamo_jax.core import Target
from sesamo_jax.targets import TARGETS, build_target
from sesamo_jax.targets.gaussian_mixture import GaussianMixture
from sesamo_jax.targets.hubbard.target import Hubbard


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


@pytest.mark.parametrize(
    "config",
    [GaussianMixture(dtype="float64"), Hubbard(), Hubbard(time_slices=2)],
    ids=["gmm", "hubbard", "hubbard-2-slices"],
)
def test_float64_targets_ask_for_x64(config):
    with (
        jax.enable_x64(False),
        pytest.raises(ValueError, match="needs float64.*jax_enable_x64"),
    ):
        config.build()


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("gmm", {"modes": 1}, "target.modes=1 must be at least 2"),
        ("gmm", {"radius": 0.0}, r"target.radius=0\.0 must be positive"),
        ("hubbard", {"u": 0.0}, r"target.u=0\.0 must be positive.*real auxiliary"),
        ("hubbard", {"beta": -1.0}, r"target.beta=-1\.0 must be positive"),
        ("hubbard", {"lattice": "cube"}, "target.lattice 'cube'; known: chain, ring"),
        (
            "hubbard",
            {"extents": (1,)},
            r"target.extents=\(1,\) is too small for a chain",
        ),
        (
            "hubbard",
            {"lattice": "ring"},
            r"target.extents=\(2,\) is too small for a ring",
        ),
        ("hubbard", {"edges": ((0, 1),)}, "edges is for target.lattice=graph"),
        (
            "hubbard",
            {"lattice": "graph", "edges": ((0, 2),)},
            "target.edges: 0-2 is out of range for 2 sites",
        ),
        (
            "hubbard",
            {"lattice": "ring", "extents": (5,), "time_slices": 3},
            r"'ring' with extents \(5,\) has a closed path of odd length",
        ),
        ("hubbard", {"time_slices": 0}, "target.time_slices=0 must be at least 1"),
        ("hubbard", {"dtype": "float32"}, "'float32'.*leave target.dtype at float64"),
        ("dw4", {"particles": 1}, "target.particles=1 must be at least 2: without the"),
        ("lj13", {"dimension": 0}, "target.dimension=0 must be at least 1"),
        ("dw2", {"temperature": 0.0}, r"target.temperature=0\.0 must be positive"),
        (
            "lj13",
            {"temperature": float("inf")},
            "target.temperature=inf must be fin",
        ),
        ("lj13", {"pairs": "thrice"}, "target.pairs 'thrice'; known: once, twice"),
        ("dw4", {"quartic": 0.0}, r"target.quartic=0\.0 must be positive"),
        ("dw2", {"offset": -4.0}, r"target.offset=-4\.0 must be positive"),
        ("lj13", {"epsilon": -1.0}, r"target.epsilon=-1\.0 must be positive"),
        ("lj13", {"radius": 0.0}, r"target.radius=0\.0 must be positive"),
        ("lj13", {"oscillator": 0.0}, r"target.oscillator=0\.0 must be positive"),
        (
            "lj13",
            {"temperature": 1e-3},
            r"'float32' is too coarse for actions as low as -1\.6e\+05: use float64",
        ),
        ("ising", {}, "unknown target 'ising'; known: .*gmm.*hubbard"),
    ],
)
def test_impossible_parameters_are_refused_by_name_and_value(name, fields, message):
    with pytest.raises(ValueError, match=message) as error:
        build_target(name, **fields)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("event_shape", [(), (0,), (2, -1)])
def test_empty_events_are_refused(event_shape):
    with pytest.raises(ValueError, match=r"'x': event_shape .* positive extents"):
        Target("x", event_shape, jnp.sum)

"""Continuous flows: divergence, log-determinant, symmetries, accuracy and bounds."""

from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import random_params
from tolerances import F64

from sesamo_jax.flows import FLOWS
from sesamo_jax.flows.continuous import lattice as lattice_flow
from sesamo_jax.flows.continuous.lattice import ContinuousConfig
from sesamo_jax.flows.continuous.lattice_kernel import LatticeKernel
from sesamo_jax.flows.continuous.slice import SliceContinuousConfig
from sesamo_jax.geometry.lattice import Lattice

# Asymmetric numbers of everything, and more steps than are unrolled, which compile
# faster. The bound on the slope is out of the way: where it acts, v has kinks in time
# and no integrator its full order.
SIZES = {"features": 4, "reach": 3.0, "width": 0.9, "time_modes": 3}
SIZES |= {"steps": 20, "slope": 50.0}
REAL = ContinuousConfig(**SIZES)
SLICE = SliceContinuousConfig(**SIZES)
CASES = {
    "real-(4,6)": (REAL, (4, 6)),
    "real-(2,4,2)": (REAL, (2, 4, 2)),
    "real-(4,4)": (REAL, (4, 4)),
    "slice-(2,6,2)": (SLICE, (2, 6, 2)),
    "slice-(4,4,2)": (SLICE, (4, 4, 2)),
}
every_flow = pytest.mark.parametrize("name", CASES)
slices = pytest.mark.parametrize("name", [name for name in CASES if "slice" in name])
reals = pytest.mark.parametrize("name", [name for name in CASES if "real" in name])
ASYMMETRIC = ["real-(4,6)", "slice-(2,6,2)"]
one_of_each = pytest.mark.parametrize("name", ASYMMETRIC)
FORWARD, INVERSE = "forward_and_log_det", "inverse_and_log_det"
DIRECTIONS = [(name, FORWARD) for name in CASES]
DIRECTIONS += [(name, INVERSE) for name in ASYMMETRIC]
every_direction = pytest.mark.parametrize(("name", "method"), DIRECTIONS)


def in_steps(config, steps):
    """Return the same flow, for the bound is on the slope per step, in other steps."""
    return replace(config, steps=steps, slope=config.slope * config.steps / steps)


@cache
def parameters(name, gain=1.5):
    config, shape = CASES[name]
    event = jnp.ones(shape, jnp.float64)
    init = partial(config.build(shape, jnp.float64).init, jax.random.key(0), event)
    return random_params(partial(init, method=FORWARD), np.random.default_rng(7), gain)


@cache
def jitted(name, method, steps=20, tolerance=0.0):
    """Return one direction of a random flow in so many steps."""
    config, shape = CASES[name]
    flow = in_steps(config, steps).build(shape, jnp.float64, tolerance)
    return jax.jit(partial(flow.apply, parameters(name), method=method))


def event(name, rng):
    """Return a field, of complex ones one on the slice with m > 0."""
    config, shape = CASES[name]
    z = rng.normal(size=shape)
    if isinstance(config, SliceContinuousConfig):
        z[..., 0] += 1.2
        z[..., 1] -= z[..., 1].mean()
    return z


def lattice_of(name):
    config, shape = CASES[name]
    return shape[:-1] if isinstance(config, SliceContinuousConfig) else shape


def velocity(flow, params):
    """Return the jitted (t, x) -> (v, div v), x of shape (components, sites)."""

    def method(module, t, x):
        return module._velocity()(t, x)

    return jax.jit(partial(flow.apply, params, method=method))


@every_flow
def test_closed_divergence_is_the_trace_of_the_jacobian(name, rng):
    config, shape = CASES[name]
    flow = config.build(shape, jnp.float64)
    v = velocity(flow, parameters(name))
    x = event(name, rng).reshape(-1, flow.components).T
    jacobian = jax.jit(jax.jacfwd(lambda t, x: v(t, x)[0], argnums=1))
    times = (0.0, 0.3, 1.0)
    traces = [np.trace(np.reshape(jacobian(t, x), (x.size, x.size))) for t in times]
    assert np.max(np.abs(traces)) > 0.1
    np.testing.assert_allclose([v(t, x)[1] for t in times], traces, atol=F64)


def axis_reflections(dimensions):
    return [partial(np.flip, axis=axis) for axis in range(dimensions)]


def lattice_symmetries(lattice):
    """Return generators of the lattice's group, acting on (*lattice, ...)."""
    moves = [partial(np.roll, shift=1, axis=axis) for axis in range(len(lattice))]
    moves += axis_reflections(len(lattice))
    if len(set(lattice)) == 1:
        moves.append(partial(np.swapaxes, axis1=0, axis2=1))
    return moves


@pytest.mark.slow
@every_direction
def test_symmetries_of_the_lattice_commute_with_the_flow(name, method, rng):
    function, z = jitted(name, method), event(name, rng)
    y, log_det = function(z)
    assert np.max(np.abs(y - z)) > 0.1
    for move in lattice_symmetries(lattice_of(name)):
        image, image_log_det = function(move(z))
        assert np.max(np.abs(move(y) - y)) > 0.1
        np.testing.assert_allclose(image, move(y), atol=F64)
        np.testing.assert_allclose(image_log_det, log_det, atol=F64)


@one_of_each
def test_other_permutations_of_sites_do_not_commute_with_the_flow(name, rng):
    """The kernels do reach over the lattice: the test above can fail."""
    function, z = jitted(name, FORWARD), event(name, rng)
    order = rng.permutation(np.prod(lattice_of(name)))

    def move(z):
        return z.reshape(order.size, -1)[order].reshape(z.shape)

    assert np.max(np.abs(function(move(z))[0] - move(np.asarray(function(z)[0])))) > 0.1


@reals
def test_sign_flips_commute_with_a_real_flow(name, rng):
    function, z = jitted(name, FORWARD), event(name, rng)
    (y, log_det), (flipped, flipped_log_det) = function(z), function(-z)
    np.testing.assert_allclose(flipped, -y, atol=F64)
    np.testing.assert_allclose(flipped_log_det, log_det, atol=F64)


@slices
@pytest.mark.parametrize("method", [FORWARD, INVERSE])
def test_a_slice_flow_stays_on_the_slice_and_commutes_with_conjugation(
    name, method, rng
):
    function, z = jitted(name, method), event(name, rng)
    y, log_det = function(z)
    total = np.sum(y, axis=tuple(range(y.ndim - 1)))
    assert abs(total[1]) < F64
    assert total[0] > 0
    conjugate = np.array([1.0, -1.0])
    image, image_log_det = function(z * conjugate)
    np.testing.assert_allclose(image, y * conjugate, atol=F64)
    np.testing.assert_allclose(image_log_det, log_det, atol=F64)


@slices
def test_phases_commute_with_the_flow_behind_the_slice(name, rng):
    config, shape = CASES[name]
    flow = config.build(shape, jnp.float64)

    @jax.jit
    def whole(x):
        return flow.apply(parameters(name), x, 0.0, 1.0, method="_integrate")

    x = rng.normal(size=(2, int(np.prod(lattice_of(name)))))
    y, log_det = whole(x)
    cos, sin = np.cos(0.8), np.sin(0.8)
    rotation = np.array([[cos, -sin], [sin, cos]])
    image, image_log_det = whole(rotation @ x)
    assert np.max(np.abs(y - x)) > 0.1
    np.testing.assert_allclose(image, rotation @ y, atol=F64)
    np.testing.assert_allclose(image_log_det, log_det, atol=F64)


@slices
def test_the_slice_flow_turns_an_off_slice_mean_back(name, rng):
    """The factor m / m' of the log-determinant, apart from the rest of it."""
    config, shape = CASES[name]
    flow = config.build(shape, jnp.float64)
    z = event(name, rng)

    @jax.jit
    def whole(x):
        return flow.apply(parameters(name), x, 0.0, 1.0, method="_integrate")

    x, volume = whole(z.reshape(-1, 2).T)
    y, log_det = jitted(name, FORWARD)(z)
    mean = complex(*np.mean(x, axis=1))
    turned = (x[0] + 1j * x[1]) * abs(mean) / mean
    np.testing.assert_allclose(
        y.reshape(-1, 2), np.stack([turned.real, turned.imag], 1), atol=F64
    )
    shrinking = np.log(z[..., 0].mean() / abs(mean))
    assert abs(shrinking) > 1e-3
    np.testing.assert_allclose(log_det, volume + shrinking, atol=F64)


@pytest.mark.slow
@every_flow
def test_there_and_back_converges_at_fifth_order(name, rng):
    z = event(name, rng)

    def errors(steps):
        y, log_det = jitted(name, FORWARD, steps)(z)
        back, back_log_det = jitted(name, INVERSE, steps)(y)
        return np.max(np.abs(back - z)), abs(float(log_det + back_log_det))

    coarse, fine = errors(20), errors(80)
    for ratio, error in zip(np.divide(coarse, fine), fine, strict=True):
        assert error > 1e-14
        assert ratio > 500


@one_of_each
def test_one_way_converges_to_the_adaptive_integration_at_fifth_order(name, rng):
    z = event(name, rng)
    exact, exact_log_det = jitted(name, FORWARD, 20, 1e-12)(z)

    def errors(steps):
        y, log_det = jitted(name, FORWARD, steps)(z)
        return np.max(np.abs(y - exact)), abs(float(log_det - exact_log_det))

    coarse, fine = errors(20), errors(80)
    for ratio, error in zip(np.divide(coarse, fine), fine, strict=True):
        assert 1e-13 < error < 1e-4
        assert ratio > 500


@pytest.mark.slow
@pytest.mark.parametrize("lattice", [(3, 5), (4, 6), (2, 4, 2), (4, 4), (7,)])
def test_dense_and_fourier_convolutions_agree(lattice, rng):
    flow = REAL.build(lattice, jnp.float64)
    zero = partial(flow.init, jax.random.key(0), jnp.ones(lattice), method=FORWARD)
    params = random_params(zero, rng)
    weights = jnp.asarray(rng.normal(size=REAL.time_modes))
    fields = [jnp.asarray(rng.normal(size=4 * np.prod(lattice))) for _ in range(2)]

    kernel = LatticeKernel(flow.bind(params).kernel, Lattice(lattice), jnp.float64)
    dense, fourier = (
        build()[1](weights, fields) for build in (kernel.dense, kernel.fourier)
    )
    assert np.std(dense[0]) > 0.1
    assert np.max(np.abs(dense[0] - dense[1])) > 0.1
    np.testing.assert_allclose(dense, fourier, atol=F64)
    # and both are the sum of the module's first line
    classes = kernel.classes
    kernel = np.asarray(params["params"]["kernel"])
    kernel = np.tensordot(weights, kernel / np.bincount(classes.ravel()), 1)
    h_x = np.reshape(fields[0], (4, *lattice))
    for site in (0, int(np.prod(lattice)) - 1):
        j = np.unravel_index(site, lattice)
        total = sum(
            kernel[:, classes[tuple(np.subtract(j, k) % lattice)]] @ h_x[(..., *k)]
            for k in np.ndindex(lattice)
        )
        np.testing.assert_allclose(dense[0][site], total, atol=F64)


@one_of_each
def test_large_lattices_take_the_same_map_by_fourier_transforms(name, rng, monkeypatch):
    z = event(name, rng)
    y, log_det = jitted(name, FORWARD)(z)
    config, shape = CASES[name]
    monkeypatch.setattr(lattice_flow, "LARGEST_DENSE", 0)
    monkeypatch.setattr(lattice_flow.LatticeKernel, "dense", None)
    flow = config.build(shape, jnp.float64)
    again, again_log_det = jax.jit(partial(flow.apply, method=FORWARD))(
        parameters(name), z
    )
    np.testing.assert_allclose(again, y, atol=F64)
    np.testing.assert_allclose(again_log_det, log_det, atol=F64)


STEEP = 0.25


def steepest(name, gain, largest):
    """Return the largest |dv/dx| on uniform fields with |x|^2 up to `largest`."""
    config, shape = CASES[name]
    flow = replace(config, slope=STEEP).build(shape, jnp.float64)
    params = jax.tree.map(lambda leaf: gain * leaf, parameters(name))
    v = velocity(flow, params)
    sites = int(np.prod(lattice_of(name)))
    direction = jnp.eye(flow.components)[:, :1] * jnp.ones(sites)

    def norm(t, square):
        x = jnp.sqrt(square) * direction
        jacobian = jax.jacfwd(lambda x: v(t, x)[0])(x).reshape(x.size, x.size)
        return jnp.max(jnp.abs(jnp.linalg.eigvalsh(jacobian)))

    times, squares = jnp.linspace(0, 1, 6), jnp.linspace(0, largest, 97)
    table = jax.vmap(jax.vmap(norm, (None, 0)), (0, None))
    return float(jnp.max(jax.jit(table)(times, squares)))


@one_of_each
def test_steep_kernels_are_scaled_to_the_bound_on_the_slope(name):
    """Within the reach of the bumps; on the grid of the bound, to a percent."""
    bound = STEEP * CASES[name][0].steps
    assert 0.5 * bound < steepest(name, 100.0, 3.0) < 1.01 * bound


@one_of_each
def test_steep_kernels_obey_the_bound_on_fields_of_any_size(name):
    """Past the last centre a bump falls off more steeply than anywhere before it."""
    bound = STEEP * CASES[name][0].steps
    assert steepest(name, 100.0, 9.0) < 1.01 * bound


def test_gentle_kernels_are_left_alone():
    """Far below the bound v is linear in the kernels."""
    one, two = (steepest("real-(4,6)", gain, REAL.reach) for gain in (0.002, 0.004))
    assert two == pytest.approx(2 * one, rel=1e-6)


@one_of_each
def test_flows_start_as_the_identity(name, rng):
    config, shape = CASES[name]
    flow, z = config.build(shape, jnp.float64), event(name, rng)
    start = jax.jit(partial(flow.init, method=FORWARD))(jax.random.key(0), z)
    for method in (FORWARD, INVERSE):
        y, log_det = jax.jit(partial(flow.apply, method=method))(start, z)
        np.testing.assert_allclose(y, z, atol=1e-14)
        assert abs(float(log_det)) < 1e-14


def test_the_finer_flow_is_the_same_in_smaller_steps(rng):
    name = "real-(4,6)"
    z = event(name, rng)
    finer = REAL.finer()
    assert finer.steps == 4 * REAL.steps
    flow = finer.build((4, 6), jnp.float64)
    assert finer.slope * finer.steps == REAL.slope * REAL.steps
    y = jax.jit(partial(flow.apply, method=FORWARD))(parameters(name), z)[0]
    exact = jitted(name, FORWARD, 20, 1e-12)(z)[0]
    coarse = jitted(name, FORWARD)(z)[0]
    assert np.max(np.abs(y - exact)) < np.max(np.abs(coarse - exact)) / 100


@pytest.mark.parametrize("kind", ["continuous", "slice_continuous"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("features", 2),
        ("reach", 0.0),
        ("width", -0.8),
        ("width", float("nan")),
        ("time_modes", 0),
        ("steps", 0),
        ("slope", -0.5),
    ],
)
def test_bad_sizes_are_refused_by_name_and_value(kind, field, value):
    config = replace(FLOWS[kind], **{field: value})
    with pytest.raises(ValueError, match=f"^flow.{field}={value} must be") as error:
        config.build((4, 4, 2), jnp.float32)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("shape", [(4, 8), (4, 4, 5), (2,), (3, 1)])
def test_a_slice_flow_of_other_fields_is_refused(shape):
    with pytest.raises(ValueError, match="needs fields of shape") as error:
        SLICE.build(shape, jnp.float32)
    assert str(shape) in str(error.value)
    assert "\n" not in str(error.value)

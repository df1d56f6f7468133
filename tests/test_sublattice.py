"""The even sites of a lattice: places, neighbours, bases and flows there."""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import random_params
from tolerances import F64

from sesamo_jax.bases.slice import SliceGaussian
from sesamo_jax.bases.spectral import SpectralGaussian, nested
from sesamo_jax.flows.continuous import lattice as lattice_flow
from sesamo_jax.flows.continuous.lattice import ContinuousConfig
from sesamo_jax.flows.continuous.slice import SliceContinuousConfig
from sesamo_jax.geometry.lattice import displacement_classes
from sesamo_jax.geometry.sublattice import EvenSites

EXTENTS = [(4,), (2,), (4, 6), (2, 2), (2, 4), (4, 2, 6)]
every_lattice = pytest.mark.parametrize("extents", EXTENTS)


def is_even(extents):
    return np.indices(extents).sum(axis=0) % 2 == 0


@every_lattice
def test_fields_are_taken_apart_and_put_together(extents, rng):
    sites, x = EvenSites(extents), rng.normal(size=(*extents, 3))
    even, odd = sites.split(x)
    assert even.shape == (*sites.shape, 3)
    np.testing.assert_array_equal(sites.merge(even, odd), x)
    here = is_even(extents)
    np.testing.assert_array_equal(sites.occupied, here)
    np.testing.assert_array_equal(np.sort(even, axis=None), np.sort(x[here], axis=None))
    alone = np.where(here[..., None], x, 0)
    np.testing.assert_array_equal(sites.embed(even), alone)


@every_lattice
def test_odd_sites_have_the_neighbours_of_the_lattice(extents, rng):
    """Twice the same one across an extent of 2."""
    sites, x = EvenSites(extents), rng.normal(size=(*extents, 3))
    total = sum(np.roll(x, s, a) for a in range(len(extents)) for s in (1, -1))
    even, _ = sites.split(x)
    expected = sites.split(total)[1]
    np.testing.assert_allclose(sites.neighbour_sums(even), expected, atol=F64)
    mean = expected / (2 * len(extents))
    np.testing.assert_allclose(sites.filled(even), sites.merge(even, mean), atol=F64)


def test_an_odd_extent_has_no_even_sites():
    with pytest.raises(ValueError, match=r"\(4, 5\).*must be even"):
        EvenSites((4, 5))


@every_lattice
def test_momenta_that_differ_by_pi_are_one(extents):
    classes, first = EvenSites(extents).momentum_classes()
    whole, _ = displacement_classes(extents)
    half = tuple(extent // 2 for extent in extents)
    np.testing.assert_array_equal(np.roll(classes, half, range(len(extents))), classes)
    np.testing.assert_array_equal(classes.ravel()[first], np.arange(first.size))
    for group in range(first.size):
        inside = whole[classes == group]
        assert set(whole[np.isin(whole, inside)]) == set(inside)


def spectra(extents, components, rng):
    """Return spectra with the symmetries of the even sites."""
    classes, first = EvenSites(extents).momentum_classes()
    return rng.uniform(0.3, 2.0, (components, first.size))[:, classes]


def log_volume(function, x):
    """Return the log volume of the image of a linear map's input space."""
    matrix = np.asarray(jax.jacfwd(function)(x)).reshape(x.size, -1)
    return np.linalg.slogdet(matrix)[1]


@pytest.mark.parametrize("extents", [(4, 6), (2, 4)])
def test_a_spectral_base_has_the_density_of_its_samples(extents, rng):
    sites = EvenSites(extents)
    spectrum = nested(spectra(extents, 1, rng)[0])
    base = SpectralGaussian(sites, 0.4, spectrum, jnp.float64)
    noise = jnp.asarray(rng.normal(size=sites.shape))
    params = base.init(jax.random.key(0), noise, method="from_noise")
    draw = jax.jit(partial(base.apply, params, method="from_noise"))
    z, log_q = draw(noise)
    volume = log_volume(lambda n: draw(n)[0], noise)
    white = -0.5 * np.sum(noise**2) - noise.size / 2 * np.log(2 * np.pi)
    assert log_q == pytest.approx(float(white - volume), abs=F64)
    again = base.apply(params, z, method="log_prob")
    assert float(again) == pytest.approx(float(log_q), abs=F64)
    square = jnp.mean(jnp.sum(jax.jacfwd(lambda n: draw(n)[0])(noise) ** 2, (-2, -1)))
    assert base.scale**2 == pytest.approx(0.4**2 + float(square), abs=F64)


def test_a_slice_base_has_the_same_density_both_ways_and_its_unit(rng):
    extents = (2, 4)
    sites = EvenSites(extents)
    start = nested(spectra(extents, 2, rng))
    base = SliceGaussian(sites, 2, 0.3, start, jnp.float64)
    noise = jnp.asarray(rng.normal(size=(20_000, *sites.shape, 2)))
    params = base.init(jax.random.key(0), noise[0], method="from_noise")
    draw = jax.jit(jax.vmap(partial(base.apply, params, method="from_noise")))
    z, log_q = draw(noise)
    log_prob = jax.jit(jax.vmap(partial(base.apply, params, method="log_prob")))
    np.testing.assert_allclose(log_prob(z), log_q, atol=F64)
    squares = np.sum(np.asarray(z) ** 2, axis=-1).mean(axis=(1, 2))
    error = squares.std() / len(squares) ** 0.5
    assert abs(squares.mean() - base.scale**2) < 5 * error


SIZES = {"features": 4, "reach": 3.0, "width": 0.9, "time_modes": 2}
SIZES |= {"steps": 12, "slope": 20.0}
FLOWS = {
    "real-(4,6)": (ContinuousConfig(**SIZES), (4, 6), ()),
    "real-(2,4)": (ContinuousConfig(**SIZES), (2, 4), ()),
    "slice-(4,4)": (SliceContinuousConfig(**SIZES), (4, 4), (2,)),
}
every_flow = pytest.mark.parametrize("name", FLOWS)


def random_flow(name):
    """Return a flow on even sites and random parameters of it."""
    config, extents, parts = FLOWS[name]
    sites = EvenSites(extents)
    shape = (*sites.shape, *parts)
    flow = config.build_on_even_sites(sites, shape, jnp.float64)
    event = jnp.ones(shape, jnp.float64)
    init = partial(flow.init, jax.random.key(0), event, method="forward_and_log_det")
    return flow, random_params(init, np.random.default_rng(7), 1.5), sites


@every_flow
def test_closed_divergence_is_the_trace_of_the_jacobian(name, rng):
    flow, params, sites = random_flow(name)
    x = rng.normal(size=(flow.components, int(np.prod(sites.shape))))

    def velocity(x):
        return flow.apply(params, 0.3, x, method=lambda m, t, x: m._velocity()(t, x))

    rate = jax.jit(velocity)(x)[1]
    jacobian = jax.jit(jax.jacfwd(lambda x: velocity(x)[0]))(x)
    trace = np.trace(np.reshape(jacobian, (x.size, x.size)))
    assert abs(trace) > 0.1
    assert float(rate) == pytest.approx(trace, abs=F64)


@pytest.mark.slow  # compiles much
@every_flow
def test_fourier_transforms_give_what_one_product_gives(name, rng, monkeypatch):
    flow, params, sites = random_flow(name)
    x = rng.normal(size=(flow.components, int(np.prod(sites.shape))))

    def velocity(x):
        return flow.apply(params, 0.3, x, method=lambda m, t, x: m._velocity()(t, x))[0]

    dense = velocity(x)
    monkeypatch.setattr(lattice_flow, "LARGEST_DENSE", 0)
    np.testing.assert_allclose(velocity(x), dense, atol=F64)


def even_moves(extents):
    """Return symmetries of the lattice that take even sites to even sites."""
    moves = [lambda x, s=s: np.roll(x, (1, s), (0, 1)) for s in (1, -1)]
    # About the site 0, which stays where it is.
    moves += [lambda x, a=a: np.roll(np.flip(x, a), 1, a) for a in (0, 1)]
    return [*moves, np.transpose] if len(set(extents)) == 1 else moves


@pytest.mark.slow  # compiles much
def test_symmetries_of_the_even_sites_commute_with_the_flow(rng):
    flow, params, sites = random_flow("real-(4,6)")
    forward = jax.jit(partial(flow.apply, params, method="forward_and_log_det"))
    inverse = jax.jit(partial(flow.apply, params, method="inverse_and_log_det"))
    z = jnp.asarray(rng.normal(size=sites.shape))
    y, log_det = forward(z)
    assert np.max(np.abs(y - z)) > 0.1
    for move in even_moves(sites.extents):
        image = sites.restrict(jnp.asarray(move(np.asarray(sites.embed(z)))))
        expected = sites.restrict(jnp.asarray(move(np.asarray(sites.embed(y)))))
        found, found_log_det = forward(image)
        np.testing.assert_allclose(found, expected, atol=F64)
        assert float(found_log_det) == pytest.approx(float(log_det), abs=F64)
    jacobian = np.reshape(jax.jacfwd(lambda z: forward(z)[0])(z), (z.size, z.size))
    assert float(log_det) == pytest.approx(np.linalg.slogdet(jacobian)[1], abs=1e-4)
    back, back_log_det = inverse(y)
    np.testing.assert_allclose(back, z, atol=1e-3)
    assert float(back_log_det) == pytest.approx(-float(log_det), abs=1e-3)


def test_the_bound_on_the_slope_holds_for_every_wave(rng):
    """The largest singular value of dv/dx, by autodiff, on fields of one size.

    With signs that alternate from row to row, the means of neighbours are all 0.
    """
    flow, params, sites = random_flow("real-(4,6)")
    config = flow.config
    bounded = flow.clone(config=type(config)(**SIZES | {"slope": 0.05, "steps": 2}))

    def velocity(x):
        apply = partial(bounded.apply, params)
        return apply(0.3, x, method=lambda m, t, x: m._velocity()(t, x))[0]

    jacobian = jax.jit(jax.jacfwd(velocity))
    largest = 0.0
    rows = np.array([[1.0], [-1.0]] * (sites.shape[0] // 2))
    for value, signs in product(np.linspace(0, 2, 9), (1.0, rows)):
        x = np.broadcast_to(value * signs, sites.shape).reshape(1, -1)
        matrix = np.reshape(jacobian(x), (x.size, x.size))
        largest = max(largest, np.linalg.norm(matrix, 2))
    assert 0.5 * 0.1 < largest < 1.001 * 0.1

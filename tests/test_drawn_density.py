"""The density of a drawn sample is known as drawn, whatever rounding does to it.

Rounding loses most where a folded base ends: there noise is placed within a few units
in the last place of the cell's border.
"""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import random_params
from tolerances import F64

from sesamo_jax.config import BaseConfig, Config, VMoNFConfig, build_model
from sesamo_jax.core import Target
from sesamo_jax.flows import FLOWS, ContinuousConfig, RealNVPConfig
from sesamo_jax.samplers.weighting import log_q
from sesamo_jax.symmetries import Z2, Cyclic, sign_flips
from sesamo_jax.targets import build_target

DRAWS = 400
SMOOTH = RealNVPConfig(2, 1, 8, "tanh", shared=True, log_scale_bound=0.3)
WILD = RealNVPConfig(3, 1, 8, "relu", shared=False, log_scale_bound=0.0)
FIELD = ContinuousConfig(features=3, time_modes=1, steps=2)
SLICE = BaseConfig(kind="slice")
# The same in twice the digits, where rounding is easier to bear.
DOUBLE = pytest.param("float64", marks=pytest.mark.slow)
every_type = pytest.mark.parametrize("dtype", ["float32", DOUBLE])


def well(symmetry, dtype):
    """Return a target that knows none of the symmetry it is given."""

    def action(x):
        return jnp.sum((x.ravel() - 0.3) ** 2) / 3 + 0.4 * jnp.sin(x.ravel()[0])

    shape = getattr(symmetry, "event_shape", (2,))
    return Target("well", shape, action, symmetry, dtype)


MODELS = {
    "heat_bath": (Cyclic(5, True), Config(flow=WILD)),
    "learned": (Cyclic(3, True), Config("sesamo", "learned", flow=SMOOTH)),
    "exact": (Z2((3,), cell=(1, 2)), Config("sesamo", "exact", flow=WILD)),
    "autoregressive": (
        sign_flips((2,), [[0], [1]]),
        Config("sesamo", "autoregressive", flow=SMOOTH),
    ),
    "continuous": (Z2((2, 2), (0, 3), broken=True), Config(flow=FIELD)),
    "folded-cyclic": (Cyclic(7), Config("canonicalization", flow=WILD)),
    "folded-z2": (Z2((3,), cell=(0, 2)), Config("canonicalization", flow=WILD)),
    "folded-flips": (
        sign_flips((2,), [[1], [0]], exact_global_flip=True),
        Config("canonicalization", flow=SMOOTH),
    ),
    "folded-continuous": (Z2((2, 2)), Config("canonicalization", flow=FIELD)),
    "mixture": (Cyclic(3), Config("vmonf", flow=WILD, vmonf=VMoNFConfig(3, 4, 0))),
}


def at_the_border(symmetry, noise):
    """Return noise moved to its cell's border, on either side, by bisection."""
    sector = jax.jit(jax.vmap(symmetry.sector))
    inside, outside = noise, np.roll(noise, 1, axis=0)
    own = sector(inside)
    apart = np.asarray(own != sector(outside))
    inside, outside, own = inside[apart], outside[apart], own[apart]
    column = (-1, *(1,) * (noise.ndim - 1))
    for _ in range(60):
        middle = (inside + outside) / 2
        same = np.reshape(sector(middle) == own, column)
        inside = np.where(same, middle, inside)
        outside = np.where(same, outside, middle)
    return np.concatenate([inside, outside])


def draw_from(noise, model, params, monkeypatch):
    """Return samples of given noise."""
    with monkeypatch.context() as patch:
        patch.setattr(jax.random, "normal", lambda key, shape, dtype: noise)
        draw = jax.jit(partial(model.sample, n=len(noise)))
        return draw(params, jax.random.key(0))


def slow_if_continuous(name):
    """They compile for 15 seconds each; `full` below is quicker."""
    return [pytest.mark.slow] if "continuous" in name else []


@pytest.mark.slow
@every_type
@pytest.mark.parametrize(
    ("symmetry", "config"),
    [
        pytest.param(*row, id=name, marks=slow_if_continuous(name))
        for name, row in MODELS.items()
    ],
)
def test_no_sample_is_less_dense_than_as_drawn(
    symmetry, config, dtype, rng, monkeypatch
):
    target = well(symmetry, dtype)
    model = build_model(target, config)
    params = random_params(partial(model.init, jax.random.key(0)), rng)
    noise = rng.normal(size=(DRAWS, *target.event_shape)).astype(dtype)
    noise = np.concatenate([noise, at_the_border(symmetry, noise)])
    samples = draw_from(jnp.asarray(noise), model, params, monkeypatch)
    density = "marginal" if config.method == "vmonf" else "orbit"
    account = jax.jit(partial(log_q, model, density=density))
    finite = jnp.all(jnp.isfinite(samples.x), axis=tuple(range(1, samples.x.ndim)))
    assert jnp.mean(finite) > 0.9  # beyond, nothing is known of x
    samples = jax.tree.map(lambda leaf: leaf[finite], samples)
    found = np.asarray(account(params, samples))
    own = np.asarray(samples.log_q, np.float64)
    if config.method == "vmonf":
        own = own - np.log(config.vmonf.components)
    rounding = 8 * np.finfo(dtype).eps * (1 + np.abs(own))
    assert np.all(found >= own - rounding)
    # Nearly always that is the density at x of no known origin.
    anew = np.asarray(jax.jit(model.log_prob)(params, samples.x))
    exact_inverse = model.integrated is None  # but for rounding
    bound = 1e3 * np.finfo(dtype).eps if exact_inverse else 1e-3
    assert np.median(np.abs(anew - found)) < bound
    if density == "orbit":
        cell = jax.jit(partial(log_q, model, density="cell"))(params, samples)
        np.testing.assert_allclose(cell, samples.log_q, rtol=1e-6)
        strict = np.asarray(
            jax.jit(partial(log_q, model, density="strict"))(params, samples)
        )
        outside = np.asarray(model.leaked(samples.y))
        np.testing.assert_array_equal(np.isposinf(strict), outside)
        np.testing.assert_array_equal(strict[~outside], cell[~outside])


@pytest.mark.slow
@pytest.mark.parametrize("space", ["full", "aligned"])
def test_no_sample_of_a_phase_is_less_dense_than_as_drawn(space, rng):
    """A real field and its negative are one and the same, half a turn apart."""
    target = build_target("phi4_complex", shape=(2, 2), space=space, alpha=0.2)
    config = Config(flow=FLOWS["slice_coupling"], base=SLICE)
    if space == "aligned":
        config = Config(flow=SMOOTH)
    model = build_model(target, config)
    params = random_params(partial(model.init, jax.random.key(0)), rng, 0.5)
    samples = jax.jit(partial(model.sample, n=DRAWS))(params, jax.random.key(3))
    anew = np.asarray(jax.jit(model.log_prob)(params, samples.x))
    known = np.asarray(jax.jit(model.log_prob)(params, samples.x, samples))
    assert np.all(known >= np.asarray(samples.log_q) - 1e-4)
    np.testing.assert_allclose(anew, known, atol=2e-3)
    leak = np.mean(model.leaked(samples.y))
    assert (leak > 0.1) == (space == "aligned")


FOLDS = {"cyclic": Cyclic(6), "z2": Z2((3,), cell=(0, 2))}


@pytest.mark.slow
@every_type
@pytest.mark.parametrize("symmetry", FOLDS.values(), ids=FOLDS)
def test_a_folded_base_has_no_hole_at_its_borders(symmetry, dtype, rng):
    """Folded and unfolded, an invariant base is as it was; a border may count twice."""
    target = well(symmetry, dtype)
    base = BaseConfig(variance=1.7)
    model = build_model(target, Config("canonicalization", flow=SMOOTH, base=base))
    params = model.init(jax.random.key(0))  # the identity
    away = rng.normal(size=(DRAWS, *target.event_shape)).astype(dtype)
    border = at_the_border(symmetry, away)
    size = away[0].size
    for x, most in ((away, 0.0), (border, np.log(2))):
        expected = -(x.astype(float) ** 2).sum(axis=1) / 1.7 / 2
        expected -= size * np.log(2 * np.pi * 1.7) / 2
        excess = jax.jit(model.log_prob)(params, jnp.asarray(x)) - expected
        assert np.all(excess > -1e-5)
        assert np.all(excess < most + 1e-5)


@pytest.mark.slow  # compiles much
def test_derivatives_are_those_of_the_density_found_anew(rng):
    """By parameters at fixed samples, and by samples: of orbit and of cell."""
    symmetry, config = MODELS["heat_bath"]
    model = build_model(well(symmetry, "float64"), replace(config, flow=SMOOTH))
    params = random_params(partial(model.init, jax.random.key(0)), rng)
    samples = jax.jit(partial(model.sample, n=50))(params, jax.random.key(1))

    @jax.jit
    def gradients(params, turn):
        def moved(y, turn):
            return y + turn * jnp.array([0.3, -1.2])

        def accounted(params, turn):
            y = moved(samples.y, turn)
            x = jax.vmap(lambda u, y: symmetry.act(u, y)[0])(samples.u, y)
            return jnp.sum(log_q(model, params, samples._replace(x=x, y=y), "orbit"))

        def anew(params, turn):
            y = moved(samples.y, turn)
            x = jax.vmap(lambda u, y: symmetry.act(u, y)[0])(samples.u, y)
            return jnp.sum(model.log_prob(params, x))

        return [jax.grad(f, (0, 1))(params, turn) for f in (accounted, anew)]

    found, expected = gradients(params, 0.0)
    assert abs(expected[1]) > 1
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, atol=F64)

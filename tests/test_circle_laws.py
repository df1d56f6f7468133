"""Laws over the circle, against quadrature, scipy and what the weights demand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_counts, assert_mean, random_params
from scipy import special, stats
from tolerances import F64

from sesamo_jax import Target
from sesamo_jax.geometry.slices import shape_before_symmetry
from sesamo_jax.modulation import build_law
from sesamo_jax.modulation.circle.law import CircleHeatBathLaw
from sesamo_jax.modulation.circle.spline import CircleLearnedLaw
from sesamo_jax.modulation.circle.von_mises import VonMisesLaw, draw_von_mises
from sesamo_jax.symmetries import U1
from sesamo_jax.targets import build_target

SHAPE = (2, 4, 2)
BROKEN = U1(broken=True, linear=True)


def skew(x):
    """A linear term along no axis, and an invariant one."""
    return 0.3 * jnp.sum(x[..., 0]) - 0.2 * jnp.sum(x[..., 1]) + 0.1 * jnp.sum(x**2)


def two_harmonics(x):
    return skew(x) + 0.02 * jnp.sum(x[..., 0]) * jnp.sum(x[..., 1])


def on_slice(rng):
    """Return a field with Im sum y = 0 < Re sum y."""
    y = rng.normal(size=SHAPE) + [1.5, 0.0]
    return y - [0.0, 1.0] * y.mean(axis=(0, 1))


def functions(law, y, rng=None):
    """Return the law's log_prob and sampler at y; random parameters if given an rng."""
    key = jax.random.key(0)
    params = law.init(key, key, y) if rng is None else random_params(
        lambda: law.init(key, key, y), rng, gain=3.0
    )  # fmt: skip
    log_prob = jax.vmap(lambda angle: law.apply(params, angle, y, method="log_prob"))
    return jax.jit(log_prob), jax.jit(jax.vmap(lambda k: law.apply(params, k, y)))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_learned_law_starts_uniform(dtype, key, rng):
    law = CircleLearnedLaw(U1(), dtype=dtype)
    log_prob, draw = functions(law, on_slice(rng).astype(dtype))
    angles, drawn = draw(jax.random.split(key, 1000))
    assert angles.dtype == drawn.dtype == dtype
    tolerance = 100 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(drawn, -np.log(2 * np.pi), atol=tolerance)
    assert_counts(np.histogram(angles, 10, (0, 2 * np.pi))[0], np.full(10, 0.1))
    ends = log_prob(jnp.array([0.0, 2 * np.pi], dtype))
    np.testing.assert_allclose(ends, -np.log(2 * np.pi), atol=tolerance)


def test_learned_law_has_the_gradient_of_its_density_at_fixed_angles(key, rng):
    """The contract of `reinforce`: the draw itself carries no gradient."""
    law = CircleLearnedLaw(U1(), bins=5, dtype=jnp.float64)
    y = on_slice(rng)
    start = jnp.asarray(rng.normal(size=3 * law.bins))

    def apply(spline, *args, method=None):
        return law.apply({"params": {"spline": spline}}, *args, method=method)

    def drawn(spline):
        angle, log_p = apply(spline, key, y)
        return angle + log_p, angle

    gradient, angle = jax.jit(jax.grad(drawn, has_aux=True))(start)
    log_prob = jax.jit(jax.vmap(lambda s: apply(s, angle, y, method="log_prob")))
    steps = 1e-6 * np.eye(start.size)
    expected = (log_prob(start + steps) - log_prob(start - steps)) / 2e-6
    np.testing.assert_allclose(gradient, expected, atol=1e-7)
    assert np.max(np.abs(gradient)) > 0.1


@pytest.mark.parametrize(
    ("law", "tolerance"),
    [
        (VonMisesLaw(BROKEN, skew), F64),
        (CircleHeatBathLaw(BROKEN, skew, bins=512), 1e-3),
    ],
)
def test_heat_baths_of_a_linear_action_agree_with_scipy(law, tolerance, rng):
    y = on_slice(rng)
    pull = complex(-0.3, 0.2) * np.sum(y[..., 0])  # -f = Re(conj(pull) e^{i theta})
    angles = np.linspace(0.0, 6.2, 9)
    expected = stats.vonmises.logpdf(angles, abs(pull), loc=np.angle(pull))
    np.testing.assert_allclose(functions(law, y)[0](angles), expected, atol=tolerance)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("kappa", [0.0, 1e-3, 0.7, 12.0, 1e3])
def test_von_mises_draws_agree_with_scipy(kappa, dtype, key):
    draws = 40_000
    draw = jax.jit(jax.vmap(draw_von_mises, (0, None)))
    angles = np.asarray(draw(jax.random.split(key, draws), dtype(kappa)), np.float64)
    width = min(np.pi, 4 / np.sqrt(max(kappa, 1e-9)))
    edges = np.linspace(-width, width, 21)
    exact = np.diff(stats.vonmises.cdf(edges, max(kappa, 1e-12)))
    assert_counts(np.histogram(angles, edges)[0], exact, draws)
    for order in (1, 2):
        mean = special.ive(order, kappa) / special.i0e(kappa)
        assert_mean(np.cos(order * angles), mean)
        assert_mean(np.sin(order * angles), 0.0)
    # no pile of samples at the mode, where a rounded cosine would leave one
    assert np.mean(angles == 0) < 1e-3


def test_von_mises_draw_of_a_broken_number_ends(key):
    draw = jax.jit(draw_von_mises)
    assert not np.isfinite(draw(key, jnp.nan))
    assert not np.isfinite(draw(key, jnp.inf))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("strength", [0.0, 1e-12, 200.0])
def test_von_mises_gradient_is_finite_and_right(strength, dtype, key, rng):
    """kappa = 0 has no derivative as a norm, but the density has: here in y."""
    y = on_slice(rng).astype(dtype)
    law = VonMisesLaw(BROKEN, lambda x: strength * (x[0, 0, 0] + 2 * x[1, 2, 1]))

    def drawn(y):
        angle, log_p = law.apply({}, key, y)
        return log_p, angle

    (value, angle), gradient = jax.jit(jax.value_and_grad(drawn, has_aux=True))(y)
    # by hand: f = c cos + s sin, and log p = -f - log(2 pi I_0(|(c, s)|))
    ends = y.astype(np.float64)
    c = strength * (ends[0, 0, 0] + 2 * ends[1, 2, 1])
    s = strength * (2 * ends[1, 2, 0] - ends[0, 0, 1])
    kappa = np.hypot(c, s)
    ratio = special.ive(1, kappa) / special.i0e(kappa) / max(kappa, 1e-300)
    by_c, by_s = -np.cos(angle) - ratio * c, -np.sin(angle) - ratio * s
    expected = np.zeros(SHAPE)
    expected[0, 0] = strength * by_c, -strength * by_s
    expected[1, 2] = 2 * strength * by_s, 2 * strength * by_c
    log_norm = np.log(2 * np.pi * special.i0e(kappa)) + kappa
    tolerance = (1 + kappa) * (1e-9 if dtype == jnp.float64 else 1e-5)
    log_p = -c * np.cos(angle) - s * np.sin(angle) - log_norm
    np.testing.assert_allclose(value, log_p, atol=tolerance)
    np.testing.assert_allclose(gradient, expected, atol=tolerance)


@pytest.mark.parametrize("space", ["full", "aligned"])
@pytest.mark.parametrize("breaking", ["re", "re_plus_im"])
def test_complex_phi4_has_weights_without_angle(space, breaking, key):
    """f + log p_S is the same for all angles: the von Mises law is exact there."""
    target = build_target(
        "phi4_complex", shape=(4, 2), alpha=0.3, breaking=breaking, space=space,
        dtype="float64",
    )  # fmt: skip
    law = build_law("heat_bath", target)
    assert isinstance(law, VonMisesLaw)
    y = jax.random.normal(key, shape_before_symmetry(target)) + 1.0

    def log_weight(key):
        angle, log_p = law.apply({}, key, y)
        return -target.action(target.symmetry.act(angle, y)[0]) - log_p, log_p

    log_w, log_p = jax.jit(jax.vmap(log_weight))(jax.random.split(key, 200))
    assert np.std(log_p) > 0.1
    np.testing.assert_allclose(log_w, log_w[0], atol=F64)


def test_heat_bath_of_another_action_stays_on_the_grid():
    target = Target("any", SHAPE, two_harmonics, symmetry=U1(broken=True))
    assert isinstance(build_law("heat_bath", target), CircleHeatBathLaw)

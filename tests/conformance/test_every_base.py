"""What every base density must hold: noise, density, normalisation.

Rows are all kinds of bases for all of `FIELDS` that they accept. A base on the slice of
a complex field is told by its samples, whose imaginary parts add up to 0.
"""

from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_mean, grid, random_params
from jax.scipy.stats import norm
from tolerances import F32, F64

from sesamo_jax.bases import build_base
from sesamo_jax.config import BaseConfig
from sesamo_jax.core import Target


def chain(x):
    """A well that nothing but translations leaves alone, on a lattice of any shape."""
    neighbours = sum(x * jnp.roll(x, 1, axis) for axis in range(x.ndim))
    return jnp.sum(0.7 * x**2 + 0.1 * x**4 - 0.5 * x) - 0.2 * jnp.sum(neighbours)


def phases(x):
    """The same of a complex field, invariant under phases."""
    ahead = jnp.roll(x, 1, 0)
    square = jnp.sum(x**2, axis=-1)
    return jnp.sum(0.1 * square**2 - 0.3 * square) - 0.3 * jnp.sum(x * ahead)


# Of two dimensions, of three on a slice, and larger ones.
FIELDS = {
    "two sites": Target("c", (2,), chain, dtype=jnp.float64),
    "lattice": Target("c", (4, 6), chain, dtype=jnp.float64),
    "two phases": Target("p", (2, 2), phases, dtype=jnp.float64),
    "phases": Target("p", (2, 4, 2), phases, dtype=jnp.float64),
}
KINDS = BaseConfig.__dataclass_fields__["kind"].metadata["known"]


@cache
def base_of(kind, field, dtype=jnp.float64):
    """Return a base and random parameters of its own sizes, or why there is none."""
    target = replace(FIELDS[field], dtype=dtype)
    config = BaseConfig(kind=kind, mean=0.7, variance=1.7)
    try:
        base = build_base(target, config)
        noise = jnp.ones(target.event_shape, dtype)
        start = base.init(jax.random.key(0), noise, method="from_noise")
    except (TypeError, ValueError):
        return None
    params = random_params(lambda: start, np.random.default_rng(3), gain=0.6)
    return base, jax.tree.map(lambda a, b: (a + b).astype(a.dtype), start, params)


def functions(kind, field, dtype=jnp.float64):
    """Return noise to sample and its density, and density; of the same parameters."""
    params = jax.tree.map(lambda leaf: leaf.astype(dtype), base_of(kind, field)[1])
    base = base_of(kind, field, dtype)[0]
    return (
        jax.jit(partial(base.apply, params, method="from_noise")),
        jax.jit(partial(base.apply, params, method="log_prob")),
    )


def on_slice(kind, field):
    noise = np.random.default_rng(0).normal(size=FIELDS[field].event_shape)
    z = functions(kind, field)[0](jnp.asarray(noise))[0]
    return field.endswith("phases") and abs(float(jnp.sum(z[..., 1]))) < F64


ROWS = [(k, f) for k in KINDS for f in FIELDS if base_of(k, f)]
every_base = pytest.mark.parametrize(("kind", "field"), ROWS)


def test_every_kind_has_a_row_of_few_dimensions():
    assert {kind for kind, field in ROWS if field.startswith("two")} == {*KINDS}


@every_base
def test_samples_have_the_density_that_they_report(kind, field, rng):
    """And in batches, and in float32."""
    from_noise, log_prob = functions(kind, field)
    noise = jnp.asarray(rng.normal(size=(3, *FIELDS[field].event_shape)))
    z, log_q = jax.jit(jax.vmap(from_noise))(noise)
    again = jax.jit(jax.vmap(log_prob))(z)
    np.testing.assert_allclose(again, log_q, atol=F64)
    for i in range(3):
        one, one_log_q = from_noise(noise[i])
        np.testing.assert_allclose(z[i], one, atol=F64)
        np.testing.assert_allclose(log_q[i], one_log_q, atol=F64)
        np.testing.assert_allclose(log_prob(one), one_log_q, atol=F64)
    single, _ = functions(kind, field, jnp.float32)
    found, found_log_q = single(noise[0].astype(jnp.float32))
    assert found.dtype == found_log_q.dtype == jnp.float32
    np.testing.assert_allclose(found, z[0], atol=10 * F32)
    np.testing.assert_allclose(found_log_q, log_q[0], rtol=F32, atol=10 * F32)


@every_base
def test_density_is_that_of_the_noise_by_the_jacobian(kind, field, rng):
    if on_slice(kind, field):
        pytest.skip("noise has one dimension more than the slice")
    from_noise, _ = functions(kind, field)
    noise = jnp.asarray(rng.normal(size=FIELDS[field].event_shape))
    jacobian = jax.jit(jax.jacfwd(lambda n: from_noise(n)[0]))(noise)
    log_det = np.linalg.slogdet(np.reshape(jacobian, (noise.size, noise.size)))[1]
    assert abs(log_det) > 0.01
    expected = jnp.sum(norm.logpdf(noise)) - log_det
    np.testing.assert_allclose(from_noise(noise)[1], expected, atol=F64)


@pytest.mark.parametrize(
    ("kind", "field"), [row for row in ROWS if row[1].startswith("two")]
)
def test_density_integrates_to_one_and_has_the_moments_of_samples(kind, field, rng):
    from_noise, log_prob = functions(kind, field)
    shape = FIELDS[field].event_shape
    if on_slice(kind, field):  # m > 0, and two differences
        points, volume = grid(9.0, 72, 3)
        points = points[points[:, 0] > 0]
        half = 0.5**0.5
        real = half * (points[:, :1] + points[:, 1:2] * [1, -1])
        z = np.stack([real, half * points[:, 2:] * [1, -1]], axis=-1)
    else:
        points, volume = grid(12.0, 30 if len(shape) == 2 else 160, np.prod(shape))
        z = points.reshape(-1, *shape)
    weights = np.exp(jax.jit(jax.vmap(log_prob))(jnp.asarray(z))) * volume
    assert weights.sum() == pytest.approx(1, abs=1e-3)
    drawn = jax.jit(jax.vmap(from_noise))(rng.normal(size=(20_000, *shape)))[0]
    z, drawn = (np.reshape(a, (len(a), -1)) for a in (z, drawn))
    weights /= weights.sum()
    assert_mean(drawn, weights @ z)
    products = (drawn[:, :, None] * drawn[:, None]).reshape(len(drawn), -1)
    exact = np.einsum("n,ni,nj->ij", weights, z, z).ravel()
    assert_mean(products[:, np.abs(exact) > 1e-6], exact[np.abs(exact) > 1e-6])

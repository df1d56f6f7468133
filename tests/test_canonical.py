"""Canonicalization: folding into the cell, and equivariance of the whole map."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import random_params
from tolerances import F64

from sesamo_jax.bases import Gaussian
from sesamo_jax.flows import RealNVPConfig
from sesamo_jax.reference.quadrature import nodes_and_weights
from sesamo_jax.samplers.canonicalization import canonical_log_prob, canonicalize
from sesamo_jax.samplers.flow_density import FlowDensity
from sesamo_jax.symmetries import Z2, Cyclic, sign_flips
from sesamo_jax.targets import build_target

SMOOTH = RealNVPConfig(2, 1, 8, "tanh", shared=True, log_scale_bound=0.3)
FOLDED = {
    "z2-sub-cell": Z2((2,), cell=(1,)),
    "cyclic": Cyclic(5),
    "flips": sign_flips((1, 2), [[0], [1]], exact_global_flip=True),
}


@pytest.mark.parametrize("symmetry", FOLDED.values(), ids=FOLDED)
def test_canonicalization_commutes_with_the_group(symmetry, rng):
    """Eqs. 7 to 10: x(T z) = T x(z), whatever the flow in between does."""
    shape = getattr(symmetry, "event_shape", (2,) if symmetry.order == 5 else (1, 2))
    base = Gaussian(shape, variance=2.0, dtype=jnp.float64)
    flow = FlowDensity(base, SMOOTH.build(shape, jnp.float64), 1.3, symmetry)
    init = partial(flow.init, jax.random.key(0), jnp.zeros(shape), method="draw")
    params = random_params(init, rng)

    @jax.jit
    def transform(noise):
        y, log_density, sector = flow.apply(params, noise, method="draw")
        return y, log_density, symmetry.act(sector, y)[0]

    noise = rng.normal(size=shape)
    y, log_density, x = transform(noise)
    assert np.max(np.abs(x - noise * 2.0**0.5)) > 0.05
    for g in range(symmetry.order):
        moved = transform(symmetry.act(g, noise)[0])
        np.testing.assert_allclose(moved[0], y, atol=F64)
        np.testing.assert_allclose(moved[1], log_density, atol=F64)
        np.testing.assert_allclose(moved[2], symmetry.act(g, x)[0], atol=F64)
    recomputed = flow.apply(params, y, method="log_prob")
    np.testing.assert_allclose(recomputed, log_density, atol=F64)


@pytest.mark.parametrize("symmetry", FOLDED.values(), ids=FOLDED)
def test_canonicalize_splits_a_point_into_cell_and_sector(symmetry, rng):
    shape = getattr(symmetry, "event_shape", (2,) if symmetry.order == 5 else (1, 2))
    base = Gaussian(shape, variance=2.0, dtype=jnp.float64)
    for z in rng.normal(size=(10, *shape)):
        folded, sector = canonicalize(symmetry, z)
        assert np.all(symmetry.margins(folded) < 0)
        np.testing.assert_allclose(symmetry.act(sector, folded)[0], z, atol=F64)
        expected = base.log_prob(z) + np.log(symmetry.order)
        density = partial(canonical_log_prob, symmetry, base.log_prob)
        np.testing.assert_allclose(density(folded), expected, atol=F64)
        assert (density(z) == -np.inf) == (sector != 0)


@pytest.mark.parametrize(("beta", "quoted"), [(1.0, 0.857), (2.0, 0.570), (4.0, 0.501)])
def test_equal_weights_of_modes_cap_the_ess_at_more_than_a_half(beta, quoted):
    """The best that shares its mass equally: the target's mean over the group."""
    target = build_target("hubbard", beta=beta)
    nodes, weights = nodes_and_weights(18 * beta + 9 * np.sqrt(18 * beta), 60)
    grid = jnp.stack(jnp.meshgrid(nodes, nodes, indexing="ij"), -1)
    action = jax.vmap(jax.vmap(target.action))(grid[:, :, None])
    p = np.exp(action.min() - action)
    shared = (p + p[::-1] + p[:, ::-1] + p[::-1, ::-1]) / 4
    mass = np.outer(weights, weights)
    ess = (mass * p).sum() ** 2 / (mass * p**2 / shared).sum() / (mass * shared).sum()
    ratio = target.exact.observables["breaking_ratio"]
    assert ess == pytest.approx(1 / (1 + ratio**2), abs=1e-3)
    assert ess == pytest.approx(quoted, abs=1e-3)

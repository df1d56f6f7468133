"""What every modulation law p_S(u | y) must hold: normalisation, draws, ways to arrive.

Rows are all laws of the table for all of `SYSTEMS` that they accept: the targets of the
table, and some that have no symmetry left in their action.
"""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_counts, random_params
from tolerances import F32, F64

from sesamo_jax.core import Target
from sesamo_jax.geometry.slices import shape_before_symmetry
from sesamo_jax.modulation import LAWS, build_law
from sesamo_jax.modulation.continuous import ContinuousLaw
from sesamo_jax.symmetries import ON, U1, Z2, sign_flips, subgroup_chain
from sesamo_jax.targets import TARGETS, build_target
from sesamo_jax.targets.gaussian_mixture import GaussianMixture
from sesamo_jax.targets.hubbard.target import Hubbard

DRAWS = 40_000


def skew(x):
    """A linear term along no axis, and an invariant one: its heat bath is von Mises."""
    return 0.3 * jnp.sum(x[..., 0]) - 0.2 * jnp.sum(x[..., 1]) + 0.1 * jnp.sum(x**2)


def two_harmonics(x):
    return skew(x) + 0.02 * jnp.sum(x[..., 0]) * jnp.sum(x[..., 1])


def system(name, shape, action, symmetry):
    return Target(name, shape, action, symmetry=symmetry, dtype=jnp.float64)


SYSTEMS = {name: build_target(name, dtype="float64") for name in TARGETS}
SYSTEMS |= {
    "five-modes": GaussianMixture(modes=5, radius=1.5, dtype="float64").build(),
    "tilted": GaussianMixture(3, 1.5, breaking=0.3, dtype="float64").build(),
    "hubbard-3": Hubbard(u=2.0, extents=(3,)).build(),
    "uneven": system(
        "uneven",
        (3,),
        lambda x: jnp.sum((x**2 - 1) ** 2) + 0.6 * x[0] - 0.3 * x[1] * x[2],
        Z2((3,), flips=(0, 2), cell=(0,), broken=True),
    ),
    "four-signs": system(
        "four-signs",
        (4,),
        lambda x: jnp.sum(jnp.arange(1, 5) * x) / 9 - 0.2 * x[0] * x[1] * x[3],
        sign_flips((4,), [[0], [1], [2], [3]]),
    ),
    "six-signs": system(
        "six-signs",
        (6,),
        lambda x: 0.1 * x[0] * x[1] - 0.2 * x[2] * x[5] + 0.3 * x[3] * x[4],
        sign_flips((6,), [[i] for i in range(6)], True),
    ),
    "chain": system(
        "chain",
        (3,),
        lambda x: jnp.sum((x**2 - 1) ** 2) + 0.4 * x[0] - 0.2 * x[1],
        subgroup_chain([[1, 2, 0], [1, 0, 2]], broken=True),
    ),
    "two-harmonics": system("2", (2, 4, 2), two_harmonics, U1(broken=True)),
    "linear": system("1", (2, 4, 2), skew, U1(broken=True, linear=True)),
}
UNIFORM = ("exact",)


def accepted(name, target):
    try:
        return build_law(name, target)
    except ValueError:
        return None


ROWS = {
    f"{name}-{system}": (law, target)
    for system, target in SYSTEMS.items()
    for name in LAWS
    if (law := accepted(name, target)) is not None
}
FINITE = [name for name, row in ROWS.items() if not isinstance(row[0], ContinuousLaw)]
CIRCLE = [name for name, row in ROWS.items() if isinstance(row[1].symmetry, U1)]
# Densities of directions are in `test_on.py`, by importance instead of bins.
SPHERE = [name for name, row in ROWS.items() if isinstance(row[1].symmetry, ON)]
every_finite = pytest.mark.parametrize("name", FINITE)
every_circle = pytest.mark.parametrize("name", CIRCLE)


def test_every_law_has_rows():
    assert {name for name in LAWS if any(row.startswith(name) for row in ROWS)} == {
        *LAWS
    }
    assert sorted(ROWS) == sorted([*FINITE, *CIRCLE, *SPHERE])


def law_and_event(name, rng):
    """Return a law, random parameters, and one event, of U(1) one on its slice."""
    law, target = ROWS[name]
    shape = shape_before_symmetry(target)
    y = rng.normal(0, 1.5, shape)
    if name in CIRCLE:
        y = rng.normal(0.4, 0.5, shape)
        if shape == target.event_shape:
            y[..., 1] -= y[..., 1].mean()
    y = jnp.asarray(y)
    key = jax.random.key(0)
    gain = 2.0 if name in CIRCLE else 3.0
    return law, random_params(lambda: law.init(key, key, y), rng, gain), y


@every_finite
def test_probabilities_sum_to_one_and_govern_the_draws(name, key, rng):
    law, params, y = law_and_event(name, rng)
    order = ROWS[name][1].symmetry.order
    log_probs = jax.jit(lambda y: law.apply(params, y, method="log_probs"))(y)
    assert log_probs.shape == (order,)
    np.testing.assert_allclose(np.exp(log_probs).sum(), 1, atol=F64)
    draw = jax.jit(jax.vmap(lambda key: law.apply(params, key, y)))
    u, log_p = draw(jax.random.split(key, DRAWS))
    assert u.dtype == jnp.int32
    assert_counts(np.bincount(u, minlength=order), np.exp(log_probs))
    np.testing.assert_allclose(log_p, log_probs[u], atol=F64)


@every_finite
def test_log_probs_into_are_those_of_every_preimage(name, rng):
    law, params, x = law_and_event(name, rng)
    symmetry = ROWS[name][1].symmetry
    into = jax.jit(lambda x: law.apply(params, x, method="log_probs_into"))(x)
    log_probs = jax.jit(lambda y: law.apply(params, y, method="log_probs"))
    undo = jax.jit(symmetry.undo)
    expected = [log_probs(undo(u, x))[u] for u in range(symmetry.order)]
    np.testing.assert_allclose(into, expected, atol=F64)


@pytest.mark.parametrize(
    # the determinant refuses float32
    "name",
    [name for name in FINITE if "hubbard" not in name],
)
def test_laws_of_a_finite_group_in_batches_and_in_float32(name, rng):
    law, params, y = law_and_event(name, rng)
    batch = jnp.stack([y, 0.7 * y + 0.1, -y])
    log_probs = partial(law.apply, method="log_probs")
    every = jax.jit(jax.vmap(log_probs, (None, 0)))(params, batch)
    one = [jax.jit(log_probs)(params, event) for event in batch]
    np.testing.assert_allclose(every, one, atol=F64)
    target = replace(ROWS[name][1], dtype=jnp.float32)
    log_probs = partial(build_law(name.split("-")[0], target).apply, method="log_probs")
    single, cast = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), (y, params))
    found = jax.jit(log_probs)(cast, single)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, every[0], rtol=10 * F32, atol=10 * F32)


@every_circle
def test_angles_have_a_density_that_is_normalised_and_that_of_the_draws(name, key, rng):
    law, params, y = law_and_event(name, rng)
    log_prob = jax.jit(
        jax.vmap(lambda angle: law.apply(params, angle, y, method="log_prob"))
    )
    bins, nodes = 24, 2000
    width = 2 * np.pi / bins
    midpoints = (np.arange(bins * nodes) + 0.5) * width / nodes
    masses = np.exp(log_prob(midpoints)).reshape(bins, nodes).mean(axis=1) * width
    np.testing.assert_allclose(masses.sum(), 1, atol=1e-5)
    _, target = ROWS[name]
    uniform = name.startswith(UNIFORM) or (
        name.startswith("heat_bath") and not target.symmetry.broken
    )
    assert (np.ptp(masses) > 1e-3) == (not uniform)
    angles, drawn = jax.jit(jax.vmap(lambda k: law.apply(params, k, y)))(
        jax.random.split(key, DRAWS)
    )
    assert np.all((angles >= 0) & (angles < 2 * np.pi))
    np.testing.assert_allclose(drawn, log_prob(angles), atol=F64)
    assert_counts(np.histogram(angles, bins, (0, 2 * np.pi))[0], masses / masses.sum())
    # and it is continuous where the circle closes
    before, after = log_prob(jnp.array([2 * np.pi - 1e-9, 1e-9]))
    assert float(before) == pytest.approx(float(after), abs=1e-6)

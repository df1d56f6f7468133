"""What every symmetry must hold: group law, cells, sectors and volumes.

Rows are the symmetries of all targets of the table and those listed here. A new group
that no target of the table has is one more line; a test asks for it.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import PlaneRotation
from tolerances import F64

from sesamo_jax import symmetries
from sesamo_jax.geometry.slices import shape_before_symmetry
from sesamo_jax.samplers.weighting import leaked
from sesamo_jax.symmetries import (
    ON,
    U1,
    Z2,
    AlignedU1,
    Cyclic,
    Product,
    Trivial,
    Wells,
    dihedral,
    sign_flips,
    subgroup_chain,
    tetrahedral,
)
from sesamo_jax.targets import TARGETS

ROTATION, FLIP = PlaneRotation(Cyclic(3, broken=True)), Z2((3,), flips=(2,))
COLUMNS = [[0, 3], [1, 4], [2, 5]]
FINITE = {
    "trivial": (Trivial(), (3,)),
    "z2-all": (Z2((2, 3)), (2, 3)),
    "z2-chosen": (Z2((4,), flips=(0, 2, 3)), (4,)),
    "z2-sub-cell": (Z2((2, 2), flips=(0, 1, 3), cell=(3,)), (2, 2)),
    **{f"cyclic-{m}": (Cyclic(m), (2,)) for m in (2, 3, 5, 8)},
    "product-3x2": (Product((ROTATION, FLIP)), (3,)),
    "product-2x3": (Product((FLIP, ROTATION)), (3,)),
    "product-nested": (
        Product((Product((Z2((4,), cell=(3,)), Z2((4,), (0,)))), Z2((4,), (1, 2)))),
        (4,),
    ),
    "flips-2": (sign_flips((1, 2), [[0], [1]]), (1, 2)),
    "flips-2-global": (sign_flips((1, 2), [[0], [1]], True), (1, 2)),
    "flips-3-slices": (sign_flips((2, 3), COLUMNS), (2, 3)),
    "flips-3-slices-global": (sign_flips((2, 3), COLUMNS, True), (2, 3)),
    "matrices-axis": (dihedral(3, event_shape=(2, 2), axis=0), (2, 2)),
    "signed-permutations": (tetrahedral(), (3,)),
    "chain": (subgroup_chain([[1, 0, 2], [1, 2, 0]]), (3,)),
}
# With the shapes of y and of x.
CONTINUOUS = {
    "u1": (U1(), (2, 4, 2), (2, 4, 2)),
    "aligned-u1": (AlignedU1(), (2, 4), (2, 4, 2)),
    "o(2)": (ON(2), (2, 3, 2), (2, 3, 2)),
    "o(4)": (ON(4, linear=True), (3, 2, 4), (3, 2, 4)),
}
for name, config in TARGETS.items():
    target = config.build(name)
    if target.symmetry is None:
        continue
    if target.symmetry.order is None:
        shape = shape_before_symmetry(target)
        CONTINUOUS[name] = target.symmetry, shape, target.event_shape
    else:
        FINITE[name] = target.symmetry, target.event_shape
every_finite = pytest.mark.parametrize(
    ("symmetry", "shape"), FINITE.values(), ids=FINITE.keys()
)
every_continuous = pytest.mark.parametrize(
    ("symmetry", "shape", "event_shape"), CONTINUOUS.values(), ids=CONTINUOUS.keys()
)


def test_every_public_group_has_a_row():
    rows = [row[0] for row in (FINITE | CONTINUOUS).values()]
    classes = [getattr(symmetries, name) for name in symmetries.__all__]
    for group in classes:
        if isinstance(group, type) and group is not Wells:  # whose maps are no group
            assert any(type(row) is group for row in rows), f"add a row for {group}"


# Symmetries are hashable, so one compilation per group and shape serves all tests.
@partial(jax.jit, static_argnums=0)
def images(symmetry, x):
    """Return T_g x for every g of a batch or of one event, elements first."""
    return jax.vmap(lambda g: symmetry.act(g, x)[0])(jnp.arange(symmetry.order))


@partial(jax.jit, static_argnums=0)
def preimages(symmetry, x):
    return jax.vmap(lambda g: symmetry.undo(g, x))(jnp.arange(symmetry.order))


@partial(jax.jit, static_argnums=0)
def sectors(symmetry, x):
    return jax.vmap(symmetry.sector)(x)


@every_finite
def test_element_zero_is_the_exact_identity(symmetry, shape, rng):
    y = rng.normal(size=shape)
    np.testing.assert_array_equal(images(symmetry, y)[0], y)
    np.testing.assert_array_equal(preimages(symmetry, y)[0], y)


@every_finite
def test_float32_events_stay_float32(symmetry, shape):
    y = jax.ShapeDtypeStruct(shape, jnp.float32)
    x, log_vol = jax.eval_shape(symmetry.act, 0, y)
    margins = jax.eval_shape(symmetry.margins, y)
    assert x.dtype == log_vol.dtype == margins.dtype == jnp.float32
    sector = jax.eval_shape(symmetry.sector, y)
    assert log_vol.shape == sector.shape == ()
    assert sector.dtype == jnp.int32


@every_finite
def test_batches_agree_with_one_at_a_time(symmetry, shape, rng):
    x = rng.normal(size=(5, *shape))
    one = np.stack([images(symmetry, event) for event in x])
    batch = jax.jit(jax.vmap(partial(images, symmetry)))(x)
    np.testing.assert_allclose(batch, one, atol=F64)
    found = [int(symmetry.sector(event)) for event in jnp.asarray(x)]
    np.testing.assert_array_equal(sectors(symmetry, x), found)


@every_finite
def test_order_counts_distinct_elements(symmetry, shape, rng):
    x = images(symmetry, rng.normal(size=shape))
    assert len(np.unique(np.round(x, 6), axis=0)) == symmetry.order
    assert np.prod([factor.order for factor in symmetry.factors]) == symmetry.order


@every_finite
def test_undo_inverts_act_both_ways(symmetry, shape, rng):
    y = rng.normal(size=shape)
    forth, back = images(symmetry, y), preimages(symmetry, y)
    for g in range(symmetry.order):
        np.testing.assert_allclose(preimages(symmetry, forth[g])[g], y, atol=F64)
        np.testing.assert_allclose(images(symmetry, back[g])[g], y, atol=F64)


@every_finite
def test_composition_of_two_elements_is_one_element(symmetry, shape, rng):
    orbit = images(symmetry, rng.normal(size=shape))
    flat = np.reshape(orbit, (symmetry.order, -1))
    for x in orbit:
        composed = np.reshape(images(symmetry, x), flat.shape)
        found = np.abs(composed[:, None] - flat).max(axis=-1) < 1e-6
        # Each row and each column once: multiplication permutes the group.
        np.testing.assert_array_equal(found.sum(axis=0), 1)
        np.testing.assert_array_equal(found.sum(axis=1), 1)


@every_finite
def test_every_point_has_exactly_one_sector(symmetry, shape, rng):
    @jax.jit
    @jax.vmap
    def inside(x):
        return jnp.all(jax.vmap(symmetry.margins)(preimages(symmetry, x)) < 0, axis=1)

    x = rng.normal(size=(500, *shape))
    in_cell = np.asarray(inside(x))
    np.testing.assert_array_equal(in_cell.sum(axis=1), 1)
    sector = sectors(symmetry, x)
    np.testing.assert_array_equal(sector, np.argmax(in_cell, axis=1))
    assert len(np.unique(sector)) == symmetry.order


@every_finite
def test_what_leaves_the_cell_is_beyond_a_true_border(symmetry, shape, rng):
    x = rng.normal(size=(500, *shape))
    outside = jax.jit(jax.vmap(partial(leaked, symmetry)))(x)
    margins = jax.jit(jax.vmap(symmetry.margins))(x)
    np.testing.assert_array_equal(outside, np.any(margins > 0, axis=1))


@every_finite
def test_sector_recovers_the_element_that_acted_on_a_cell_point(symmetry, shape, rng):
    x = rng.normal(size=(500, *shape))
    in_cell = x[np.asarray(sectors(symmetry, x)) == 0]
    assert len(in_cell) > 500 / symmetry.order / 2
    for y in in_cell[:3]:
        expected = np.arange(symmetry.order)
        np.testing.assert_array_equal(sectors(symmetry, images(symmetry, y)), expected)


@every_finite
def test_log_vol_is_the_log_determinant(symmetry, shape, rng):
    y = rng.normal(size=shape)

    @jax.jit
    @jax.vmap
    def jacobian_and_log_vol(g):
        return jax.jacfwd(symmetry.act, argnums=1)(g, y)[0], symmetry.act(g, y)[1]

    jacobians, log_vols = jacobian_and_log_vol(jnp.arange(symmetry.order))
    log_dets = np.linalg.slogdet(np.reshape(jacobians, (-1, y.size, y.size)))[1]
    np.testing.assert_allclose(log_vols, log_dets, atol=F64)


@every_continuous
def test_elements_act_and_are_undone_and_found_again(symmetry, shape, event_shape, rng):
    """Of events on the slice, where every x has one y and one angle or direction."""
    x, other = jnp.asarray(rng.normal(size=(2, 50, *event_shape)))
    found, elements = (sectors(symmetry, x) for x in (x, other))
    if found.ndim == 1:
        assert np.all((found >= 0) & (found < 2 * np.pi))
    else:
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=F64)
    y = jax.jit(jax.vmap(symmetry.undo))(found, x)
    assert y.shape == (50, *shape)
    assert np.all(jax.vmap(symmetry.margins)(y) < 0)
    moved, log_vol = jax.jit(jax.vmap(symmetry.act))(elements, y)
    assert moved.shape == x.shape
    assert log_vol.shape == (50,)
    np.testing.assert_allclose(sectors(symmetry, moved), elements, atol=F64)
    back = jax.jit(jax.vmap(symmetry.undo))(elements, moved)
    np.testing.assert_allclose(back, y, atol=F64)
    one = [symmetry.act(g, event)[0] for g, event in zip(elements, y, strict=True)]
    np.testing.assert_allclose(moved, one, atol=F64)


@every_continuous
def test_float32_events_of_a_continuous_group_stay_float32(
    symmetry, shape, event_shape
):
    y = jax.ShapeDtypeStruct(shape, jnp.float32)
    event = jax.ShapeDtypeStruct(event_shape, jnp.float32)
    sector = jax.eval_shape(symmetry.sector, event)
    x, _ = jax.eval_shape(symmetry.act, sector, y)
    assert x.shape == event_shape
    back = jax.eval_shape(symmetry.undo, sector, x)
    margins = jax.eval_shape(symmetry.margins, y)
    for found in (x, back, sector, margins):
        assert found.dtype == jnp.float32

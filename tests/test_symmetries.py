"""Group law, cells and borders of every finite symmetry."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerances import F64

from sesamo_jax.samplers.weighting import leaked
from sesamo_jax.symmetries import Z2, Cyclic, Product, Trivial, sign_flips


@dataclass(frozen=True)
class PlaneRotation:
    """Rotations of the first two of several components, as a user might add them."""

    cyclic: Cyclic

    @property
    def order(self):
        return self.cyclic.order

    @property
    def factors(self):
        return self.cyclic.factors

    def act(self, g, y):
        x, log_vol = self.cyclic.act(g, y[:2])
        return jnp.concatenate([x, y[2:]]), log_vol

    def undo(self, g, x):
        return jnp.concatenate([self.cyclic.undo(g, x[:2]), x[2:]])

    def sector(self, x):
        return self.cyclic.sector(x[:2])

    def margins(self, y):
        return self.cyclic.margins(y[:2])


ROTATION, FLIP = PlaneRotation(Cyclic(3, broken=True)), Z2((3,), flips=(2,))
COLUMNS = [[0, 3], [1, 4], [2, 5]]
SYMMETRIES = {
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
}
every_symmetry = pytest.mark.parametrize(
    ("symmetry", "shape"), SYMMETRIES.values(), ids=SYMMETRIES.keys()
)


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


@every_symmetry
def test_element_zero_is_the_exact_identity(symmetry, shape, rng):
    y = rng.normal(size=shape)
    np.testing.assert_array_equal(images(symmetry, y)[0], y)
    np.testing.assert_array_equal(preimages(symmetry, y)[0], y)


@every_symmetry
def test_float32_events_stay_float32(symmetry, shape):
    y = jax.ShapeDtypeStruct(shape, jnp.float32)
    x, log_vol = jax.eval_shape(symmetry.act, 0, y)
    margins = jax.eval_shape(symmetry.margins, y)
    assert x.dtype == log_vol.dtype == margins.dtype == jnp.float32
    sector = jax.eval_shape(symmetry.sector, y)
    assert log_vol.shape == sector.shape == ()
    assert sector.dtype == jnp.int32


@every_symmetry
def test_order_counts_distinct_elements(symmetry, shape, rng):
    x = images(symmetry, rng.normal(size=shape))
    assert len(np.unique(np.round(x, 6), axis=0)) == symmetry.order
    assert np.prod([factor.order for factor in symmetry.factors]) == symmetry.order


@every_symmetry
def test_undo_inverts_act_both_ways(symmetry, shape, rng):
    y = rng.normal(size=shape)
    forth, back = images(symmetry, y), preimages(symmetry, y)
    for g in range(symmetry.order):
        np.testing.assert_allclose(preimages(symmetry, forth[g])[g], y, atol=F64)
        np.testing.assert_allclose(images(symmetry, back[g])[g], y, atol=F64)


@every_symmetry
def test_composition_of_two_elements_is_one_element(symmetry, shape, rng):
    orbit = images(symmetry, rng.normal(size=shape))
    flat = np.reshape(orbit, (symmetry.order, -1))
    for x in orbit:
        composed = np.reshape(images(symmetry, x), flat.shape)
        found = np.abs(composed[:, None] - flat).max(axis=-1) < 1e-6
        # Each row and each column once: multiplication permutes the group.
        np.testing.assert_array_equal(found.sum(axis=0), 1)
        np.testing.assert_array_equal(found.sum(axis=1), 1)


@every_symmetry
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


@every_symmetry
def test_what_leaves_the_cell_is_beyond_a_true_border(symmetry, shape, rng):
    x = rng.normal(size=(500, *shape))
    outside = jax.jit(jax.vmap(partial(leaked, symmetry)))(x)
    margins = jax.jit(jax.vmap(symmetry.margins))(x)
    np.testing.assert_array_equal(outside, np.any(margins > 0, axis=1))


@every_symmetry
def test_sector_recovers_the_element_that_acted_on_a_cell_point(symmetry, shape, rng):
    x = rng.normal(size=(500, *shape))
    in_cell = x[np.asarray(sectors(symmetry, x)) == 0]
    assert len(in_cell) > 500 / symmetry.order / 2
    for y in in_cell[:3]:
        expected = np.arange(symmetry.order)
        np.testing.assert_array_equal(sectors(symmetry, images(symmetry, y)), expected)


@every_symmetry
def test_log_vol_is_the_log_determinant(symmetry, shape, rng):
    y = rng.normal(size=shape)

    @jax.jit
    @jax.vmap
    def jacobian_and_log_vol(g):
        return jax.jacfwd(symmetry.act, argnums=1)(g, y)[0], symmetry.act(g, y)[1]

    jacobians, log_vols = jacobian_and_log_vol(jnp.arange(symmetry.order))
    log_dets = np.linalg.slogdet(np.reshape(jacobians, (-1, y.size, y.size)))[1]
    np.testing.assert_allclose(log_vols, log_dets, atol=F64)


def test_product_counts_elements_with_the_first_part_slowest():
    y = jnp.array([1.0, 0.2, 3.0])
    turned = images(ROTATION, y)
    expected = jnp.stack([turned, turned * jnp.array([1.0, 1.0, -1.0])], axis=1)
    turn_first, flip_first = Product((ROTATION, FLIP)), Product((FLIP, ROTATION))
    x = images(turn_first, y).reshape(3, 2, 3)
    np.testing.assert_allclose(x, expected, atol=F64)
    x = images(flip_first, y).reshape(2, 3, 3)
    np.testing.assert_allclose(x, expected.swapaxes(0, 1), atol=F64)
    assert [factor.broken for factor in flip_first.factors] == [False, True]


@pytest.mark.parametrize("exact_global_flip", [False, True])
def test_sign_flips_flip_whole_blocks_over_all_time_slices(exact_global_flip):
    symmetry = sign_flips((2, 3), COLUMNS, exact_global_flip)
    signs = np.sign(images(symmetry, jnp.ones((2, 3))))
    np.testing.assert_array_equal(signs[:, 0], signs[:, 1])
    assert len(np.unique(signs[:, 0], axis=0)) == 8
    broken = [factor.broken for factor in symmetry.factors]
    assert broken == [not exact_global_flip, True, True]
    if exact_global_flip:  # the slowest digit is the global flip
        np.testing.assert_array_equal(signs[4:], -signs[:4])


SLICES = ((2, 2), [[0, 2], [1, 3]])
BORDERS = {
    "z2-all": (Z2((3,)), [1.0, 2.0, -3.0], 0),
    "z2-sub-cell": (Z2((3,), flips=(0, 2), cell=(2,)), [5.0, 7.0, 0.0], 0),
    "flips-slices": (sign_flips(*SLICES), [[1.0, 2.0], [-1.0, 5.0]], 0),
    "global-flip": (sign_flips(*SLICES, True), [[1.0, 2.0], [3.0, -2.0]], 0),
    "first-of-two": (sign_flips(*SLICES, True), [[1.0, 2.0], [-1.0, 5.0]], 1),
    **{
        f"cyclic-{m}-{sign:+d}": (
            Cyclic(m),
            [2 * np.cos(np.pi / m), sign * 2 * np.sin(np.pi / m)],
            (sign + 1) // 2,
        )
        for m in (2, 3, 5, 8)
        for sign in (-1, 1)
    },
}


@pytest.mark.parametrize(("symmetry", "point", "border"), BORDERS.values(), ids=BORDERS)
def test_margins_vanish_on_their_own_border_only(symmetry, point, border):
    margins = symmetry.margins(jnp.array(point))
    np.testing.assert_allclose(margins[border], 0, atol=F64)
    if symmetry != Cyclic(2):  # both borders of Z_2 are the same line
        assert np.all(np.delete(margins, border) < -0.1)


@pytest.mark.parametrize("rotations", [3, 5, 8])
def test_cyclic_margins_are_signed_distances_to_the_rays(rotations, rng):
    half = np.pi / rotations
    angle = rng.uniform(-half, half, 20)
    y = 1.7 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    margins = jax.vmap(Cyclic(rotations).margins)(y)
    expected = -1.7 * np.sin(np.stack([half + angle, half - angle], axis=1))
    np.testing.assert_allclose(margins, expected, atol=F64)


def test_printed_borders_vanish_at_39_6_degrees_and_overlap_the_neighbours(rng):
    """Eq. 35 of the paper misses the cell's borders at 22.5 degrees for M = 8."""
    symmetry = Cyclic(8, borders="eq35")

    def ray(degrees):
        return jnp.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))])

    assert abs(symmetry.margins(ray(22.5))[1]) > 0.1
    zero = np.rad2deg(np.arctan(np.tan(np.pi / 8) * (1 + np.tan(np.pi / 8)) ** 2))
    np.testing.assert_allclose(zero, 39.6, atol=0.05)
    np.testing.assert_allclose(symmetry.margins(ray(zero))[1], 0, atol=F64)
    np.testing.assert_allclose(symmetry.margins(ray(-zero))[0], 0, atol=F64)
    neighbour = ray(30)
    assert symmetry.sector(neighbour) == 1
    assert np.all(symmetry.margins(neighbour) < 0)
    x = rng.normal(size=(50, 2))
    np.testing.assert_array_equal(sectors(symmetry, x), sectors(Cyclic(8), x))
    assert leaked(symmetry, neighbour)
    assert not leaked(symmetry, ray(-20))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Z2((3,), flips=(0, 3)), r"flips=\(0, 3\).*0\.\.2.*shape \(3,\)"),
        (lambda: Z2((3,), flips=()), r"flips=\(\)"),
        (lambda: Z2((3,), flips=(-1,)), r"flips=\(-1,\)"),
        (lambda: Z2((3,), flips=(0, 1), cell=(2,)), r"cell=\(2,\).*flips=\(0, 1\)"),
        (lambda: Z2((3,), cell=()), r"cell=\(\)"),
        (lambda: Cyclic(1), "rotations=1 must be at least 2"),
        (lambda: Cyclic(4, borders="eq34"), "borders='eq34'; known: .*true.*eq35"),
        (lambda: Product(()), "at least one symmetry"),
        (lambda: sign_flips((3,), [[0], [1]]), r"shape \(3,\) exactly once"),
        (lambda: sign_flips((2,), [[0, 1], [1]]), r"shape \(2,\) exactly once"),
    ],
)
def test_impossible_groups_are_refused_by_name_and_value(build, message):
    with pytest.raises(ValueError, match=message):
        build()

"""Cells and borders of finite symmetries against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import PlaneRotation
from tolerances import F64

from sesamo_jax.samplers.weighting import leaked
from sesamo_jax.symmetries import Z2, Cyclic, Product, sign_flips

ROTATION, FLIP = PlaneRotation(Cyclic(3, broken=True)), Z2((3,), flips=(2,))
COLUMNS = [[0, 3], [1, 4], [2, 5]]


def images(symmetry, x):
    """Return T_g x for every g, elements first."""
    return jax.vmap(lambda g: symmetry.act(g, x)[0])(jnp.arange(symmetry.order))


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
    found, expected = jax.vmap(symmetry.sector)(x), jax.vmap(Cyclic(8).sector)(x)
    np.testing.assert_array_equal(found, expected)
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

"""The penalty Lambda on samples outside the cell."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerances import F64

from sesamo_jax.objectives.penalty import penalty
from sesamo_jax.symmetries import Cyclic, Trivial, sign_flips

A, B = 40.0, 3.0


def test_it_vanishes_inside_and_on_the_border():
    margins = jnp.array([[-1e-9, -5.0], [0.0, -1.0], [0.0, 0.0]])
    np.testing.assert_array_equal(penalty(margins, A, B), 0)


@pytest.mark.parametrize("margin", [1e-6, 0.1, 1.0, 5.0])
def test_it_lies_between_half_and_full_amplitude_per_border_outside(margin):
    one = penalty(jnp.array([margin, -2.0]), A, B)
    assert A / 2 < one < A
    np.testing.assert_allclose(one, A / (1 + np.exp(-B * margin)), rtol=F64)
    both = penalty(jnp.array([margin, 2 * margin]), A, B)
    expected = one + penalty(jnp.array([2 * margin]), A, B)
    np.testing.assert_allclose(both, expected, rtol=F64)


def test_it_jumps_by_half_the_amplitude_on_the_border():
    just_outside, just_inside = penalty(jnp.array([[1e-12], [-1e-12]]), A, B)
    np.testing.assert_allclose(just_outside - just_inside, A / 2, rtol=1e-6)


def test_it_grows_outwards_and_saturates():
    margins = jnp.linspace(0.01, 3.0, 50)[:, None]
    values = penalty(margins, A, B)
    assert np.all(np.diff(values) > 0)
    np.testing.assert_allclose(penalty(jnp.array([1e3]), A, B), A, rtol=F64)


@pytest.mark.parametrize(
    ("symmetry", "outside", "inwards"),
    [
        (Cyclic(3), [0.3, 0.8], [np.sin(np.pi / 3), -np.cos(np.pi / 3)]),
        (Cyclic(8), [1.0, -0.6], [np.sin(np.pi / 8), np.cos(np.pi / 8)]),
        (sign_flips((1, 2), [[0], [1]]), [[-0.2, 0.7]], [[1.0, 0.0]]),
        (sign_flips((2, 2), [[0, 2], [1, 3]]), [[1.0, 0.1], [2, -0.2]], [[0, 1.0]] * 2),
    ],
)
def test_its_gradient_points_into_the_cell(symmetry, outside, inwards):
    def field(y):
        return penalty(symmetry.margins(y), A, B)

    pull = -jax.grad(field)(jnp.array(outside))
    assert np.linalg.norm(pull) > 0.1
    direction = pull / np.linalg.norm(pull)
    np.testing.assert_allclose(
        direction, np.array(inwards) / np.linalg.norm(inwards), atol=F64
    )


def test_a_sharp_penalty_does_not_pull_far_samples():
    """With the authors' A = 1000 and B = 100 the pull ends 0.2 outside the border."""
    gradient = jax.grad(lambda margin: penalty(margin[None], 1000.0, 100.0))
    np.testing.assert_allclose(gradient(0.05), 665, rtol=0.01)
    assert gradient(0.2) < 3e-4


def test_amplitude_zero_and_a_cell_without_borders_cost_nothing():
    np.testing.assert_array_equal(penalty(jnp.array([[2.0], [-1.0]]), 0.0, B), 0)
    margins = jax.vmap(Trivial().margins)(jnp.ones((4, 3)))
    np.testing.assert_array_equal(penalty(margins, A, B), np.zeros(4))

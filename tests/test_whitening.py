"""White coordinates: a linear map with its inverse and volume, from the action."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sesamo_jax.reference.whitening import whitening
from sesamo_jax.targets import build_target

LATTICE = {"kappa": 0.12, "lam": 0.0, "dtype": "float64"}
CASES = {
    "real": ("phi4_real", {"shape": (3, 4), **LATTICE}, None),
    "complex": ("phi4_complex", {"shape": (2, 3), **LATTICE}, None),
    "of a given variance": ("phi4_complex", {"shape": (2, 3), **LATTICE}, 2.5),
    "without a lattice": ("hubbard", {"time_slices": 3}, None),
}


@pytest.mark.parametrize("case", CASES)
def test_the_map_has_an_inverse_and_its_volume(case, key):
    name, fields, variance = CASES[case]
    target = build_target(name, **fields)
    white = whitening(target, variance)
    z = jax.random.normal(key, target.event_shape, target.dtype)
    np.testing.assert_allclose(white.whiten(white.colour(z)), z, atol=1e-10)
    size = z.size
    jacobian = jax.jacobian(white.colour)(z).reshape(size, size)
    assert white.log_det == pytest.approx(np.linalg.slogdet(jacobian)[1])


@pytest.mark.slow  # compiles much
@pytest.mark.parametrize("name", ["phi4_real", "phi4_complex"])
def test_a_free_field_becomes_white(name, key):
    """f = x.A x / 2 becomes |z|^2 / 2, whatever the momentum."""
    target = build_target(name, shape=(3, 4), **LATTICE)
    white = whitening(target)
    z = jax.random.normal(key, target.event_shape, jnp.float64)
    hessian = jax.hessian(lambda z: target.action(white.colour(z)))(z)
    identity = np.eye(z.size)
    np.testing.assert_allclose(hessian.reshape(z.size, z.size), identity, atol=1e-6)

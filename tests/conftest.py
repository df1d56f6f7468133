"""Session set-up shared by all tests.

The whole session runs with 64-bit floats enabled, as the Hubbard determinant needs
them. The float32 path is exercised by tests that name the dtype explicitly; importing
the package changes no configuration, so it must be set here.
"""

import zlib

import jax
import numpy as np
import pytest

jax.config.update("jax_enable_x64", True)


def _seed(request: pytest.FixtureRequest) -> int:
    return zlib.crc32(request.node.nodeid.encode())


@pytest.fixture
def key(request: pytest.FixtureRequest) -> jax.Array:
    """Return a random key that depends on the test's name alone."""
    return jax.random.key(_seed(request))


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Return a NumPy generator seeded likewise; it compiles nothing per shape."""
    return np.random.default_rng(_seed(request))

"""Set-up shared by all tests.

All tests run with 64-bit floats enabled, as the Hubbard determinant needs
them. The float32 path is exercised by tests that name the dtype explicitly; importing
the package changes no configuration, so it must be set here.
"""

import importlib
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

# Nearly all of the suite's time is compilation of small programs, which runs about
# three times faster without LLVM's optimisations, and sooner yet where the program of
# each worker is compiled in one piece. Set before JAX starts its backend.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1",
)
# What has been compiled before, in this run or an earlier one, is read from here.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path.home() / ".cache" / "sesamo_jax" / "tests")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")

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


@pytest.fixture(scope="session")
def experiment() -> Callable[[str], ModuleType]:
    """Return a function that imports a script of `experiments` by its name."""
    folder = str(Path(__file__).parents[1] / "experiments")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """Return entries and arrays of a small run's report, which are real."""
    from small_runs import judged_run  # knows the package, whose import is tested

    return judged_run(tmp_path_factory.mktemp("judged") / "run")


@pytest.fixture(scope="module")
def no_training(judged: tuple) -> Iterator[None]:
    """Let small runs train and judge at no cost, as `small_runs` says."""
    from small_runs import without_training

    with without_training(judged):
        yield

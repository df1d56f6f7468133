"""The page of the Python interface: every example runs, and gives what it says."""

import ast
import importlib
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "python.md"


def missing(block):
    """Return whether a block says that it needs a library that is not installed."""
    head = block.partition("\n")[0]
    _, _, needed = head.partition("# needs ")
    try:
        for name in re.findall(r"\w+", needed.replace(" and ", " ")):
            importlib.import_module(name)
    except ImportError:
        return True
    return False


BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_example_imports_what_there_is(block):
    if missing(block):
        pytest.skip("it needs a library that is not installed")
    parts = ast.parse(block).body
    assert parts
    imports = [part for part in parts if isinstance(part, ast.Import | ast.ImportFrom)]
    exec("\n".join(ast.unparse(part) for part in imports), {})


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Return what all blocks together have defined."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        for block in BLOCKS:
            if not missing(block):
                exec(compile(block, str(PAGE), "exec"), found)
    return found


@pytest.fixture(scope="module")
def exact(names):
    """Return log Z and the mean of x_0 of the page's own density, on a grid."""
    axis = np.linspace(-5, 5, 401)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1)
    density = np.exp(jax.vmap(jax.vmap(names["log_density"]))(jnp.asarray(grid)))
    total = density.sum()
    step = axis[1] - axis[0]
    return float(np.log(total * step**2)), float((density * grid[..., 0]).sum() / total)


@pytest.mark.slow  # all of the page, which trains twice; half a minute
def test_all_of_the_page_runs_and_gives_what_it_says(names, exact):
    densities(names)
    own_training(names)
    partition_function(names, exact[0])
    chains(names, exact[1])


def densities(names):
    key = jax.random.key(9)
    np.testing.assert_array_equal(
        names["again"].sample(key, 5), names["mixture"].sample(key, 5)
    )
    log_q = names["sampler"].log_prob(names["x"])
    np.testing.assert_allclose(names["log_q"], log_q, rtol=1e-3, atol=1e-3)
    assert names["drawn"].shape == (2, 10, 2)
    assert names["log_prob"].shape == (3, 4)
    if "joint" in names:
        prior = float(names["sampler"].log_prob(jnp.array([1.0, 0.5])))
        likelihood = -np.log(0.1 * np.sqrt(2 * np.pi))
        assert float(names["joint"]) == pytest.approx(prior + likelihood, rel=1e-5)


def own_training(names):
    assert np.isfinite(float(names["metrics"]["loss"]))
    flow = names["own"].params["flow"]
    assert all(np.any(leaf != 0) for leaf in jax.tree.leaves(flow))


def partition_function(names, log_z):
    """Both flows weigh to it, the page's mean among them."""
    for name in ("sampler", "affine"):
        log_w = np.asarray(names[name].weighted(jax.random.key(1), 4000).log_w, float)
        w = np.exp(log_w)
        assert abs(w.mean() - np.exp(log_z)) < 5 * w.std() / np.sqrt(len(w)), name


def chains(names, mean):
    """Independence chains: tau_int is about the inverse of the acceptance."""
    found = {
        "blackjax": (names["chain"], float(names["accepted"].mean())),
        "own": (names["proposed"].x, names["proposed"].acceptance),
    }
    for name, (x, acceptance) in found.items():
        first = np.asarray(x)[:, 0]
        assert acceptance > 0.3, name
        error = first.std() / np.sqrt(len(first) * acceptance / 2)
        assert abs(first.mean() - mean) < 5 * error < 0.5, name
    if "first" not in names:
        return
    samples = names["samples"]
    shares = np.asarray(jax.nn.softmax(samples.log_w))
    assert abs(names["first"].value - shares @ samples.observables["first"]) < 1e-4
    assert names["tree"]["posterior"]["x"].shape == (1, 1000, 2)

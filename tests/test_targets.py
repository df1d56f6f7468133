"""Which parameters of targets are refused, and how."""

import jax
import jax.numpy as jnp
import pytest

from sesamo_jax.core import Target
from sesamo_jax.targets import build_target
from sesamo_jax.targets.gaussian_mixture import GaussianMixture
from sesamo_jax.targets.hubbard.target import Hubbard


@pytest.mark.parametrize(
    "config",
    [GaussianMixture(dtype="float64"), Hubbard(), Hubbard(time_slices=2)],
    ids=["gmm", "hubbard", "hubbard-2-slices"],
)
def test_float64_targets_ask_for_x64(config):
    with (
        jax.enable_x64(False),
        pytest.raises(ValueError, match="needs float64.*jax_enable_x64"),
    ):
        config.build()


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("gmm", {"modes": 1}, "target.modes=1 must be at least 2"),
        ("gmm", {"radius": 0.0}, r"target.radius=0\.0 must be positive"),
        ("hubbard", {"u": 0.0}, r"target.u=0\.0 must be positive.*real auxiliary"),
        ("hubbard", {"beta": -1.0}, r"target.beta=-1\.0 must be positive"),
        ("hubbard", {"lattice": "cube"}, "target.lattice 'cube'; known: chain, ring"),
        (
            "hubbard",
            {"extents": (1,)},
            r"target.extents=\(1,\) is too small for a chain",
        ),
        (
            "hubbard",
            {"lattice": "ring"},
            r"target.extents=\(2,\) is too small for a ring",
        ),
        ("hubbard", {"edges": ((0, 1),)}, "edges is for target.lattice=graph"),
        (
            "hubbard",
            {"lattice": "graph", "edges": ((0, 2),)},
            "target.edges: 0-2 is out of range for 2 sites",
        ),
        (
            "hubbard",
            {"lattice": "ring", "extents": (5,), "time_slices": 3},
            r"'ring' with extents \(5,\) has a closed path of odd length",
        ),
        ("hubbard", {"time_slices": 0}, "target.time_slices=0 must be at least 1"),
        ("hubbard", {"dtype": "float32"}, "'float32'.*leave target.dtype at float64"),
        ("dw4", {"particles": 1}, "target.particles=1 must be at least 2: without the"),
        ("lj13", {"dimension": 0}, "target.dimension=0 must be at least 1"),
        ("dw2", {"temperature": 0.0}, r"target.temperature=0\.0 must be positive"),
        (
            "lj13",
            {"temperature": float("inf")},
            "target.temperature=inf must be fin",
        ),
        ("lj13", {"pairs": "thrice"}, "target.pairs 'thrice'; known: once, twice"),
        ("dw4", {"quartic": 0.0}, r"target.quartic=0\.0 must be positive"),
        ("dw2", {"offset": -4.0}, r"target.offset=-4\.0 must be positive"),
        ("lj13", {"epsilon": -1.0}, r"target.epsilon=-1\.0 must be positive"),
        ("lj13", {"radius": 0.0}, r"target.radius=0\.0 must be positive"),
        ("lj13", {"oscillator": 0.0}, r"target.oscillator=0\.0 must be positive"),
        (
            "lj13",
            {"temperature": 1e-3},
            r"'float32' is too coarse for actions as low as -1\.6e\+05: use float64",
        ),
        ("ising", {}, "unknown target 'ising'; known: .*gmm.*hubbard"),
    ],
)
def test_impossible_parameters_are_refused_by_name_and_value(name, fields, message):
    with pytest.raises(ValueError, match=message) as error:
        build_target(name, **fields)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("event_shape", [(), (0,), (2, -1)])
def test_empty_events_are_refused(event_shape):
    with pytest.raises(ValueError, match=r"'x': event_shape .* positive extents"):
        Target("x", event_shape, jnp.sum)

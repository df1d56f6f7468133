"""Log densities at |x| from 10 to 1e38: finite or -inf, never NaN, for every model."""

from dataclasses import fields, replace
from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import random_params

from sesamo_jax.config import BaseConfig, Config, VMoNFConfig, build_model
from sesamo_jax.flows import FLOWS, RealNVPConfig
from sesamo_jax.flows.continuous import integrate
from sesamo_jax.modulation import LAWS
from sesamo_jax.symmetries import subgroup_chain
from sesamo_jax.targets import build_target

SCALES = np.append(0.4, 10.0 ** np.arange(1, 39))
TARGETS = {
    "particles": ("dw4", {}),
    "plane": ("gmm_broken", {"modes": 3, "radius": 5.0}),
    "invariant": ("gmm", {"modes": 3, "radius": 5.0}),
    "field": ("phi4_real", {"shape": (4, 2)}),
    "flips": ("hubbard", {}),
    "rotations": ("phi4_complex", {"shape": (2, 2)}),
    "phases": ("phi4_complex", {"shape": (2, 2), "alpha": 0.3}),
    "aligned": ("phi4_complex", {"shape": (2, 2), "space": "aligned"}),
}
SLICE = BaseConfig(kind="slice")
SMALL = {"steps": 2, "couplings": 3, "layers": 1, "widths": (8,), "width": 8}
COUPLINGS = RealNVPConfig(3, 0, 4, "tanh")
UNBOUNDED = RealNVPConfig(3, 1, 8, "relu", shared=False, log_scale_bound=0.0)
# The same in twice the digits, where rounding is easier to bear.
DOUBLE = pytest.param("float64", marks=pytest.mark.slow)
every_type = pytest.mark.parametrize("dtype", ["float32", DOUBLE])


def build(name, dtype, config):
    target_name, settings = TARGETS[name]
    target = build_target(target_name, **{"dtype": dtype, **settings})
    return target, build_model(target, config)


def assert_no_mass_far_away(target, model, rng):
    """Assert what the module says, at random parameters and along random lines."""
    params = random_params(partial(model.init, jax.random.key(0)), rng)
    lines = rng.uniform(-1, 1, size=(3, *target.event_shape))
    x = np.multiply.outer(SCALES, lines).reshape(-1, *target.event_shape)
    found = jax.jit(model.log_prob)(params, jnp.asarray(x, target.dtype))
    found = np.reshape(found, (len(SCALES), -1))
    assert np.any(np.isfinite(found)), found
    assert np.all(found < np.inf), found  # NaN is not
    assert np.all(found[SCALES > 1e4] < -1e3), found


def small(name):
    """Return a row of the flows with few steps and narrow layers."""
    known = {field.name for field in fields(FLOWS[name])}
    return replace(FLOWS[name], **{k: v for k, v in SMALL.items() if k in known})


def first_that_fits(flow, dtype):
    if getattr(flow, "keeps_slice", False):
        return build("phases", dtype, Config(flow=flow, base=SLICE))
    for name, method in product(TARGETS, ("sesamo", "realnvp")):
        try:
            return build(name, dtype, Config(method, flow=flow))
        except ValueError:
            continue
    raise AssertionError(f"no target here fits {flow}: add one to TARGETS")


@pytest.mark.slow
@every_type
@pytest.mark.parametrize("name", FLOWS)
def test_every_flow(name, dtype, rng):
    assert_no_mass_far_away(*first_that_fits(small(name), dtype), rng)


@pytest.mark.slow  # compiles much
@every_type
@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("field", Config(flow=small("spline"), base=BaseConfig(kind="spectral"))),
        ("plane", Config(flow=UNBOUNDED)),
        ("plane", Config("canonicalization", flow=COUPLINGS)),
        ("field", Config("canonicalization", flow=UNBOUNDED)),
        ("flips", Config("vmonf", flow=UNBOUNDED, vmonf=VMoNFConfig(3, 4, 0))),
        ("aligned", Config(flow=COUPLINGS)),
    ],
    ids=["spectral", "unbounded", "folded", "folded-unbounded", "mixture", "aligned"],
)
def test_every_base_and_method(name, config, dtype, rng):
    if name == "flips":
        dtype = "float64"
    assert_no_mass_far_away(*build(name, dtype, config), rng)


# Of a finite group, and of the circle.
TARGETS_OF_LAWS = {
    "heat_bath": ("plane", "phases"),
    "exact": ("invariant", "rotations"),
    "learned": ("plane", "phases"),
    "autoregressive": ("field",),
    "cosets": ("plane",),
}


@pytest.mark.slow  # compiles much
@every_type
@pytest.mark.parametrize("law", LAWS)
def test_every_law(law, dtype, rng):
    for name in TARGETS_OF_LAWS[law]:
        on_circle = TARGETS[name][0] == "phi4_complex"
        flow, base = (
            (small("slice_coupling"), SLICE) if on_circle else (COUPLINGS, None)
        )
        config = Config("sesamo", law, flow=flow, base=base or BaseConfig())
        target_name, settings = TARGETS[name]
        target = build_target(target_name, **{"dtype": dtype, **settings})
        if law == "cosets":
            chain = subgroup_chain([-np.eye(2)], broken=True)
            target = replace(target, symmetry=chain)
        assert_no_mass_far_away(target, build_model(target, config), rng)


@pytest.mark.parametrize(
    ("name", "flow"), [("field", "continuous"), ("particles", "kernel")]
)
def test_a_failed_adaptive_integration_is_not_a_number(name, flow, rng, monkeypatch):
    """Neither a density nor its absence; for fields as for particles."""
    config = Config("realnvp", sites="all", flow=small(flow))
    target, model = build(name, "float64", config)
    params = random_params(partial(model.init, jax.random.key(0)), rng)
    y = rng.normal(size=(2, *target.event_shape))
    monkeypatch.setattr(integrate, "MAX_ADAPTIVE_STEPS", 1)
    assert np.all(np.isnan(jax.jit(model.integrated.adaptive_log_prob)(params, y)))

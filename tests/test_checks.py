"""What is no target, symmetry or flow is refused, in one sentence with the point."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sesamo_jax.checks import check_flow, check_symmetry, check_target
from sesamo_jax.config import Config, build_model
from sesamo_jax.core import Target
from sesamo_jax.flows import RealNVPConfig
from sesamo_jax.flows.coupling.realnvp import RealNVP
from sesamo_jax.symmetries import U1, Cyclic, Product, dihedral, wells_at
from sesamo_jax.targets import TARGETS, build_target


def threefold(x):
    return jnp.sum(x**2) ** 2 / 4 - (x[0] ** 3 - 3 * x[0] * x[1] ** 2) / 3


def tilted(x):
    return threefold(x) + 0.3 * x[0] - 0.1 * x[1]


@dataclass(frozen=True)
class Wrong:
    """Z_3 with one of its functions replaced."""

    act: object = Cyclic(3).act
    undo: object = Cyclic(3).undo
    sector: object = Cyclic(3).sector
    margins: object = Cyclic(3).margins
    order: int = 3
    broken: bool = True
    factors = ((3, True),)


def squeeze(g, y):
    """Three maps that form a group, and change distances."""
    scale = jnp.array([2.0, 1.0])
    x, log_vol = Cyclic(3).act(g, y / scale)
    return scale * x, log_vol


def shift(g, y):
    return Cyclic(3).act((g + 1) % 3, y)


WRONG_SYMMETRIES = {
    "undo": (Wrong(undo=lambda g, x: Cyclic(3).act(g, x)[0]), "undo after act"),
    "identity": (
        Wrong(act=shift, undo=lambda g, x: Cyclic(3).undo((g + 1) % 3, x)),
        "element 0 must be the identity",
    ),
    "sector": (Wrong(sector=lambda x: (x[0] < 0).astype(jnp.int32)), "sector does not"),
    "margins": (Wrong(margins=lambda y: -Cyclic(3).margins(y)), "a margin is positive"),
    "distances": (
        Wrong(
            act=squeeze,
            undo=lambda g, x: squeeze(-g % 3, x)[0],
            sector=lambda x: Cyclic(3).sector(x / jnp.array([2.0, 1.0])),
            margins=lambda y: Cyclic(3).margins(y / jnp.array([2.0, 1.0])),
        ),
        "changes distances",
    ),
    "volume": (
        Wrong(act=lambda g, y: (Cyclic(3).act(g, y)[0], jnp.log(2.0 + g))),
        "log volume other than 0",
    ),
    "no number": (Wrong(undo=lambda g, x: x * jnp.nan), "undo after act"),
    "shape": (Wrong(undo=lambda g, x: x[:1]), r"undo makes events of shape \(1,\)"),
    "product": (  # the parts do not commute, and change each other's cells
        Product((Cyclic(3, broken=True), dihedral(2, broken=True))),
        "undo after act|a margin is|sector does not find|makes none of the elements",
    ),
}


@pytest.mark.parametrize("name", WRONG_SYMMETRIES)
def test_what_is_no_symmetry_is_refused_with_the_point(name):
    symmetry, message = WRONG_SYMMETRIES[name]
    target = Target("tilted", (2,), tilted, symmetry, jnp.float64)
    with pytest.raises(ValueError, match=message) as error:
        check_symmetry(symmetry, target)
    assert "tilted" in str(error.value)
    assert name == "shape" or ", at [" in str(error.value)


@pytest.mark.parametrize("symmetry", [Cyclic(3), dihedral(3)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_action_that_changes_is_refused_unless_broken(symmetry, dtype):
    even = Target("even", (2,), threefold, symmetry, jnp.dtype(dtype))
    check_symmetry(symmetry, even)
    odd = replace(even, action=tilted)
    with pytest.raises(ValueError, match="changes the action: set broken=True, at"):
        check_symmetry(symmetry, odd)
    check_symmetry(replace(symmetry, broken=True), odd)


def test_only_the_exact_factors_of_a_product_leave_the_action_as_it_is():
    hubbard = build_target("hubbard")
    check_symmetry(hubbard.symmetry, hubbard)
    wrong = replace(hubbard, action=lambda x: hubbard.action(x) + x[0, 0])
    with pytest.raises(ValueError, match="changes the action"):
        check_symmetry(wrong.symmetry, wrong)


def test_angles_of_a_broken_field_are_refused_unless_broken():
    target = build_target("phi4_complex_broken")
    check_symmetry(target.symmetry, target)
    with pytest.raises(ValueError, match="changes the action"):
        check_symmetry(U1(linear=True), target)


@pytest.mark.parametrize("name", TARGETS)
def test_the_targets_of_the_table_pass(name):
    target = build_target(name)
    check_target(target)
    check_symmetry(target.symmetry, target)


WELLS = wells_at(lambda x: jnp.sum((x**2 - 1) ** 2) + 0.3 * x[0], np.eye(2) * 2 - 1.0)


@dataclass(frozen=True, eq=False)
class Crooked(type(WELLS)):
    def act(self, g, y):
        x, log_vol = super().act(g, y)
        return x, 2 * log_vol


def test_wells_are_checked_against_their_jacobian():
    target = Target("wells", (2,), tilted, WELLS, jnp.float64)
    check_symmetry(WELLS, target)
    crooked = Crooked(**vars(WELLS))
    with pytest.raises(ValueError, match="log volume of well 0 is not that of its Jac"):
        check_symmetry(crooked, target)


def nan_at_the_left(x):
    return jnp.where(x[0] < 0, jnp.nan, jnp.sum(x**2))


WRONG_TARGETS = {
    "action": (nan_at_the_left, {}, "the action is nan"),
    "mass": (lambda x: -jnp.inf * jnp.sum(x**2), {}, "the action is -inf"),
    "gradient": (
        lambda x: jnp.sum(x**2) + jnp.sqrt(jnp.maximum(x[0], 0.0)),
        {},
        "the gradient of the action is",
    ),
    "observable": (
        threefold,
        {"observables": {"log": lambda x: jnp.log(x[0])}},
        "observable 'log' is nan",
    ),
    "samples": (
        lambda x: jnp.sum((x - 0.2) ** 2) / 2,
        {"sample": lambda key, n: jax.random.normal(key, (n, 2), jnp.float64)},
        "exact samples are not those of exp",
    ),
    "type": (
        lambda x: jnp.sum(x**2) / 2,
        {"sample": lambda key, n: jax.random.normal(key, (n, 2), jnp.float32)},
        "of float64",
    ),
}


@pytest.mark.parametrize("name", WRONG_TARGETS)
def test_what_is_no_target_is_refused(name):
    action, more, message = WRONG_TARGETS[name]
    target = Target("own", (2,), action, dtype=jnp.float64, **more)
    with pytest.raises(ValueError, match=message):
        check_target(target)


class NoInverse(RealNVP):
    def inverse_and_log_det(self, y):
        z, log_det = super().inverse_and_log_det(y)
        return 1.01 * z, log_det


class NoJacobian(RealNVP):
    def forward_and_log_det(self, z):
        y, log_det = super().forward_and_log_det(z)
        return y, log_det + 0.1

    def inverse_and_log_det(self, y):
        z, log_det = super().inverse_and_log_det(y)
        return z, log_det - 0.1


class OneSided(RealNVP):
    def inverse_and_log_det(self, y):
        z, log_det = super().inverse_and_log_det(y)
        return z, -log_det


@dataclass(frozen=True)
class Own(RealNVPConfig):
    module = RealNVP

    def build(self, event_shape, dtype):
        return self.module(event_shape, self, dtype)


SMALL = {"couplings": 2, "layers": 0, "width": 4}


def flow_of(module):
    """Return the sizes of a flow that builds this module."""
    return type("Own", (Own,), {"module": module})(**SMALL)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (NoInverse, "inverse does not invert"),
        (OneSided, "log determinant of the inverse is not the opposite"),
        (NoJacobian, "log determinant is not that of its Jacobian"),
    ],
)
def test_what_is_no_flow_is_refused(module, message):
    target = Target("tilted", (2,), tilted, dtype=jnp.float64)
    check_flow(flow_of(RealNVP), target)
    with pytest.raises(ValueError, match=message + ".*at z = "):
        check_flow(flow_of(module), target)


def test_build_model_checks_what_it_is_given():
    flow = RealNVPConfig(**SMALL)
    undo = WRONG_SYMMETRIES["undo"][0]
    target = Target("tilted", (2,), tilted, undo, jnp.float64)
    with pytest.raises(ValueError, match="undo after act"):
        build_model(target, Config(flow=flow))
    target = replace(target, symmetry=Cyclic(3, broken=True))
    with pytest.raises(ValueError, match="does not invert"):
        build_model(target, Config(flow=flow_of(NoInverse)))
    target = replace(target, action=nan_at_the_left)
    with pytest.raises(ValueError, match="the action is nan"):
        build_model(target, Config(flow=flow))

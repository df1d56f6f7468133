"""A new row of any table is all that the package needs to know of a new idea."""

import ast
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sesamo_jax
from sesamo_jax import Target, evaluate, fit
from sesamo_jax.bases import BASES, Base
from sesamo_jax.bases.gaussian import Gaussian
from sesamo_jax.config import build_model, complete, resolve
from sesamo_jax.config.schema import METHODS
from sesamo_jax.core.bounds import positive
from sesamo_jax.flows import FLOWS
from sesamo_jax.flows.coupling.realnvp import RealNVP, RealNVPConfig
from sesamo_jax.modulation import LAWS, Modulation
from sesamo_jax.modulation.discrete.law import FiniteLaw
from sesamo_jax.objectives import OBJECTIVES, Objective
from sesamo_jax.samplers.flow import FLOW
from sesamo_jax.symmetries import Z2
from sesamo_jax.targets import TARGETS

ROOT = Path(sesamo_jax.__file__).parent
TABLES = (BASES, FLOWS, LAWS, METHODS, OBJECTIVES, TARGETS)
# What an objective itself needs of a method may bear the method's name.
OWN_NEEDS = {"objectives/flow_matching.py"}

TINY = {
    "training.steps": 2,
    "training.batch_size": 16,
    "evaluation.samples": 32,
    "flow.couplings": 2,
    "flow.layers": 0,
    "flow.width": 4,
}


@pytest.mark.parametrize(
    "path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_file_compares_with_the_name_of_a_row(path):
    names = {name for table in TABLES for name in table}
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare):
            constants = {
                part.value for part in ast.walk(node) if isinstance(part, ast.Constant)
            }
            if any(isinstance(c, str) and c in names for c in constants):
                found.append(ast.unparse(node))
    allowed = str(path.relative_to(ROOT)) in OWN_NEEDS
    assert allowed or not found


@dataclass(frozen=True)
class Quartic:
    """f = |x|^4 / 4 - x_0, whose second component has a sign flip."""

    tilt: float = positive(1.0)
    dtype: str = "float64"

    def build(self, name):
        def action(x):
            return jnp.sum(x**2) ** 2 / 4 - self.tilt * x[0]

        return Target(name, (2,), action, Z2((2,), broken=True), jnp.float64)


class BiasedLaw(FiniteLaw):
    """p_S(u) = 0.7, 0.3, whatever y is."""

    def log_probs(self, y):
        return jnp.log(jnp.array([0.7, 0.3], y.dtype))

    def log_probs_into(self, x):
        return self.log_probs(x)


@dataclass(frozen=True)
class Twice(RealNVPConfig):
    """RealNVP under another name."""

    def build(self, event_shape, dtype):
        return RealNVP(event_shape, self, dtype)


def shifted(target, mean, variance):
    return Gaussian(target.event_shape, 0.25, 2.0, target.dtype)


def square_loss(batch):
    return jnp.mean((batch.log_w - jnp.mean(batch.log_w)) ** 2) + jnp.mean(
        batch.penalty
    )


NEW = {
    "target": (TARGETS, Quartic(), {}),
    "flow": (FLOWS, Twice(), {"flow.name": "new"}),
    "law": (
        LAWS,
        Modulation(lambda target, group: BiasedLaw(group), None, None),
        {"modulation": "new"},
    ),
    "base": (BASES, Base(shifted), {"base.kind": "new"}),
    "objective": (
        OBJECTIVES,
        Objective(square_loss),
        {"training.objective": "new", "training.gradient": "total"},
    ),
    "method": (METHODS, FLOW, {"method": "new"}),
}


@pytest.mark.slow  # compiles much
@pytest.mark.parametrize("kind", NEW)
def test_a_row_is_enough_from_the_command_line_to_the_report(kind, monkeypatch, key):
    table, row, settings = NEW[kind]
    monkeypatch.setitem(TARGETS, "quartic", Quartic())
    monkeypatch.setitem(table, "new", row)
    name = "new" if kind == "target" else "quartic"
    run = resolve(name, settings=TINY | settings)
    target = run.target.build(name)
    config = complete(run.config, target)
    model = build_model(target, config)
    params = jax.tree.map(lambda leaf: leaf[0], fit(model, target, config).params)
    report = evaluate(model, target, config, params, key)
    assert np.isfinite(report["log_z"])
    assert 0 < report["ess"] <= 1


@dataclass(frozen=True)
class Swap:
    """Exchange of two components, exact."""

    order: int = 2
    broken: bool = False
    factors = ((2, False),)

    def act(self, g, y):
        return jnp.where(g, y[::-1], y), jnp.zeros((), y.dtype)

    def undo(self, g, x):
        return self.act(g, x)[0]

    def sector(self, x):
        return (x[0] < x[1]).astype(jnp.int32)

    def margins(self, y):
        return (y[1] - y[0])[None]


def test_a_symmetry_of_a_script_needs_no_row(key):
    def action(x):
        return jnp.sum(x**4) / 4 - 2 * jnp.abs(x[0] - x[1])

    target = Target("swap", (2,), action, Swap(), jnp.float64)
    run = resolve("gmm", settings=TINY)
    model = build_model(target, run.config)
    params = model.init(key)
    samples = model.sample(params, key, 200)
    swapped = samples.x[:, ::-1]
    np.testing.assert_allclose(
        model.log_prob(params, samples.x), model.log_prob(params, swapped), rtol=1e-12
    )

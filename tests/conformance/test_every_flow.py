"""What every flow of the table must hold, at its own sizes and at others.

A new row of `FLOWS` is tested by itself, on the first of `SHAPES` that it accepts.
Integrated flows are tested in fine steps: their log-determinant is that of the flow in
continuous time, from which a few steps differ.
"""

from dataclasses import dataclass, replace
from functools import cached_property, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import grid, random_params, with_slow
from tolerances import F32, F64

from sesamo_jax.flows import (
    FLOWS,
    BlackBoxConfig,
    CheckerboardConfig,
    ContinuousConfig,
    EquivariantGraphConfig,
    FlowConfig,
    IntegratedConfig,
    KernelConfig,
    NeuralSplineConfig,
    RealNVPConfig,
    SliceConfig,
    SliceContinuousConfig,
    SliceCouplingConfig,
    SplineConfig,
)

FORWARD, INVERSE = "forward_and_log_det", "inverse_and_log_det"
SHAPES = [(3, 2), (4, 6), (2, 4, 2)]
PLANES = [(2,), (1, 2), (2, 1)]


@dataclass(frozen=True)
class Case:
    """A flow with random parameters; its functions are compiled once."""

    config: FlowConfig
    shape: tuple[int, ...]
    gain: float = 1.0
    finer: int = 2  # times that an integrated flow's steps are made smaller

    @property
    def on_slice(self):
        return isinstance(self.config, SliceConfig)

    @property
    def integrated(self):
        return isinstance(self.config, IntegratedConfig)

    @property
    def tolerance(self):
        return 1e-7 if self.integrated else F64

    @cached_property
    def params(self):
        flow = self.config.build(self.shape, jnp.float64)
        init = partial(flow.init, jax.random.key(0), self.event(), method=FORWARD)
        return random_params(init, np.random.default_rng(7), self.gain)

    def event(self, rng=None):
        """Return an event, of a flow on the slice one with Im sum = 0 < Re sum."""
        z = (np.random.default_rng(1) if rng is None else rng).normal(size=self.shape)
        if self.on_slice:
            z[..., 0] += 1.2 - min(0, z[..., 0].mean())
            z[..., 1] -= z[..., 1].mean()
        return jnp.asarray(z)

    def apply(self, method, dtype=jnp.float64):
        config = self.config
        for _ in range(self.finer if self.integrated else 0):
            config = config.finer()
        flow = config.build(self.shape, dtype)
        params = jax.tree.map(lambda leaf: leaf.astype(dtype), self.params)
        return partial(flow.apply, params, method=method)

    @cached_property
    def fine(self):
        """Both directions, in fine steps."""
        return tuple(jax.jit(self.apply(method)) for method in (FORWARD, INVERSE))

    @cached_property
    def basis(self):
        """Orthonormal coordinates of events, the Re sum first on a slice."""
        size = int(np.prod(self.shape))
        if not self.on_slice:
            return np.eye(size)
        modes = np.kron(np.ones((size // 2, 1)), np.eye(2)) / (size / 2) ** 0.5
        rest = np.linalg.svd(np.eye(size) - modes @ modes.T)[0][:, :-2]
        return np.concatenate([modes[:, :1], rest], axis=1)


# Asymmetric numbers of everything. The bound on slopes is out of the way: where it
# acts, velocities have kinks in time and no integrator its full order.
LATTICE = {"features": 4, "reach": 3.0, "width": 0.9, "time_modes": 3, "steps": 20}
LATTICE["slope"] = 50.0
NVP = RealNVPConfig(2, 1, 8, "tanh", shared=False, log_scale_bound=0.0)
NEURAL = NeuralSplineConfig(2, 0, 6, "tanh", bins=5, bound=2.0)
BOARD = CheckerboardConfig(couplings=3, channels=4)
SPLINE = SplineConfig(couplings=3, layers=1, channels=4, bins=5, bound=2.0)
GRAPH = EquivariantGraphConfig(width=6, layers=2, bumps=5, reach=4.0, time_modes=2)
KERNEL = KernelConfig(kernels=7, time_kernels=3, reach=12.0, width=2.0)
CLUSTER = KernelConfig(centres="quadratic", reach=6.57, width=0.3, gain=0.1)
OTHERS = {
    "black_box-(3,2)": Case(BlackBoxConfig((7, 9)), (3, 2), 0.8),
    "black_box-(2,3)": Case(BlackBoxConfig((5,)), (2, 3), 0.8),
    "checkerboard-(4,6)": Case(BOARD, (4, 6), 0.7),
    "checkerboard-(2,4,2)": Case(BOARD, (2, 4, 2), 0.7),
    "continuous-(4,6)": Case(ContinuousConfig(**LATTICE), (4, 6), 1.5),
    "continuous-(2,4,2)": Case(ContinuousConfig(**LATTICE), (2, 4, 2), 1.5),
    "continuous-(4,4)": Case(ContinuousConfig(**LATTICE), (4, 4), 1.5),
    "equivariant_graph-(1,2)": Case(GRAPH, (1, 2), 0.5),
    "equivariant_graph-(4,3)": Case(GRAPH, (4, 3), 0.5),
    "kernel-(4,3)": Case(KERNEL, (4, 3), 0.3),
    "kernel-(2,1)": Case(KERNEL, (2, 1), 0.3),
    "kernel-cluster": Case(CLUSTER, (3, 3), 0.3),
    "neural_spline-(1,)": Case(NEURAL, (1,), 2.0),
    "neural_spline-(5,)": Case(replace(NEURAL, couplings=3), (5,), 2.0),
    "realnvp-paper": Case(
        replace(NVP, couplings=3, layers=2, width=40, activation="relu"), (1, 2), 2.0
    ),
    "realnvp-odd": Case(replace(NVP, couplings=3, layers=0), (3,)),
    "realnvp-shared": Case(replace(NVP, activation="gelu", shared=True), (4, 4)),
    "realnvp-bounded": Case(replace(NVP, log_scale_bound=0.7), (1, 2)),
    "slice_continuous-(2,6,2)": Case(
        SliceContinuousConfig(**LATTICE), (2, 6, 2), 1.5
    ),
    "slice_continuous-(4,4,2)": Case(
        SliceContinuousConfig(**LATTICE), (4, 4, 2), 1.5
    ),
    "slice_coupling-(2,4,2)": Case(
        SliceCouplingConfig(couplings=3, channels=4), (2, 4, 2), 0.7
    ),
    "spline-(4,6)": Case(SPLINE, (4, 6), 2.0),
    "spline-(2,4,2)": Case(SPLINE, (2, 4, 2), 2.0),
}  # fmt: skip


def first_accepted(config, shapes):
    """Return the first of some shapes that a flow can be built and set up for."""
    for shape in shapes:
        try:
            flow = config.build(shape, jnp.float64)
            jax.eval_shape(
                partial(flow.init, method=FORWARD), jax.random.key(0), jnp.ones(shape)
            )
        except ValueError:
            continue
        return shape
    raise AssertionError(f"{config} accepts none of {shapes}: add a shape that it does")


ROWS = {
    name: Case(config, first_accepted(config, SHAPES), 0.5)
    for name, config in FLOWS.items()
}
CASES = ROWS | OTHERS
# Other sizes and shapes of flows whose rows are checked at their own.
every_flow = pytest.mark.parametrize("name", with_slow(CASES, OTHERS))
every_row = pytest.mark.parametrize("name", ROWS)


@every_flow
def test_round_trip_restores_the_event_both_ways(name, rng):
    case = CASES[name]
    forward, inverse = case.fine
    z = case.event(rng)
    y, log_det = forward(z)
    assert y.shape == case.shape
    assert log_det.shape == ()
    assert np.max(np.abs(y - z)) > 1e-2
    back, back_log_det = inverse(y)
    np.testing.assert_allclose(back, z, atol=case.tolerance)
    np.testing.assert_allclose(back_log_det, -log_det, atol=case.tolerance)
    np.testing.assert_allclose(forward(inverse(z)[0])[0], z, atol=case.tolerance)


@every_flow
@pytest.mark.parametrize("direction", [0, 1], ids=[FORWARD, INVERSE])
def test_log_det_is_that_of_the_jacobian(name, direction, rng):
    case = CASES[name]
    function, basis = case.fine[direction], case.basis
    event = case.event(rng)

    def coordinates(c):
        return basis.T @ function((basis @ c).reshape(case.shape))[0].ravel()

    jacobian = jax.jit(jax.jacfwd(coordinates))(basis.T @ event.ravel())
    expected = np.linalg.slogdet(jacobian)[1]
    assert abs(expected) > 1e-3
    np.testing.assert_allclose(function(event)[1], expected, atol=case.tolerance)


@every_row
def test_batches_agree_with_one_at_a_time(name, rng):
    case = ROWS[name]
    events = jnp.stack([case.event(rng) for _ in range(3)])
    for function in case.fine:
        batch = jax.jit(jax.vmap(function))(events)
        for i, event in enumerate(events):
            for found, one in zip(batch, function(event), strict=True):
                np.testing.assert_allclose(found[i], one, atol=F64)


@every_row
def test_float32_flows_stay_float32_and_follow_float64(name, rng):
    """Also where JAX is set up for float64, as another target may need it."""
    case = CASES[name]
    z = case.event(rng)
    for method, function in zip((FORWARD, INVERSE), case.fine, strict=True):
        single = jax.jit(case.apply(method, jnp.float32))
        y, log_det = single(jnp.asarray(z, jnp.float32))
        assert y.dtype == log_det.dtype == jnp.float32
        exact, exact_log_det = function(z)
        scale = 1 + np.max(np.abs(exact))
        np.testing.assert_allclose(y, exact, atol=3 * F32 * scale)
        np.testing.assert_allclose(log_det, exact_log_det, atol=10 * F32 * scale)


@pytest.mark.parametrize(
    "name", [name for name, case in ROWS.items() if not case.on_slice]
)
def test_density_behind_the_flow_integrates_to_one(name):
    """Over a plane; what lives on a slice has more dimensions, see `test_u1`."""
    case = Case(FLOWS[name], first_accepted(FLOWS[name], PLANES), 0.3, finer=1)
    inverse = jax.jit(jax.vmap(case.apply(INVERSE)))

    def mass(nodes):
        points, volume = grid(7.0, nodes)
        z, log_det = inverse(jnp.asarray(points.reshape(-1, *case.shape)))
        assert np.std(log_det) > 1e-3
        square = np.sum(np.reshape(z, (-1, 2)) ** 2, axis=1)
        return np.sum(np.exp(log_det - square / 2)) / (2 * np.pi) * volume

    coarse = mass(40)
    fine = coarse if abs(coarse - 1) < 1e-3 else mass(200)  # of bumpy velocities
    assert fine == pytest.approx(1, abs=1e-3)

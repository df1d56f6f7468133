"""Flows g_theta, one per file, and the table that names them."""

from math import prod
from typing import Any, Protocol, runtime_checkable

import flax.linen as nn

from sesamo_jax.flows.bijector import BijectorFlow
from sesamo_jax.flows.continuous.black_box import BlackBoxConfig
from sesamo_jax.flows.continuous.equivariant_graph import EquivariantGraphConfig
from sesamo_jax.flows.continuous.kernel import KernelConfig
from sesamo_jax.flows.continuous.lattice import ContinuousConfig
from sesamo_jax.flows.continuous.slice import SliceContinuousConfig
from sesamo_jax.flows.coupling.checkerboard import Checkerboard, CheckerboardConfig
from sesamo_jax.flows.coupling.neural_spline import NeuralSplineConfig, NeuralSplines
from sesamo_jax.flows.coupling.realnvp import RealNVP, RealNVPConfig
from sesamo_jax.flows.coupling.slice import SliceCouplingConfig, SliceCouplings
from sesamo_jax.flows.coupling.spline import SplineConfig, SplineCouplings
from sesamo_jax.geometry.sublattice import EvenSites

__all__ = [
    "DENSE",
    "FLOWS",
    "AllSitesConfig",
    "BijectorFlow",
    "BlackBoxConfig",
    "Checkerboard",
    "CheckerboardConfig",
    "ContinuousConfig",
    "EquivariantGraphConfig",
    "EvenSitesConfig",
    "FlowConfig",
    "IntegratedConfig",
    "KernelConfig",
    "NeuralSplineConfig",
    "NeuralSplines",
    "RealNVP",
    "RealNVPConfig",
    "SliceConfig",
    "SliceContinuousConfig",
    "SliceCouplingConfig",
    "SliceCouplings",
    "SplineConfig",
    "SplineCouplings",
    "dense_flow",
]


class FlowConfig(Protocol):
    """A frozen dataclass of a flow's sizes that builds its Flax module."""

    def build(self, event_shape: tuple[int, ...], dtype: Any) -> nn.Module:
        """Return a module with the methods of `core.Bijection`."""
        ...


@runtime_checkable
class IntegratedConfig(FlowConfig, Protocol):
    """Sizes of a flow that is integrated in steps: reports then state their error."""

    def build(
        self, event_shape: tuple[int, ...], dtype: Any, tolerance: float = 0.0
    ) -> nn.Module:
        """Return the module, with a tolerance the one of an adaptive integrator."""
        ...

    def finer(self) -> "IntegratedConfig":
        """Return the same flow in smaller steps, for reports."""
        ...


@runtime_checkable
class SliceConfig(FlowConfig, Protocol):
    """Sizes of a flow that takes the U(1) slice to itself."""

    @property
    def keeps_slice(self) -> bool:
        """Whether it does; True."""
        ...


@runtime_checkable
class EvenSitesConfig(FlowConfig, Protocol):
    """Sizes of a flow that knows of the lattice that a field on even sites lives on."""

    def build_on_even_sites(
        self,
        sites: EvenSites,
        event_shape: tuple[int, ...],
        dtype: Any,
        tolerance: float = 0.0,
    ) -> nn.Module:
        """Return the module for such a field."""
        ...


@runtime_checkable
class AllSitesConfig(FlowConfig, Protocol):
    """Sizes of a flow that takes its events for all sites of a lattice."""

    @property
    def needs_all_sites(self) -> bool:
        """Whether it does; True."""
        ...


# A new flow: one file with such a dataclass and its module, one row here.
FLOWS: dict[str, FlowConfig] = {
    "black_box": BlackBoxConfig(),
    "checkerboard": CheckerboardConfig(),
    "continuous": ContinuousConfig(),
    "equivariant_graph": EquivariantGraphConfig(),
    "kernel": KernelConfig(),
    "neural_spline": NeuralSplineConfig(),
    "realnvp": RealNVPConfig(),
    "slice_continuous": SliceContinuousConfig(),
    "slice_coupling": SliceCouplingConfig(),
    "spline": SplineConfig(),
}

DENSE = "realnvp"  # of events of any shape, but for a single component


def dense_flow(event_shape: tuple[int, ...]) -> str:
    """Return the name of the flow of an event that nothing is known of but its size."""
    return DENSE if prod(event_shape) > 1 else "neural_spline"

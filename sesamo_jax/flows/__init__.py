"""Flows g_theta, one per file, and the table that names them."""

from typing import Any, Protocol

import flax.linen as nn

from sesamo_jax.flows.checkerboard import Checkerboard, CheckerboardConfig
from sesamo_jax.flows.continuous import ContinuousConfig, SliceContinuousConfig
from sesamo_jax.flows.realnvp import RealNVP, RealNVPConfig
from sesamo_jax.flows.slice_coupling import SliceCouplingConfig, SliceCouplings
from sesamo_jax.flows.spline import SplineConfig, SplineCouplings

__all__ = [
    "FLOWS",
    "Checkerboard",
    "CheckerboardConfig",
    "FlowConfig",
    "RealNVP",
    "RealNVPConfig",
    "SliceCouplingConfig",
    "SliceCouplings",
    "SplineConfig",
    "SplineCouplings",
]


class FlowConfig(Protocol):
    """A frozen dataclass of a flow's sizes that builds its Flax module."""

    def build(self, event_shape: tuple[int, ...], dtype: Any) -> nn.Module:
        """Return a module with the methods of `core.Bijection`."""
        ...


# A new flow: one file with such a dataclass and its module, one row here.
FLOWS: dict[str, FlowConfig] = {
    "checkerboard": CheckerboardConfig(),
    "continuous": ContinuousConfig(),
    "realnvp": RealNVPConfig(),
    "slice_continuous": SliceContinuousConfig(),
    "slice_coupling": SliceCouplingConfig(),
    "spline": SplineConfig(),
}

"""A flow of somebody else's bijection, any of distrax's for instance."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flax.linen as nn

from sesamo_jax.core import Array, Bijection, Key, Params


@dataclass(frozen=True)
class BijectorFlow:
    """Configuration of a flow that is made in Python; it has no name in `FLOWS`.

    Attributes:
        parameters: from a key to initial parameters, a dictionary of arrays, nested or
            not.
        bijector: from parameters to a bijection of one event, (*event_shape), with
            distrax's `forward_and_log_det` and `inverse_and_log_det`; forward is the
            direction of sampling.
    """

    parameters: Callable[[Key], Params]
    bijector: Callable[[Params], Bijection]

    def build(self, event_shape: tuple[int, ...], dtype: Any) -> nn.Module:
        """Return its Flax module."""
        return BijectorModule(self)


class BijectorModule(nn.Module):
    """The Flax module of a bijection's parameters.

    Attributes:
        config: the bijection.
    """

    config: BijectorFlow

    def setup(self) -> None:
        """Create the parameters."""
        self.parameters = self.param("bijector", self.config.parameters)

    def forward_and_log_det(self, z: Array) -> tuple[Array, Array]:
        """Return y = g(z) and log|det dy/dz| for one event."""
        return _of_event(self.config.bijector(self.parameters).forward_and_log_det(z))

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """Return z = g^-1(y) and log|det dz/dy| for one event."""
        return _of_event(self.config.bijector(self.parameters).inverse_and_log_det(y))


def _of_event(result: tuple[Array, Array]) -> tuple[Array, Array]:
    if result[1].shape != ():
        raise ValueError(
            f"the bijector's log det has shape {result[1].shape}, and must be one "
            "number per event: wrap the bijector in distrax.Block"
        )
    return result

"""What a target's configuration is: its parameters, and how it is built from them."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax.numpy as jnp

from sesamo_jax.core import Target


@runtime_checkable
class TargetConfig(Protocol):
    """A frozen dataclass of a system's parameters that builds its target."""

    @property
    def dtype(self) -> str:
        """Floating type of x, `float32` or `float64`."""
        ...

    def build(self, name: str) -> Target:
        """Return the target under the given name."""
        ...


@dataclass(frozen=True, init=False, eq=False)
class Fixed:
    """A target that somebody else has built: it has no parameters to set."""

    def __init__(self, target: Target) -> None:
        object.__setattr__(self, "target", target)

    @property
    def dtype(self) -> str:
        """Floating type of x."""
        return str(jnp.dtype(self.target.dtype))  # type: ignore[attr-defined]

    def build(self, name: str) -> Target:
        """Return the target; it keeps its own name."""
        return self.target  # type: ignore[attr-defined]

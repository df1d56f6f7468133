"""Targets f(x), one physical system per file, and the table that names them."""

from typing import Protocol

from sesamo_jax.core import Target
from sesamo_jax.targets.gaussian_mixture import GaussianMixture
from sesamo_jax.targets.hubbard import Hubbard


class TargetConfig(Protocol):
    """A frozen dataclass of a system's parameters that builds its target."""

    @property
    def dtype(self) -> str:
        """Floating type of x, `float32` or `float64`."""
        ...

    def build(self, name: str) -> Target:
        """Return the target under the given name."""
        ...


# A new target: one file with such a dataclass, one row here.
TARGETS: dict[str, TargetConfig] = {
    "gmm": GaussianMixture(),
    "gmm_broken": GaussianMixture(breaking=0.05),
    "hubbard": Hubbard(),
}

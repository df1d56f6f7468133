"""Targets f(x), one physical system per file, and the table that names them."""

from dataclasses import replace
from typing import Any, Protocol

from sesamo_jax.core import Target
from sesamo_jax.targets.gaussian_mixture import GaussianMixture
from sesamo_jax.targets.hubbard.target import Hubbard
from sesamo_jax.targets.particles.double_well import DoubleWell
from sesamo_jax.targets.particles.lennard_jones import LennardJones
from sesamo_jax.targets.phi4.complex import Phi4Complex
from sesamo_jax.targets.phi4.real import Phi4Real


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
    "phi4_complex": Phi4Complex(),
    "phi4_complex_broken": Phi4Complex(alpha=0.005),
    "phi4_real": Phi4Real(),
    "dw2": DoubleWell(particles=2, pairs="once"),
    "dw4": DoubleWell(particles=4, pairs="once"),
    "lj13": LennardJones(particles=13, pairs="twice"),
}


def build_target(name: str, **fields: Any) -> Target:
    """Return a named target, with some of its parameters changed.

    Args:
        name: a key of `TARGETS`.
        **fields: fields of its configuration, for instance `beta=2.0`.

    Raises:
        ValueError: for an unknown name, or parameters out of their range.
        TypeError: for an unknown field.
    """
    if name not in TARGETS:
        raise ValueError(f"unknown target {name!r}; known: {', '.join(TARGETS)}")
    return replace(TARGETS[name], **fields).build(name)  # type: ignore[type-var]

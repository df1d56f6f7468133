"""Targets f(x), one physical system per file, and the table that names them."""

from dataclasses import fields as fields_of
from dataclasses import replace
from typing import Any

from sesamo_jax.core import Origin, Target
from sesamo_jax.core.words import unknown
from sesamo_jax.targets.config import TargetConfig
from sesamo_jax.targets.gaussian_mixture import GaussianMixture
from sesamo_jax.targets.hubbard.target import Hubbard
from sesamo_jax.targets.imported import (
    FORMS,
    absolute,
    imported,
    is_import_path,
)
from sesamo_jax.targets.particles.double_well import DoubleWell
from sesamo_jax.targets.particles.lennard_jones import LennardJones
from sesamo_jax.targets.phi4.complex import Phi4Complex
from sesamo_jax.targets.phi4.on import Phi4ON
from sesamo_jax.targets.phi4.real import Phi4Real

# A new target: one file with such a dataclass, one row here.
TARGETS: dict[str, TargetConfig] = {
    "gmm": GaussianMixture(),
    "gmm_broken": GaussianMixture(breaking=0.05),
    "hubbard": Hubbard(),
    "phi4_complex": Phi4Complex(),
    "phi4_complex_broken": Phi4Complex(alpha=0.005),
    "phi4_on": Phi4ON(),
    "phi4_real": Phi4Real(),
    "dw2": DoubleWell(particles=2, pairs="once"),
    "dw4": DoubleWell(particles=4, pairs="once"),
    "lj13": LennardJones(particles=13, pairs="twice"),
}


def find_target(name: str) -> TargetConfig:
    """Return a target's configuration at its defaults.

    Args:
        name: a key of `TARGETS`, or an import path, see `imported.imported`.

    Raises:
        ValueError: for an unknown name, or code that does not hold a target.
    """
    if is_import_path(name):
        return imported(name)
    if name not in TARGETS:
        raise ValueError(f"{unknown('target', name, TARGETS)}; your own: {FORMS}")
    return TARGETS[name]


def build_from(name: str, config: TargetConfig) -> Target:
    """Return a target that remembers the configuration it is built from."""
    target = config.build(name)
    object.__setattr__(target, "origin", Origin(name, config))
    return target


def build_target(name: str, **fields: Any) -> Target:
    """Return a named target, with some of its parameters changed.

    Args:
        name: a key of `TARGETS`, or an import path such as `my_module.py:target`.
        **fields: fields of its configuration, for instance `beta=2.0`.

    Raises:
        ValueError: for an unknown name or field, or parameters out of their range.

    Examples:
        >>> target = build_target("gmm_broken", breaking=0.0, modes=3)
        >>> target.event_shape
        (2,)
        >>> [round(float(share), 3) for share in target.exact.sectors]
        [0.333, 0.333, 0.333]
    """
    name = absolute(name)
    config = find_target(name)
    known = [f"target.{item.name}" for item in fields_of(config)]  # type: ignore[arg-type]
    for field in fields:
        if f"target.{field}" not in known:
            raise ValueError(unknown("setting", f"target.{field}", known))
    if fields:
        config = replace(config, **fields)  # type: ignore[type-var]
    return build_from(name, config)

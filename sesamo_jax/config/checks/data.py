"""Checks of what a configuration says about data, before any are read."""

from sesamo_jax.config.schema import CHAINS, METHODS, Config
from sesamo_jax.core import Target
from sesamo_jax.geometry.particles import Particles
from sesamo_jax.objectives import OBJECTIVES
from sesamo_jax.reference.moves import build_moves


def check_data(config: Config, target: Target) -> None:
    """Raise ValueError where data, objective and method do not fit together."""
    training = config.training
    name = training.objective
    objective = None if name is None else OBJECTIVES[name]
    on_data = objective is not None and objective.is_on_data
    if training.data is not None or on_data:
        _check_density(config, target, "training.data")
    if config.evaluation.data is not None:
        _check_density(config, target, "evaluation.data")
    if on_data and training.data is None:
        raise ValueError(
            f"objective {name!r} trains on data: set training.data "
            "to a .npy file of configurations, or to chains"
        )
    if training.data is not None and not on_data:
        known = " or ".join(key for key, row in OBJECTIVES.items() if row.is_on_data)
        raise ValueError(
            f"training.data={training.data!r} is for training.objective="
            f"{known}, not for {name!r}: set one or leave the other out"
        )
    if training.data == CHAINS:
        build_moves(target, config.hmc.modulation)  # refuses what there are none for
    if training.likelihood_share != 1 and not on_data:
        raise ValueError(
            f"training.likelihood_share={training.likelihood_share} is that of data: "
            "set training.data, or leave the share out"
        )
    if objective is not None and objective.check is not None:
        objective.check(config, target)
    if training.augment and training.data is None:
        raise ValueError(
            "training.augment=True changes data and there are none: set training.data"
        )
    if training.augment and not isinstance(target.geometry, Particles):
        raise ValueError(
            "training.augment=True permutes and rotates particles, which "
            f"{target.name!r} does not have: leave it out"
        )


def _check_density(config: Config, target: Target, name: str) -> None:
    """Raise ValueError where the density at given configurations is not known."""
    if why := METHODS[config.method].lacks_density(config, target, name):
        raise ValueError(why)

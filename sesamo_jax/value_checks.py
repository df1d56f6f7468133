"""Checks of a configuration's values, each by itself."""

from math import isfinite

from sesamo_jax.config import (
    BASES,
    GRADIENTS,
    METHODS,
    OBJECTIVES,
    SCHEDULES,
    Config,
)
from sesamo_jax.density import DENSITIES
from sesamo_jax.modulation import LAWS

TRAINING_DENSITIES = ("cell", "orbit", "augmented", "marginal")


def check_choices(config: Config) -> None:
    """Raise ValueError for an unknown name, with those that are known."""
    choices = {
        "method": (config.method, METHODS),
        "modulation": (config.modulation, LAWS),
        "density": (config.density, (None, *DENSITIES)),
        "base.kind": (config.base.kind, BASES),
        "training.objective": (config.training.objective, (None, *OBJECTIVES)),
        "training.gradient": (config.training.gradient, (None, *GRADIENTS)),
        "training.schedule": (config.training.schedule, SCHEDULES),
        "training.density": (config.training.density, (None, *TRAINING_DENSITIES)),
    }
    for name, (value, known) in choices.items():
        if value not in known:
            names = ", ".join(option for option in known if option is not None)
            raise ValueError(f"unknown {name} {value!r}; known: {names}")


def check_numbers(config: Config) -> None:
    """Raise ValueError for a number out of its range."""
    training, evaluation = config.training, config.evaluation
    positive = {
        "training.steps": training.steps,
        "training.batch_size": training.batch_size,
        "training.learning_rate": training.learning_rate,
        "training.patience": training.patience,
        "training.chunk": training.chunk,
        "evaluation.samples": evaluation.samples,
        "evaluation.batch_size": evaluation.batch_size,
        "evaluation.tolerance": evaluation.tolerance,
        "evaluation.largest_error": evaluation.largest_error,
        "worldlines.sweeps": config.worldlines.sweeps,
        "worldlines.blocks": config.worldlines.blocks,
        "vmonf.components": config.vmonf.components,
        "vmonf.width": config.vmonf.width,
        "hmc.chains": config.hmc.chains,
        "hmc.warmup": config.hmc.warmup,
        "hmc.samples": config.hmc.samples,
        "hmc.thinning": config.hmc.thinning,
        "hmc.leapfrog_steps": config.hmc.leapfrog_steps,
        "hmc.acceptance": config.hmc.acceptance,
        "smc.populations": config.smc.populations,
        "smc.particles": config.smc.particles,
        "smc.leapfrog_steps": config.smc.leapfrog_steps,
    }
    if config.worldlines.guesses is not None:
        positive["worldlines.guesses"] = config.worldlines.guesses
    if config.base.variance is not None:
        positive["base.variance"] = config.base.variance
    if config.smc.variance is not None:
        positive["smc.variance"] = config.smc.variance
    for name, value in positive.items():
        if not (value > 0 and isfinite(value)):
            raise ValueError(f"{name}={value} must be positive and finite")
    not_negative = {
        "vmonf.layers": config.vmonf.layers,
        "training.clip_norm": training.clip_norm,
        "penalty.amplitude": config.penalty.amplitude,
        "penalty.sharpness": config.penalty.sharpness,
        "penalty.final": config.penalty.final,
        "evaluation.keep": evaluation.keep,
    }
    for name, value in not_negative.items():
        if not (value >= 0 and isfinite(value)):
            raise ValueError(f"{name}={value} must not be negative, and finite")
    if not 0 <= training.likelihood_share <= 1:
        raise ValueError(
            f"training.likelihood_share={training.likelihood_share} must lie between 0 "
            "and 1, inclusively"
        )
    if not isfinite(training.gamma):
        raise ValueError(f"training.gamma={training.gamma} must be finite")
    fractions = {
        "training.decay": training.decay,
        "smc.target_ess": config.smc.target_ess,
        "smc.acceptance": config.smc.acceptance,
    }
    for name, value in fractions.items():
        if not 0 < value < 1:
            raise ValueError(f"{name}={value} must lie between 0 and 1")
    if config.smc.populations < 2:
        raise ValueError(
            f"smc.populations={config.smc.populations} must be at least 2: errors are "
            "the spread between populations"
        )
    floor = training.minimum_learning_rate
    if not 0 <= floor <= training.learning_rate:
        raise ValueError(
            f"training.minimum_learning_rate={floor} must lie between 0 and the "
            f"learning rate {training.learning_rate}"
        )

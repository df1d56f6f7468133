"""The type of a completed configuration: no None left that stands for a choice."""

from dataclasses import dataclass, field

from sesamo_jax.config.schema import (
    GRADIENTS,
    TRAINING_DENSITIES,
    Config,
    TrainingConfig,
)
from sesamo_jax.core.bounds import choice
from sesamo_jax.flows import FlowConfig, RealNVPConfig
from sesamo_jax.objectives import OBJECTIVES
from sesamo_jax.samplers.weighting import DENSITIES


@dataclass(frozen=True)
class CompletedTraining(TrainingConfig):
    """How to train, with the objective, its gradient and its density chosen."""

    objective: str = choice("reverse_kl", OBJECTIVES)
    gradient: str = choice("path", GRADIENTS)
    density: str = choice("cell", TRAINING_DENSITIES)


@dataclass(frozen=True)
class CompletedConfig(Config):
    """Everything about a model that is trained on a target, with all choices made."""

    density: str = choice("orbit", DENSITIES)
    flow: FlowConfig = field(default_factory=RealNVPConfig)
    training: CompletedTraining = field(default_factory=CompletedTraining)

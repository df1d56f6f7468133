"""Symmetry-enforcing samplers for Boltzmann densities exp(-f(x))/Z, in JAX and Flax.

A target says what to sample, a `Config` how; `build_model` makes the sampler, `fit`
trains it for any number of seeds at once, `evaluate` judges it.
"""

from sesamo_jax.config import (
    BaseConfig,
    Config,
    EvaluationConfig,
    PenaltyConfig,
    TrainingConfig,
    build_model,
)
from sesamo_jax.config.citation import citation
from sesamo_jax.core import Exact, Model, Samples, Target
from sesamo_jax.evaluation.report import evaluate
from sesamo_jax.flows import RealNVPConfig
from sesamo_jax.run.checkpoint import load, save
from sesamo_jax.targets import build_target
from sesamo_jax.training.fit import FitResult, fit

__all__ = [
    "BaseConfig",
    "Config",
    "EvaluationConfig",
    "Exact",
    "FitResult",
    "Model",
    "PenaltyConfig",
    "RealNVPConfig",
    "Samples",
    "Target",
    "TrainingConfig",
    "build_model",
    "build_target",
    "citation",
    "evaluate",
    "fit",
    "load",
    "save",
]

"""What can be chosen, and from names to a checked configuration and its sampler.

`schema` has the sections that are no other room's; flows, bases, samplers and reference
samplers own theirs. `resolve` goes from names and text to a `Run`, `complete` fills
what depends on the target and checks that everything fits, `build_model` builds the
sampler.
"""

from sesamo_jax.bases import BaseConfig
from sesamo_jax.config.build import build_model
from sesamo_jax.config.complete import complete
from sesamo_jax.config.resolve import resolve
from sesamo_jax.config.schema import (
    Config,
    EvaluationConfig,
    PenaltyConfig,
    Run,
    TrainingConfig,
)
from sesamo_jax.reference.settings import HMCConfig, SMCConfig
from sesamo_jax.samplers.mixture import VMoNFConfig
from sesamo_jax.samplers.worldlines.settings import WorldlinesConfig

__all__ = [
    "BaseConfig",
    "Config",
    "EvaluationConfig",
    "HMCConfig",
    "PenaltyConfig",
    "Run",
    "SMCConfig",
    "TrainingConfig",
    "VMoNFConfig",
    "WorldlinesConfig",
    "build_model",
    "complete",
    "resolve",
]

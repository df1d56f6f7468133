"""Symmetry-enforcing samplers for Boltzmann densities exp(-f(x))/Z, in JAX and Flax.

A target says what to sample; `train` gives a `Sampler` for each of any number of seeds,
which draws, evaluates its density, judges itself, and is saved and loaded. Below it are
pure functions: `build_model` makes the model of a `Config`, `fit` trains it, `evaluate`
judges it.
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
from sesamo_jax.flows import BijectorFlow, RealNVPConfig
from sesamo_jax.interfaces.datatree import chains_to_datatree, weighted_to_datatree
from sesamo_jax.interfaces.distributions import to_distrax, to_numpyro
from sesamo_jax.interfaces.hdf5 import from_hdf5, to_hdf5
from sesamo_jax.interfaces.pyerrors import to_pyerrors
from sesamo_jax.targets import build_target
from sesamo_jax.trained.load import (
    LoadedRun,
    load,
    load_pretrained,
    load_run,
    pretrained,
)
from sesamo_jax.trained.sampler import Sampler
from sesamo_jax.trained.samples import WeightedSamples
from sesamo_jax.trained.train import Trained, train
from sesamo_jax.training.fit import FitResult, fit

__all__ = [
    "BaseConfig",
    "BijectorFlow",
    "Config",
    "EvaluationConfig",
    "Exact",
    "FitResult",
    "LoadedRun",
    "Model",
    "PenaltyConfig",
    "RealNVPConfig",
    "Sampler",
    "Samples",
    "Target",
    "Trained",
    "TrainingConfig",
    "WeightedSamples",
    "build_model",
    "build_target",
    "citation",
    "chains_to_datatree",
    "evaluate",
    "fit",
    "from_hdf5",
    "load",
    "load_pretrained",
    "load_run",
    "pretrained",
    "to_distrax",
    "to_hdf5",
    "to_numpyro",
    "to_pyerrors",
    "train",
    "weighted_to_datatree",
]

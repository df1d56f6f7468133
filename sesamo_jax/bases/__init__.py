"""Base densities q_0: maps of white noise to z ~ q_0, with the density of z."""

import flax.linen as nn

from sesamo_jax.bases.gaussian import Gaussian
from sesamo_jax.bases.slice import SliceGaussian, harmonic_slice_gaussian
from sesamo_jax.bases.spectral import SpectralGaussian, harmonic_spectral_gaussian
from sesamo_jax.config import BaseConfig
from sesamo_jax.core import Target

__all__ = ["Gaussian", "SliceGaussian", "SpectralGaussian", "build_base"]


def build_base(target: Target, config: BaseConfig) -> nn.Module:
    """Return the base that a completed configuration describes for a target."""
    shape, dtype = target.event_shape, target.dtype
    if config.kind == "spectral":
        return harmonic_spectral_gaussian(target)
    if config.kind == "slice":
        return harmonic_slice_gaussian(target)
    assert config.variance is not None
    return Gaussian(shape, config.mean, config.variance, dtype)

"""Base densities q_0: maps of white noise to z ~ q_0, with the density of z."""

import flax.linen as nn

from sesamo_jax.bases.gaussian import Gaussian
from sesamo_jax.bases.settings import BaseConfig
from sesamo_jax.bases.slice import SliceGaussian, nearest_slice_gaussian
from sesamo_jax.bases.spectral import SpectralGaussian, nearest_spectral_gaussian
from sesamo_jax.core import Target

__all__ = ["Gaussian", "SliceGaussian", "SpectralGaussian", "build_base"]


def build_base(target: Target, config: BaseConfig) -> nn.Module:
    """Return the base that a completed configuration describes for a target."""
    shape, dtype = target.event_shape, target.dtype
    if config.kind == "spectral":
        return nearest_spectral_gaussian(target, config.mean)
    if config.kind == "slice":
        return nearest_slice_gaussian(target, config.mean)
    assert config.mean is not None
    assert config.variance is not None
    return Gaussian(shape, config.mean, config.variance, dtype)

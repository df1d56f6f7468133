"""Base densities q_0: maps of white noise to z ~ q_0, with the density of z."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import flax.linen as nn

from sesamo_jax.bases.gaussian import Gaussian, build_gaussian
from sesamo_jax.bases.slice import SliceGaussian, nearest_slice_gaussian
from sesamo_jax.bases.spectral import SpectralGaussian, nearest_spectral_gaussian
from sesamo_jax.bases.variational import PAIRS
from sesamo_jax.core import Target
from sesamo_jax.core.bounds import bounded, choice, positive

__all__ = [
    "BASES",
    "Base",
    "BaseConfig",
    "Gaussian",
    "SliceGaussian",
    "SpectralGaussian",
    "build_base",
    "complete_base",
]


class Base(NamedTuple):
    """A kind of base density.

    Attributes:
        build: `(target, mean, variance)` to its module, see `BaseConfig`.
        takes_variance: whether it has one variance, to be chosen, instead of a learned
            spectrum; its mean then starts at 0 unless chosen too.
        held: configurations that building it holds at once.
        on_slice: whether it is a density on the slice of a continuous group instead
            of all of space.
    """

    build: Callable[[Target, float | None, float | None], nn.Module]
    takes_variance: bool = False
    held: int = 0
    on_slice: bool = False


# A new base: one file with its module and builder, one row here.
BASES: dict[str, Base] = {
    "gaussian": Base(build_gaussian, takes_variance=True),
    "spectral": Base(nearest_spectral_gaussian, held=2 * PAIRS),
    "slice": Base(nearest_slice_gaussian, held=2 * PAIRS, on_slice=True),
}


@dataclass(frozen=True)
class BaseConfig:
    """The Gaussian base q_0.

    Attributes:
        kind: `gaussian`, independent components; `spectral`, a lattice field with a
            learned mean and spectrum; `slice`, the same for fields of several
            components on the slice of U(1) or O(N).
        mean: of every component at the start; None takes 0 for a `gaussian` base, and
            for the others the mean of the Gaussian field nearest to the target. A
            `spectral` base that starts at 0 keeps it.
        variance: of every component of a `gaussian` base; None takes the target's.
        whiten: the flow works in units of the base's standard deviation, or of the
            root mean square of a `spectral` or `slice` base.
    """

    kind: str = choice("gaussian", BASES)
    mean: float | None = bounded(None)
    variance: float | None = positive(None)
    whiten: bool = True


def complete_base(config: BaseConfig, target: Target) -> BaseConfig:
    """Return a configuration with the mean and variance that suit a target."""
    if not BASES[config.kind].takes_variance:
        return config
    variance = config.variance
    if variance is None:
        variance = float(target.prior_variance)
    return replace(config, mean=config.mean or 0.0, variance=variance)


def build_base(target: Target, config: BaseConfig) -> nn.Module:
    """Return the base that a completed configuration describes for a target."""
    return BASES[config.kind].build(target, config.mean, config.variance)

"""Coordinates in which a target looks most like a standard normal distribution.

x = S z. Where f were Gaussian with covariance S S^T, all directions of z would be
alike, so that trajectories with unit masses reach all of them equally fast. On lattices
S multiplies every momentum by the root of its variance in the nearest Gaussian field:
trajectories in z are those of Fourier-accelerated HMC (Batrouni et al., Phys. Rev. D
32, 2736 (1985)), with masses 1 / S(k)^2 in momentum space.
"""

from collections.abc import Callable
from math import log, prod, sqrt
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from sesamo_jax.bases.variational import nearest_gaussian
from sesamo_jax.core import Array, Target
from sesamo_jax.geometry.lattice import Lattice


class Whitening(NamedTuple):
    """A linear map between x and white coordinates z of one event, of one shape.

    Attributes:
        colour: x = S z.
        whiten: z = S^-1 x.
        log_det: log |det S|.
    """

    colour: Callable[[Array], Array]
    whiten: Callable[[Array], Array]
    log_det: float


def whitening(target: Target, variance: float | None = None) -> Whitening:
    """Return the coordinates that suit a target.

    Args:
        target: on a `Lattice` the nearest Gaussian field of mean 0 is taken.
        variance: of every component of x, instead; elsewhere None takes that of the
            target's prior.
    """
    if variance is None and isinstance(target.geometry, Lattice):
        return _in_momentum_space(target, len(target.geometry.extents))
    scale = sqrt(target.prior_variance if variance is None else variance)
    size = prod(target.event_shape)
    return Whitening(lambda z: scale * z, lambda x: x / scale, size * log(scale))


def _in_momentum_space(target: Target, dimensions: int) -> Whitening:
    """Return the map of the nearest Gaussian field; components come last in an event.

    All components have the spectrum of their average, so that rotations among them are
    rotations of z too.
    """
    event, axes = target.event_shape, tuple(range(dimensions))
    parts = prod(event[dimensions:])

    def action(x: Array) -> Array:
        return target.action(jnp.moveaxis(x, 0, -1).reshape(event))

    lattice = Lattice(event[:dimensions])
    _, spectra = nearest_gaussian(action, parts, lattice, 0.0, target.dtype)
    spectrum = spectra.mean(axis=0)
    missing = (1,) * (len(event) - dimensions)
    gain = np.sqrt(spectrum).reshape(*spectrum.shape, *missing)

    def scaled(x: Array, factor: np.ndarray) -> Array:
        waves = jnp.fft.fftn(x, axes=axes) * jnp.asarray(factor, x.dtype)
        return jnp.real(jnp.fft.ifftn(waves, axes=axes)).astype(x.dtype)

    return Whitening(
        lambda z: scaled(z, gain),
        lambda x: scaled(x, 1 / gain),
        parts * float(np.sum(np.log(spectrum))) / 2,
    )

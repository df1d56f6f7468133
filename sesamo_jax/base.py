"""Base densities q_0: maps of white noise to z ~ q_0, with the density of z."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

from sesamo_jax.core import Array, Target


class Gaussian(nn.Module):
    """Independent Gaussians of one mean and one variance (Table 3); no parameters.

    Attributes:
        event_shape: shape of one configuration, which is also the noise's.
        mean: of every component.
        variance: of every component.
        dtype: floating type.
    """

    event_shape: tuple[int, ...]
    mean: float = 0.0
    variance: float = 1.0
    dtype: Any = jnp.float32

    def from_noise(self, noise: Array) -> tuple[Array, Array]:
        """Return z and log q_0(z) for one event of standard normal noise."""
        z = self.mean + self.variance**0.5 * noise
        return z, self.log_prob(z)

    def log_prob(self, z: Array) -> Array:
        """Return log q_0(z), normalised."""
        return jnp.sum(norm.logpdf(z, self.mean, self.variance**0.5))


class SpectralGaussian(nn.Module):
    """Translation-invariant Gaussian field with a learned mean and spectrum.

    z = mean + F^-1 sqrt(S(k)) F noise, with one variance S per class of momenta that
    reflections (and, on a cube, exchanges of axes) map to each other. The zero mode is
    a class of its own.

    Attributes:
        event_shape: lattice extents.
        mean: starting value of the mean.
        spectrum: starting values of S(k), shape event_shape, nested tuples.
        dtype: floating type.
    """

    event_shape: tuple[int, ...]
    mean: float
    spectrum: tuple
    dtype: Any = jnp.float32

    def setup(self) -> None:
        """Create the mean and one log variance per class."""
        self.classes, first = _momentum_classes(self.event_shape)
        start = np.log(np.asarray(self.spectrum).ravel()[first])
        self.shift = self.param("mean", lambda _: jnp.asarray(self.mean, self.dtype))
        self.log_variance = self.param(
            "log_variance", lambda _: jnp.asarray(start, self.dtype)
        )

    def _filter(self, field: Array, log_gain: Array) -> Array:
        modes = jnp.fft.fftn(field) * jnp.exp(log_gain)
        return jnp.real(jnp.fft.ifftn(modes)).astype(self.dtype)

    def from_noise(self, noise: Array) -> tuple[Array, Array]:
        """Return z and log q_0(z) for one event of standard normal noise."""
        log_gain = self.log_variance[self.classes] / 2
        z = self.shift + self._filter(noise, log_gain)
        return z, jnp.sum(norm.logpdf(noise)) - jnp.sum(log_gain)

    def log_prob(self, z: Array) -> Array:
        """Return log q_0(z), normalised."""
        log_gain = self.log_variance[self.classes] / 2
        noise = self._filter(z - self.shift, -log_gain)
        return jnp.sum(norm.logpdf(noise)) - jnp.sum(log_gain)


def _momentum_classes(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the class of every momentum, (*shape,), and a flat member of each."""
    momenta = np.indices(shape).reshape(len(shape), -1)
    extents = np.array(shape)[:, None]
    folded = np.minimum(momenta, extents - momenta)
    if len(set(shape)) == 1:
        folded = np.sort(folded, axis=0)
    _, first, classes = np.unique(
        folded, axis=1, return_index=True, return_inverse=True
    )
    return classes.reshape(shape), first


def harmonic_spectral_gaussian(target: Target) -> SpectralGaussian:
    """Return a spectral Gaussian that starts as the action's expansion at its minimum.

    The minimum is sought among constant fields of positive sign; the spectrum there
    is the inverse of the action's Hessian in momentum space. Modes of no positive
    curvature start at the smallest positive one.
    """
    shape, dtype = target.event_shape, target.dtype
    values = jnp.linspace(0, 10, 2001, dtype=dtype)
    constant = jnp.ones(shape, dtype)
    energies = jax.vmap(lambda value: target.action(value * constant))(values)
    mean = values[jnp.argmin(energies)]
    site = jnp.zeros(shape, dtype).at[(0,) * len(shape)].set(1)
    _, row = jax.jvp(jax.grad(target.action), (mean * constant,), (site,))
    curvature = np.real(np.fft.fftn(np.asarray(row, np.float64)))
    curvature = np.maximum(curvature, np.min(curvature[curvature > 0]))
    return SpectralGaussian(shape, float(mean), _nested(1 / curvature), dtype)


def _nested(values: np.ndarray) -> Any:
    """Return an array as nested tuples, hashable as a module's attribute must be."""
    return tuple(_nested(v) for v in values) if values.ndim else float(values)

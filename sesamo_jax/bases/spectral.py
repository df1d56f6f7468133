"""Gaussian lattice fields with a learned spectrum."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

from sesamo_jax.core import Array, Target


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
        self.classes, first = momentum_classes(self.event_shape)
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


def momentum_classes(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
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
    constant = np.ones(target.event_shape)
    mean = lowest_constant(target, constant)
    spectrum = inverse_curvature(target, mean * constant)
    return SpectralGaussian(target.event_shape, mean, nested(spectrum), target.dtype)


def lowest_constant(target: Target, direction: np.ndarray) -> float:
    """Return the c >= 0 at which the action of c * direction is lowest."""
    values = np.linspace(0, 10, 2001)
    unit = jnp.asarray(direction, target.dtype)
    energies = jax.vmap(lambda c: target.action(c * unit))(
        jnp.asarray(values, target.dtype)
    )
    return float(values[np.argmin(energies)])


def inverse_curvature(
    target: Target, at: np.ndarray, component: int | None = None
) -> np.ndarray:
    """Return 1 / (Hessian in momentum space) at a constant configuration.

    Args:
        target: of a translation-invariant action.
        at: the configuration.
        component: of a field with components on its last axis, the one to look at.
    """
    origin = (0,) * (at.ndim - (component is not None))
    lattice = ... if component is None else (..., component)
    site = np.zeros(at.shape)
    site[origin if component is None else (*origin, component)] = 1
    x, tangent = (jnp.asarray(array, target.dtype) for array in (at, site))
    column = np.asarray(jax.jvp(jax.grad(target.action), (x,), (tangent,))[1])[lattice]
    curvature = np.real(np.fft.fftn(column.astype(np.float64)))
    return 1 / np.maximum(curvature, np.min(curvature[curvature > 0]))


def nested(values: np.ndarray) -> Any:
    """Return an array as nested tuples, hashable as a module's attribute must be."""
    return tuple(nested(v) for v in values) if values.ndim else float(values)

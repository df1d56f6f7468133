"""Gaussian lattice fields with a learned spectrum."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

from sesamo_jax.bases.variational import PER_MOMENTUM, nearest_gaussian
from sesamo_jax.core import Array, Target
from sesamo_jax.geometry.lattice import Lattice, lattice_of


class SpectralGaussian(nn.Module):
    """Translation-invariant Gaussian field with a learned mean and spectrum.

    z = mean + F^-1 sqrt(S(k)) F noise, with one variance S per class of momenta that
    reflections (and, on a cube, exchanges of axes) map to each other. The zero mode is
    a class of its own.

    Attributes:
        lattice: on whose sites the field lives.
        mean: starting value of the mean; 0 keeps it there, for a base that sign flips
            leave as it is.
        spectrum: starting values of S(k), shape of the extents, nested tuples.
        dtype: floating type.
    """

    lattice: Lattice
    mean: float
    spectrum: tuple
    dtype: Any = jnp.float32

    def setup(self) -> None:
        """Create the mean and one log variance per class."""
        self.classes, first = self.lattice.momentum_classes()
        start = np.log(np.asarray(self.spectrum).ravel()[first])
        self.shift = jnp.zeros((), self.dtype)
        if self.mean:
            start_mean = jnp.asarray(self.mean, self.dtype)
            self.shift = self.param("mean", lambda _: start_mean)
        self.log_variance = self.param(
            PER_MOMENTUM, lambda _: jnp.asarray(start, self.dtype)
        )

    @property
    def scale(self) -> float:
        """Root mean square of the field's components at the start."""
        return float(self.mean**2 + np.mean(self.spectrum)) ** 0.5

    def _filter(self, field: Array, log_gain: Array) -> Array:
        modes = jnp.fft.fftn(self.lattice.embed(field)) * jnp.exp(log_gain)
        filtered = jnp.real(jnp.fft.ifftn(modes)).astype(self.dtype)
        return self.lattice.restrict(filtered)

    def _log_prob(self, noise: Array, log_gain: Array) -> Array:
        volume = self.lattice.share * jnp.sum(log_gain)
        return jnp.sum(norm.logpdf(noise)) - volume

    def from_noise(self, noise: Array) -> tuple[Array, Array]:
        """Return z and log q_0(z) for one event of standard normal noise."""
        log_gain = self.log_variance[self.classes] / 2
        z = self.shift + self._filter(noise, log_gain)
        return z, self._log_prob(noise, log_gain)

    def log_prob(self, z: Array) -> Array:
        """Return log q_0(z), normalised."""
        log_gain = self.log_variance[self.classes] / 2
        noise = self._filter(z - self.shift, -log_gain)
        return self._log_prob(noise, log_gain)


def nearest_spectral_gaussian(
    target: Target, mean: float | None, variance: float | None = None
) -> SpectralGaussian:
    """Return a spectral base that starts as the Gaussian nearest to a real field.

    Args:
        target: with an action invariant under the symmetries of its lattice.
        mean: starting value of the mean, 0 for none; None to look for it.
        variance: of no use, the nearest spectrum is taken.
    """
    lattice = lattice_of(target, len(target.event_shape))
    mean, spectrum = nearest_gaussian(
        lambda x: target.action(x[0]), 1, lattice, mean, target.dtype
    )
    return SpectralGaussian(lattice, mean, nested(spectrum[0]), target.dtype)


def nested(values: np.ndarray) -> Any:
    """Return an array as nested tuples, hashable as a module's attribute must be."""
    return tuple(nested(v) for v in values) if values.ndim else float(values)

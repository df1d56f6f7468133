"""The base on the U(1) slice: massive and Goldstone modes, and a radial zero mode.

Real and imaginary part have a spectrum each. The imaginary zero mode is 0, the real one
m = |mu + sigma (n_1 + i n_2)| with standard normal n: a Rice variable. Its density
vanishes linearly at m = 0, as that of the theory does in every phase, since a density
that is finite at x = 0 in the plane of the zero mode has a factor m in polar
coordinates; for mu >> sigma it is the Gaussian of the broken phase.
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import i0e
from jax.scipy.stats import norm

from sesamo_jax.bases.spectral import nested
from sesamo_jax.bases.variational import PER_MOMENTUM, nearest_gaussian
from sesamo_jax.core import Array, Target
from sesamo_jax.geometry.lattice import Lattice, lattice_of


class SliceGaussian(nn.Module):
    """Base on {Im sum y = 0, m > 0} for fields of shape (*lattice, 2).

    Attributes:
        lattice: on whose sites the field lives.
        mean: starting value of mu / sqrt(N), the ring's radius per site.
        spectra: starting values of S(k) of real and imaginary part, (2, *extents),
            nested tuples; the zero mode of the first is sigma^2, of the second unused.
        dtype: floating type.
    """

    lattice: Lattice
    mean: float
    spectra: tuple
    dtype: Any = jnp.float32

    def setup(self) -> None:
        """Create mu and one log variance per part and class of momenta."""
        self.classes, first = self.lattice.momentum_classes()
        start = np.log(np.asarray(self.spectra).reshape(2, -1)[:, first])
        self.mu = self.param("mean", lambda _: jnp.asarray(self.mean, self.dtype))
        self.log_variance = self.param(
            PER_MOMENTUM, lambda _: jnp.asarray(start, self.dtype)
        )

    @property
    def scale(self) -> float:
        """Root mean square of |z_j| at the start, without the unused zero mode."""
        real, imaginary = np.reshape(self.spectra, (2, -1))
        # m^2 = |mu + sigma (n_1 + i n_2)|^2 counts sigma^2 = real[0] twice.
        zero_modes = (real[0] - imaginary[0]) / (real.size * self.lattice.share)
        variance = np.mean(real) + np.mean(imaginary) + zero_modes
        return float(self.mean**2 + variance) ** 0.5

    def _log_gain(self) -> Array:
        """Return log sqrt(S), (*extents, 2), with zero modes."""
        gain = self.log_variance[:, self.classes] / 2
        return jnp.moveaxis(gain, 0, -1)

    def _filter(self, field: Array, log_gain: Array) -> Array:
        axes = tuple(range(field.ndim - 1))
        waves = jnp.fft.fftn(self.lattice.embed(field), axes=axes)
        filtered = jnp.real(jnp.fft.ifftn(waves * jnp.exp(log_gain), axes=axes))
        return self.lattice.restrict(filtered.astype(self.dtype))

    def _log_prob(self, noise: Array, m: Array) -> Array:
        """Return the log density from white noise without zero modes, and from m."""
        sites = noise.size // 2
        log_gain = self._log_gain()
        zero = (0,) * (noise.ndim - 1)
        # norm.logpdf also counts the two zero modes, at 0: they are taken out.
        waves = jnp.sum(norm.logpdf(noise)) + jnp.log(2 * jnp.pi)
        volume = self.lattice.share * jnp.sum(log_gain)
        waves = waves - volume + jnp.sum(log_gain[zero])
        centre, log_sigma = self.mu * sites**0.5, log_gain[zero][0]
        return waves + rice_log_prob(m, centre, log_sigma)

    def from_noise(self, noise: Array) -> tuple[Array, Array]:
        """Return z and log q_0(z) for one event of standard normal noise."""
        sites = noise.size // 2
        axes = tuple(range(noise.ndim - 1))
        average = jnp.mean(noise, axis=axes)
        waves = noise - average
        log_gain = self._log_gain()
        sigma = jnp.exp(log_gain[(0,) * len(axes)][0])
        kick = average * sites**0.5  # two standard normals
        radial = jnp.stack([self.mu * sites**0.5 + sigma * kick[0], sigma * kick[1]])
        m = jnp.sqrt(jnp.sum(radial**2))
        z = self._filter(waves, log_gain).at[..., 0].add(m / sites**0.5)
        return z, self._log_prob(waves, m)

    def log_prob(self, z: Array) -> Array:
        """Return log q_0(z), orthonormal coordinates of the slice; -inf for m <= 0."""
        sites = z.size // 2
        axes = tuple(range(z.ndim - 1))
        average = jnp.mean(z, axis=axes)
        m = average[0] * sites**0.5
        noise = self._filter(z - average, -self._log_gain())
        safe = jnp.where(m > 0, m, 1.0)
        return jnp.where(m > 0, self._log_prob(noise, safe), -jnp.inf)


def rice_log_prob(m: Array, centre: Array, log_sigma: Array) -> Array:
    """Return the log density of m = |centre + sigma (n_1 + i n_2)|, m > 0.

    Numerics: with r = m / sigma and c = centre / sigma it is log r - (r - c)^2 / 2 +
    log(e^{-rc} I_0(rc)) - log sigma; the scaled Bessel function neither overflows nor
    vanishes.
    """
    r, c = m * jnp.exp(-log_sigma), jnp.abs(centre) * jnp.exp(-log_sigma)
    return jnp.log(r) - (r - c) ** 2 / 2 + jnp.log(i0e(r * c)) - log_sigma


def nearest_slice_gaussian(
    target: Target, mean: float | None, variance: float | None = None
) -> SliceGaussian:
    """Return a slice base that starts as the nearest Gaussian to a complex field.

    Args:
        target: with an action of fields (*lattice, 2) that is invariant under the
            symmetries of the lattice.
        mean: starting value of mu / sqrt(N); None to look for it.
        variance: of no use, the nearest spectra are taken.
    """
    lattice = lattice_of(target, len(target.event_shape) - 1)
    mean, spectra = nearest_gaussian(
        lambda x: target.action(jnp.moveaxis(x, 0, -1)), 2, lattice, mean, target.dtype
    )
    return SliceGaussian(lattice, mean, nested(spectra), target.dtype)

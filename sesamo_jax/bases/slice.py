"""The base on slices of U(1) and O(N): massive and Goldstone modes, a radial zero mode.

The first component has a spectrum, that of the massive modes, the other N - 1 have
another in common. Their zero modes are 0, that of the first is m = |mu e_1 + sigma n|
with N standard normal n: for N = 2 a Rice variable. Its density vanishes as m^{N-1} at
m = 0, as that of the theory does in every phase, since a density that is finite at
x = 0 in the space of the zero mode has that factor in spherical coordinates; for
mu >> sigma it is the Gaussian of the broken phase.
"""

from math import log, pi
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

from sesamo_jax.bases.spectral import nested
from sesamo_jax.bases.variational import PER_MOMENTUM, nearest_gaussian
from sesamo_jax.core import Array, Target
from sesamo_jax.geometry.lattice import Lattice, lattice_of
from sesamo_jax.geometry.sphere import COMPONENTS, log_mean_exp_on_sphere, surface


class SliceGaussian(nn.Module):
    """Base on {M = m e_1, m > 0} for fields of shape (*lattice, N).

    Attributes:
        lattice: on whose sites the field lives.
        components: N.
        mean: starting value of mu / sqrt(V), the radius of the vacua per site.
        spectra: starting values of S(k) along and across the first axis, (2, *extents),
            nested tuples; the zero mode of the first is sigma^2, of the second unused.
        dtype: floating type.
    """

    lattice: Lattice
    components: int
    mean: float
    spectra: tuple
    dtype: Any = jnp.float32

    def setup(self) -> None:
        """Create mu and, along and across, a log variance per class of momenta."""
        self.classes, first = self.lattice.momentum_classes()
        start = np.log(np.asarray(self.spectra).reshape(2, -1)[:, first])
        self.mu = self.param("mean", lambda _: jnp.asarray(self.mean, self.dtype))
        self.log_variance = self.param(
            PER_MOMENTUM, lambda _: jnp.asarray(start, self.dtype)
        )

    @property
    def scale(self) -> float:
        """Root mean square of |z_j| at the start, without the unused zero mode."""
        along, across = np.reshape(self.spectra, (2, -1))
        others = self.components - 1
        # m^2 = |mu e_1 + sigma n|^2 counts sigma^2 = along[0] N times.
        zero_modes = (along[0] - across[0]) / (along.size * self.lattice.share)
        variance = np.mean(along) + others * (np.mean(across) + zero_modes)
        return float(self.mean**2 + variance) ** 0.5

    def _log_gain(self) -> Array:
        """Return log sqrt(S), (*extents, N), with zero modes."""
        which = np.minimum(np.arange(self.components), 1)
        gain = self.log_variance[:, self.classes][which] / 2
        return jnp.moveaxis(gain, 0, -1)

    def _filter(self, field: Array, log_gain: Array) -> Array:
        axes = tuple(range(field.ndim - 1))
        waves = jnp.fft.fftn(self.lattice.embed(field), axes=axes)
        filtered = jnp.real(jnp.fft.ifftn(waves * jnp.exp(log_gain), axes=axes))
        return self.lattice.restrict(filtered.astype(self.dtype))

    def _log_prob(self, noise: Array, m: Array) -> Array:
        """Return the log density from white noise without zero modes, and from m."""
        sites = noise.size // self.components
        log_gain = self._log_gain()
        zero = (0,) * (noise.ndim - 1)
        # norm.logpdf also counts the N zero modes, at 0: they are taken out.
        waves = jnp.sum(norm.logpdf(noise)) + self.components / 2 * log(2 * pi)
        volume = self.lattice.share * jnp.sum(log_gain)
        waves = waves - volume + jnp.sum(log_gain[zero])
        centre, log_sigma = self.mu * sites**0.5, log_gain[zero][0]
        return waves + radial_log_prob(m, centre, log_sigma, self.components)

    def from_noise(self, noise: Array) -> tuple[Array, Array]:
        """Return z and log q_0(z) for one event of standard normal noise."""
        sites = noise.size // self.components
        axes = tuple(range(noise.ndim - 1))
        average = jnp.mean(noise, axis=axes)
        waves = noise - average
        log_gain = self._log_gain()
        sigma = jnp.exp(log_gain[(0,) * len(axes)][0])
        kick = average * sites**0.5  # N standard normals
        radial = (sigma * kick).at[0].add(self.mu * sites**0.5)
        m = jnp.sqrt(jnp.sum(radial**2))
        z = self._filter(waves, log_gain).at[..., 0].add(m / sites**0.5)
        return z, self._log_prob(waves, m)

    def log_prob(self, z: Array) -> Array:
        """Return log q_0(z), orthonormal coordinates of the slice; -inf for m <= 0."""
        sites = z.size // self.components
        axes = tuple(range(z.ndim - 1))
        average = jnp.mean(z, axis=axes)
        m = average[0] * sites**0.5
        noise = self._filter(z - average, -self._log_gain())
        safe = jnp.where(m > 0, m, 1.0)
        return jnp.where(m > 0, self._log_prob(noise, safe), -jnp.inf)


def radial_log_prob(
    m: Array, centre: Array, log_sigma: Array, components: int
) -> Array:
    """Return the log density of m = |centre e_1 + sigma n|, m > 0, n of N components.

    With r = m / sigma and c = centre / sigma that of a Gaussian in spherical
    coordinates: r^{N-1} exp(-(r - c)^2 / 2) times the mean of exp(r c (omega_1 - 1))
    over the sphere, whose logarithm neither overflows nor vanishes.
    """
    r, c = m * jnp.exp(-log_sigma), jnp.abs(centre) * jnp.exp(-log_sigma)
    constant = log(surface(components)) - components / 2 * log(2 * pi)
    radial = (components - 1) * jnp.log(r) - (r - c) ** 2 / 2
    mean = log_mean_exp_on_sphere(r * c, components)
    return constant + radial + mean - log_sigma


def nearest_slice_gaussian(
    target: Target, mean: float | None, variance: float | None = None
) -> SliceGaussian:
    """Return a slice base that starts as the Gaussian nearest to a field.

    Args:
        target: with an action of fields (*lattice, N) that is invariant under the
            symmetries of the lattice.
        mean: starting value of mu / sqrt(V); None to look for it.
        variance: of no use, the nearest spectra are taken.

    Raises:
        ValueError: for events that are not fields of 2, 3 or 4 components.
    """
    components = target.event_shape[-1]
    if components not in COMPONENTS:
        raise ValueError(
            "base.kind='slice' needs fields of shape (*lattice, N) with N = 2, 3 or 4 "
            f"components, and those of {target.name!r} are of shape "
            f"{target.event_shape}"
        )
    lattice = lattice_of(target, len(target.event_shape) - 1)
    mean, spectra = nearest_gaussian(
        lambda x: target.action(jnp.moveaxis(x, 0, -1)),
        components,
        lattice,
        mean,
        target.dtype,
    )
    both = np.stack([spectra[0], spectra[1:].mean(axis=0)])
    return SliceGaussian(lattice, components, mean, nested(both), target.dtype)

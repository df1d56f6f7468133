"""Mixture of unit Gaussians on a circle, with an exponential tilt that breaks Z_M.

f(x) = -log sum_k exp(-|x - mu_k|^2 / 2) + breaking (x_1 + x_2), the mixture of eq. 19
without its factor 1/(2 pi M). Completing the square, the tilt moves each mode by
-breaking (1, 1) and multiplies its mass by exp(breaking^2 - breaking (mu_k1 + mu_k2)):
the modes are therefore not rotations of each other, and a flow copied by rotations
with weights of its own cannot be exact.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import logsumexp

from sesamo_jax.bounds import bounded, check_fields, choice, positive, size
from sesamo_jax.core import (
    DTYPES,
    MAX_LISTED_SECTORS,
    Array,
    Exact,
    Key,
    Target,
    require_precision,
)
from sesamo_jax.symmetries import Cyclic
from sesamo_jax.symmetries.cyclic import BORDERS

# float32 has steps of 0.001 in x there, and in the action of modes tilted so.
LARGEST_RADIUS, LARGEST_TILT = 1e4, 100.0


@dataclass(frozen=True)
class GaussianMixture:
    """Configuration of the mixture.

    Attributes:
        modes: number of Gaussians M, at angles 2 pi k / M.
        radius: R, their distance from the origin.
        breaking: strength of the tilt; 0 keeps the Z_M symmetry exact.
        borders: which cell borders the penalty uses, `true` or `eq35` (the paper's).
        dtype: float32 or float64.
    """

    modes: int = size(8, least=2, most=MAX_LISTED_SECTORS)
    radius: float = positive(12.0, most=LARGEST_RADIUS)
    breaking: float = bounded(0.0, -LARGEST_TILT, LARGEST_TILT)
    borders: str = choice("true", BORDERS)
    dtype: str = choice("float32", DTYPES)

    def build(self, name: str = "gmm") -> Target:
        """Return the target.

        Raises:
            ValueError: for a field out of its range, or float64 while JAX truncates it.
        """
        check_fields(self, "target")
        require_precision(name, self.dtype)
        dtype = jnp.dtype(self.dtype)
        angles = 2 * np.pi * np.arange(self.modes) / self.modes
        centres = self.radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        log_masses = self.breaking**2 - self.breaking * centres.sum(axis=1)
        log_total = np.logaddexp.reduce(log_masses)
        weights = np.exp(log_masses - log_total)
        means = centres - self.breaking

        def action(x: Array) -> Array:
            squares = jnp.sum((x - jnp.asarray(centres, x.dtype)) ** 2, axis=1)
            return -logsumexp(-squares / 2) + self.breaking * jnp.sum(x)

        def sample(key: Key, n: int) -> Array:
            mode_key, noise_key = jax.random.split(key)
            mode = jax.random.choice(
                mode_key, self.modes, (n,), p=jnp.asarray(weights, dtype)
            )
            noise = jax.random.normal(noise_key, (n, 2), dtype)
            return jnp.asarray(means, dtype)[mode] + noise

        mean_x = np.round(weights @ means, 12) + 0.0  # exactly 0 without a tilt
        return Target(
            name=name,
            event_shape=(2,),
            action=action,
            symmetry=Cyclic(self.modes, self.breaking != 0, self.borders),
            dtype=dtype,
            observables={"mean_x1": lambda x: x[0], "mean_x2": lambda x: x[1]},
            exact=Exact(
                log_z=float(np.log(2 * np.pi) + log_total),
                sectors=_sector_masses(weights, means),
                observables={"mean_x1": float(mean_x[0]), "mean_x2": float(mean_x[1])},
                source="closed form; sectors by quadrature in polar coordinates",
            ),
            sample=sample,
        )


def _sector_masses(weights: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Return the mass of the mixture in each sector of angle 2 pi / M, (M,).

    Gauss-Legendre points in angle (32 per sector) and, in panels of unit width, in the
    radius: exact to rounding for Gaussians of unit variance.
    """
    modes = len(weights)
    points, point_weights = np.polynomial.legendre.leggauss(32)
    angles = np.pi / modes * (points + 2 * np.arange(modes)[:, None])
    panels = np.arange(np.ceil(np.linalg.norm(means, axis=1).max()) + 10)
    radii = (panels[:, None] + (points + 1) / 2).ravel()
    radial_weights = np.tile(point_weights / 2, len(panels)) * radii
    rays = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    masses = np.zeros(modes)
    for weight, mean in zip(weights, means, strict=True):
        squares = radii**2 - 2 * radii * (rays @ mean)[..., None] + mean @ mean
        density = weight * np.exp(-squares / 2) / (2 * np.pi)
        masses += density @ radial_weights @ point_weights * np.pi / modes
    return masses

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
from scipy.special import ndtr, owens_t

from sesamo_jax.core import (
    DTYPES,
    MAX_LISTED_SECTORS,
    Array,
    Exact,
    Key,
    Target,
    require_precision,
)
from sesamo_jax.core.bounds import bounded, check_fields, choice, positive, size
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
                source="closed form; sectors by Owen's T function",
            ),
            sample=sample,
        )


def _sector_masses(weights: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Return the mass of the mixture in each sector of angle 2 pi / M, (M,)."""
    modes = len(weights)
    borders = np.pi / modes * (2 * np.arange(modes + 1) - 1)
    distances = np.linalg.norm(means, axis=1)
    directions = np.arctan2(means[:, 1], means[:, 0])
    up_to_border = mass_up_to(distances, borders[:, None] - directions)
    return np.diff(up_to_border, axis=0) @ weights


def mass_up_to(distance: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Return the mass of a unit Gaussian at angles between 0 and the given one.

    F(angle) = 1/2 - Phi(-h) / 2 - T(h, cot angle) on (0, pi), with h the distance of
    the Gaussian's centre from the ray and T of Owen 1956 (doi:10.1214/aoms/1177728074);
    odd, and F(angle + 2 pi) = F(angle) + 1.

    Args:
        distance: of the centre from the origin; it lies in the direction 0.
        angle: of the ray, any real number.

    Numerics: Owen's T is known to rounding at any arguments, so that the mass of a
    wedge, a difference of two F, is right to 1e-15 absolutely; cot is infinite at 0,
    where T is.
    """
    turns = np.round(angle / (2 * np.pi))
    rest = angle - 2 * np.pi * turns
    sine = np.abs(np.sin(rest))
    with np.errstate(divide="ignore"):
        cotangent = np.cos(rest) / sine
    height = distance * sine
    positive = 0.5 - ndtr(-height) / 2 - owens_t(height, cotangent)
    return turns + np.sign(rest) * positive

"""Kernels of lattice flows: matrices on small lattices, waves on large ones."""

from collections.abc import Callable
from math import pi
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array
from sesamo_jax.geometry.lattice import Lattice, displacement_classes, displacements

SLOPE_POINTS = 64
SMALLEST_SLOPE = 1e-9  # keeps the gradient finite at v = 0
NORM_ORDER = 16

Fill = Callable[[Array], Array]
"""From a component where the field lives to all sites, (sites,) each."""
AtTime = Callable[[Array], Array]
"""From weights of the kernel's modes to what `Convolve` needs of it, at one time."""
Convolve = Callable[[Array, list[Array]], list[Array]]
"""(kernel at a time, fields) -> sum_f W_f * field_f, by component."""


class LatticeKernel(NamedTuple):
    """W_f(j - k, t) as modes in time, by classes of displacements.

    Attributes:
        kernel: of every mode, feature f and class, (modes, features, classes).
        lattice: on whose sites the field lives.
        dtype: floating type.
    """

    kernel: Array
    lattice: Lattice
    dtype: Any

    @property
    def classes(self) -> np.ndarray:
        """The class of every displacement, (*extents)."""
        return displacement_classes(self.lattice.extents)[0]

    @property
    def first(self) -> np.ndarray:
        """A displacement of every class."""
        return displacement_classes(self.lattice.extents)[1]

    def divergences(self) -> Callable[[Array], Array]:
        """Return the factors of d(h x)/dx in div v, (features, all sites).

        W(0) where the field lives, the mean of W over the nearest displacements where
        the mean of its neighbours stands for it.
        """
        nearest = np.eye(len(self.lattice.extents), dtype=int)
        nearest_classes = [int(self.classes[tuple(step)]) for step in nearest]
        own = self.kernel[:, :, :1]
        of_mean = jnp.mean(self.kernel[:, :, nearest_classes], axis=2, keepdims=True)
        here = self.lattice.occupied.ravel()
        every = jnp.where(here, own, of_mean)
        return lambda weights: jnp.tensordot(weights, every, 1)

    def dense(self) -> tuple[Fill, AtTime, Convolve]:
        """Return all three as matrix products, for small lattices."""
        here = np.flatnonzero(self.lattice.occupied)
        units = np.eye(here.size, dtype=self.dtype).reshape(-1, *self.lattice.shape)
        with jax.ensure_compile_time_eval():
            filled = np.asarray(jax.vmap(self.lattice.filled)(jnp.asarray(units)))
        filled = filled.reshape(here.size, -1)

        def fill(part: Array) -> Array:
            return part if filled.shape[0] == filled.shape[1] else part @ filled

        pairs = self.classes.ravel()[displacements(self.lattice.extents)][:, here]
        matrices = self.kernel[:, :, pairs].reshape(len(self.kernel), -1)

        def at_time(weights: Array) -> Array:
            return (weights @ matrices).reshape(-1, here.size)

        def convolve(matrix: Array, fields: list[Array]) -> list[Array]:
            return [field @ matrix for field in fields]

        return fill, at_time, convolve

    def fourier(self) -> tuple[Fill, AtTime, Convolve]:
        """Return all by rolls and fast Fourier transforms, for large lattices."""
        lattice, extents = self.lattice, self.lattice.extents
        axes = tuple(range(-len(extents), 0))
        kernel = self.kernel[:, :, self.classes]
        spectra = jnp.real(jnp.fft.rfftn(kernel, axes=axes))  # of an even function

        def at_time(weights: Array) -> Array:
            return jnp.tensordot(weights, spectra, 1)

        def convolve(spectrum: Array, fields: list[Array]) -> list[Array]:
            def one(field: Array) -> Array:
                waves = jnp.fft.rfftn(field.reshape(-1, *extents), axes=axes)
                total = jnp.sum(spectrum * waves, axis=0)
                field = jnp.fft.irfftn(total, s=extents, axes=axes)
                return lattice.restrict(field).ravel()

            return [one(field) for field in fields]

        def fill(part: Array) -> Array:
            return lattice.filled(part.reshape(lattice.shape)).ravel()

        return fill, at_time, convolve

    def steepness(self, centres: np.ndarray, width: float) -> Callable[[Array], Array]:
        """Return a bound on |dv/dx| over all waves on constant fields of any size.

        Where the mean of its neighbours stands for a field, that has a size of its own,
        and its part is bounded by itself: else both could cancel here, and only here.

        A norm of high order in place of the maximum: smooth in time, as the order of
        the integrator needs, and larger by less than a factor of two.
        """
        farthest = centres[-1] + 3 * width  # no bump is left there
        square = np.linspace(0, farthest, SLOPE_POINTS)
        u = (square - centres[:, None]) / width
        bumps = np.exp(-(u**2) / 2) * (1 - 2 * square * u / width)
        slopes = np.concatenate([np.ones((1, SLOPE_POINTS)), bumps]).astype(self.dtype)
        axes = tuple(range(2, 2 + self.classes.ndim))
        kernel, here = self.kernel[:, :, self.classes], self.lattice.occupied
        momenta = np.meshgrid(*map(np.fft.fftfreq, self.classes.shape), indexing="ij")
        # What the mean of its neighbours is of a wave.
        of_mean = np.mean(np.cos(2 * pi * np.array(momenta)), axis=0).ravel()

        def spectra(part: Array) -> Array:
            waves = jnp.real(jnp.fft.fftn(part, axes=axes)).astype(self.dtype)
            return waves.reshape(*waves.shape[:2], -1)

        own = spectra(jnp.where(here, kernel, 0))[:, :, self.first]
        others = spectra(jnp.where(here, 0, kernel)) * of_mean.astype(self.dtype)
        others = others[:, :, self.first]

        def steepness(weights: Array) -> Array:
            sizes = [
                _norm(jnp.abs(jnp.tensordot(weights, part, 1).T @ slopes), axis=1)
                for part in (own, others)
            ]
            return _norm(sizes[0] + sizes[1], axis=0)

        return steepness


def _norm(sizes: Array, axis: int) -> Array:
    """Return the norm of high order of numbers >= 0."""
    largest = jax.lax.stop_gradient(jnp.max(sizes, axis, keepdims=True))
    largest += SMALLEST_SLOPE
    total = jnp.sum((sizes / largest) ** NORM_ORDER, axis)
    return jnp.squeeze(largest, axis) * (total + SMALLEST_SLOPE) ** (1 / NORM_ORDER)

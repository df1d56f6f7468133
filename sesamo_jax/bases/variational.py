"""Where lattice bases start: at the Gaussian field nearest to the target.

Among Gaussians of constant mean c and spectrum S(k), the reverse KL divergence is
lowest where 1 / S(k) is the mean of the action's Hessian in momentum space and the
mean gradient vanishes: the Hartree equations, here iterated on samples. Unlike an
expansion at the action's minimum they have a solution where that minimum is flat.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array
from sesamo_jax.geometry.lattice import Lattice

PAIRS = 128
PER_MOMENTUM = "log_variance"  # the parameter with an entry per class of momenta
ITERATIONS = 60
SMALLEST_PRECISION = 1e-2


def nearest_gaussian(
    action: Callable[[Array], Array],
    components: int,
    lattice: Lattice,
    mean: float | None,
    dtype: jnp.dtype,
) -> tuple[float, np.ndarray]:
    """Return mean and spectra of the Gaussian field nearest to exp(-action).

    Two iterations, one with c = 0 and one from the lowest constant field of positive
    sign; the end of lower free energy wins. Both are stationary points, no more.

    Args:
        action: f of one field (components, *sites), invariant under the symmetries of
            its lattice.
        components: of the field; the mean is along the first.
        lattice: with the sites that the field lives on.
        mean: c, if it is not to be looked for.
        dtype: floating type.

    Returns:
        c >= 0, and the variances S(k) of modes of unit norm, (components, *extents); at
        most 1 / `SMALLEST_PRECISION`.
    """
    shape = (components, *lattice.extents)
    axes = tuple(range(1 - len(shape), 0))
    # Fields live on the whole lattice here, and are 0 where the lattice has no sites.
    here = jax.vmap(lambda x: lattice.restrict(x))
    occupied = jnp.asarray(lattice.occupied, dtype)
    ones = jnp.zeros(shape, dtype).at[0].set(occupied)

    def energy_of(x: Array) -> Array:
        return action(here(x))

    noise_key, probe_key = jax.random.split(jax.random.key(0))
    # The same noise at every iteration, so that there is a fixed point, and with both
    # signs, so that a symmetric action keeps c = 0.
    noise = jax.random.normal(noise_key, (PAIRS, *shape), dtype) * occupied
    noise = jnp.concatenate([noise, -noise])
    probes = jax.random.normal(probe_key, noise.shape, dtype) * occupied
    probe_waves = jnp.fft.fftn(probes, axes=axes)
    probe_power = jnp.mean(jnp.abs(probe_waves) ** 2, axis=0)
    average = _class_average(lattice)

    def draw(centre: Array, precision: Array) -> Array:
        waves = jnp.fft.fftn(noise, axes=axes) / jnp.sqrt(precision)
        fluctuation = jnp.real(jnp.fft.ifftn(waves, axes=axes))
        return centre * ones + fluctuation.astype(dtype)

    def gradient_and_hessian(x: Array, probe: Array) -> tuple[Array, Array]:
        return jax.jvp(jax.grad(energy_of), (x,), (probe,))

    def improve(state: tuple[Array, Array], free: Array) -> tuple[Array, Array]:
        centre, precision = state
        fields = draw(centre, precision)
        gradient, image = jax.vmap(gradient_and_hessian)(fields, probes)
        product = jnp.conj(probe_waves) * jnp.fft.fftn(image, axes=axes)
        curvature = average(jnp.mean(jnp.real(product), axis=0)) / average(probe_power)
        curvature = jnp.maximum(curvature, SMALLEST_PRECISION)
        step = jnp.mean(gradient[:, 0]) / lattice.share / precision[(0,) * len(shape)]
        # Half steps: full ones can alternate between two points.
        centre = jnp.maximum(centre - free * step / 2, 0)
        return centre, ((precision + curvature) / 2).astype(dtype)

    @jax.jit
    def solve(start: Array, free: Array) -> tuple[Array, Array, Array]:
        state = jax.lax.fori_loop(
            0,
            ITERATIONS,
            lambda _, state: improve(state, free),
            (start, jnp.ones(shape, dtype)),
        )
        energy = jnp.mean(jax.vmap(energy_of)(draw(*state)))
        return energy + lattice.share * jnp.sum(jnp.log(state[1])) / 2, *state

    if mean is None:
        starts = [(0.0, 0.0), (_lowest_constant(energy_of, ones), 1.0)]
    else:
        starts = [(mean, 0.0)]
    ends = [solve(*jnp.asarray(start, dtype)) for start in starts]
    _, centre, precision = min(ends, key=lambda end: float(end[0]))
    return float(centre), 1 / np.asarray(precision, np.float64)


def _class_average(lattice: Lattice) -> Callable[[Array], Array]:
    """Return the average over momenta that lattice symmetries map to each other."""
    classes, first = lattice.momentum_classes()
    flat, members = classes.ravel(), np.bincount(classes.ravel())

    def average(spectrum: Array) -> Array:
        columns = spectrum.reshape(-1, flat.size).T
        means = jax.ops.segment_sum(columns, flat, first.size).T / members
        return means[:, flat].reshape(spectrum.shape)

    return average


def _lowest_constant(action: Callable[[Array], Array], direction: Array) -> float:
    """Return the c >= 0 at which the action of c * direction is lowest."""
    values = jnp.linspace(0, 10, 2001, dtype=direction.dtype)
    energies = jax.vmap(lambda c: action(c * direction))(values)
    return float(values[jnp.argmin(energies)])

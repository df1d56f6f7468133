"""Metastable states of particles (Koehler, Klein, Noe 2020, 7.5): quenching, counting.

Two minima are one state if they differ by a motion of space, a reflection or a
permutation. As in the paper, that is decided by the sorted distances of all pairs,
whose difference is summed; mirror images and, rarely, other pairs of states are then
counted once: counts are lower bounds.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

from sesamo_jax.core import Target
from sesamo_jax.geometry.particles import pair_distances

STEEPEST = 1e-3  # gradient at a minimum, largest component
FLATTEST = 1e-4  # curvature of a minimum in a direction that is no rotation
OPTIONS = {"maxiter": 10_000, "maxfun": 20_000, "ftol": 0.0, "gtol": 1e-6}


class Minima(NamedTuple):
    """Where samples came to rest; n rows, of those that are minima.

    Attributes:
        y: coordinates, (n, N - 1, D).
        energies: u, (n,).
        distances: of all pairs, sorted, (n, N (N - 1) / 2).
        found: whether a sample came to rest at a minimum, not at a saddle point or
            nowhere, (samples,).
    """

    y: np.ndarray
    energies: np.ndarray
    distances: np.ndarray
    found: np.ndarray


def quench(target: Target, samples: np.ndarray) -> Minima:
    """Return the minima of the energy below samples, (n, N - 1, D), by L-BFGS.

    Args:
        target: a system of particles in float64, whose energy is an observable.
        samples: of any floating type.
    """
    shape = target.event_shape
    rotations = shape[1] * (shape[1] - 1) // 2

    def energy(flat: jax.Array) -> jax.Array:
        return target.observables["energy"](flat.reshape(shape))

    value_and_grad = jax.jit(jax.value_and_grad(energy))
    ends = np.array(
        [
            minimize(
                lambda y: tuple(map(np.asarray, value_and_grad(y))),
                start.ravel(), jac=True, method="L-BFGS-B", options=OPTIONS,
            ).x
            for start in np.asarray(samples, np.float64)
        ]
    )  # fmt: skip
    energies, slopes = jax.vmap(value_and_grad)(ends)
    curvatures = jnp.linalg.eigvalsh(jax.lax.map(jax.jit(jax.hessian(energy)), ends))
    # Rotations are flat; what is no minimum has yet fewer directions that lead up.
    minimum = np.asarray(
        (jnp.max(jnp.abs(slopes), axis=1) < STEEPEST)
        & (jnp.sum(curvatures > FLATTEST, axis=1) == ends.shape[1] - rotations)
    )
    y = ends[minimum].reshape(-1, *shape)
    distances = np.sort(np.asarray(jax.vmap(pair_distances)(y)), axis=1)
    return Minima(y, np.asarray(energies)[minimum], distances, minimum)


def distinct(minima: Minima, threshold: float) -> np.ndarray:
    """Return the indices of one minimum per state, from the lowest energy up.

    Args:
        minima: of any samples.
        threshold: states differ by more, in the sum of |differences| of the sorted
            distances of pairs i < j.
    """
    chosen: list[int] = []
    for index in np.argsort(minima.energies, kind="stable"):
        known = minima.distances[chosen]
        apart = np.abs(known - minima.distances[index]).sum(axis=1)
        if not np.any(apart <= threshold):
            chosen.append(int(index))
    return np.array(chosen, int)


def shares(
    minima: Minima, levels: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Return the weight of the samples that came to rest at each of some energies.

    Args:
        minima: of samples.
        levels: energies of states, (states,), all different.
        weights: of the samples, (samples,); None for equal ones.

    Returns:
        (states,), of sum 1.
    """
    mass = np.ones(len(minima.found)) if weights is None else weights
    mass = mass[minima.found]
    nearest = np.argmin(np.abs(minima.energies[:, None] - levels), axis=1)
    return np.bincount(nearest, mass, len(levels)) / mass.sum()

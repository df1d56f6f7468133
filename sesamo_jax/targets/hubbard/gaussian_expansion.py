"""The Hubbard model at one time slice in closed form: a sum of Gaussians."""

from collections.abc import Callable
from itertools import product
from math import erf

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Exact, FiniteSymmetry, Key
from sesamo_jax.targets.hubbard.hopping import Hopping

SMALLEST = 1e-12  # minor of the eigenvectors that is not 0 by the graph's symmetry


def gaussian_expansion(hop: Hopping, u_tilde: float) -> tuple[np.ndarray, np.ndarray]:
    """Write exp(-f) at N_t = 1 as a sum of Gaussians of variance U~, exactly.

    det(1 + e^h e^x) is the sum over subsets S of sites of det(e^h)_SS e^{sum_S x}, and
    the principal minors of the positive e^h are positive. Hence exp(-f) is a sum over
    pairs (S, S') of Gaussians around U~ (1_S - 1_S').

    Returns:
        log masses (4^N_x,) of the Gaussians, and their means (4^N_x, N_x).
    """
    sites = len(hop.levels)
    occupations = np.array(list(product((0, 1), repeat=sites)), bool)
    log_minors = np.array([_log_minor(hop, s, occupations) for s in occupations])
    charge = occupations[:, None].astype(float) - occupations[None].astype(float)
    log_masses = (
        log_minors[:, None]
        + log_minors[None]
        + u_tilde * np.sum(charge**2, axis=-1) / 2
        + sites / 2 * np.log(2 * np.pi * u_tilde)
    )
    return log_masses.ravel(), u_tilde * charge.reshape(-1, sites)


def _log_minor(hop: Hopping, chosen: np.ndarray, subsets: np.ndarray) -> float:
    """Return log det (e^h)_SS, by Cauchy and Binet a sum of positive terms."""
    terms = [
        2 * np.log(abs(minor)) + hop.levels[subset].sum()
        for subset in subsets[subsets.sum(axis=1) == chosen.sum()]
        if abs(minor := np.linalg.det(hop.waves[np.ix_(chosen, subset)])) > SMALLEST
    ]
    return float(np.logaddexp.reduce(terms))


def expansion_reference(
    log_masses: np.ndarray, means: np.ndarray, u_tilde: float, symmetry: FiniteSymmetry
) -> Exact:
    """Return log Z, the sector probabilities and R from the Gaussian expansion."""
    log_z = np.logaddexp.reduce(log_masses)
    sites = means.shape[1]
    scaled = means / np.sqrt(2 * u_tilde)
    positive = (1 + np.vectorize(erf)(scaled)) / 2
    sectors, ratio = np.zeros(symmetry.order), 0.0
    for signs in product((1, -1), repeat=sites):
        orthant = np.where(np.array(signs) > 0, positive, 1 - positive).prod(axis=1)
        mass = float(np.exp(log_masses - log_z) @ orthant)
        sectors[int(symmetry.sector(jnp.array([signs], jnp.float64)))] += mass
        ratio += mass * float(np.prod(signs))
    return Exact(
        log_z=float(log_z),
        sectors=sectors,
        observables={"breaking_ratio": ratio} if sites == 2 else {},
        source="closed form: expansion of the determinants into Gaussians",
    )


def expansion_sampler(
    log_masses: np.ndarray, means: np.ndarray, u_tilde: float
) -> Callable[[Key, int], Array]:
    """Return `(key, n) -> (n, 1, N_x)`, exact samples from the Gaussian expansion."""

    def sample(key: Key, n: int) -> Array:
        component_key, noise_key = jax.random.split(key)
        component = jax.random.categorical(
            component_key, jnp.asarray(log_masses), shape=(n,)
        )
        noise = jax.random.normal(noise_key, (n, means.shape[1]), jnp.float64)
        x = jnp.asarray(means)[component] + np.sqrt(u_tilde) * noise
        return x[:, None, :]

    return sample

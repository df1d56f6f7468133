"""The Hubbard model at half filling, in the spin basis with a real auxiliary field.

f(x) = |x|^2 / (2 U~) - log det M[x] - log det M[-x], U~ = U beta / N_t (eqs. 21, 49),
with x of shape (N_t, N_x) and the fermion matrix of eq. 50,

    M[x] = 1 - e^h e^{x_t} on the time step t -> t + 1, antiperiodic in time,
    h = (kappa beta / N_t) * adjacency.

Antiperiodic means that the step across the time border carries the opposite sign, so
M = 1 + e^h e^x at N_t = 1; the text below eq. 50 has it the other way round. The
Gaussian's width follows eq. 49; eq. 51 is off by a factor 2 in the exponent.
"""

from dataclasses import dataclass
from itertools import product
from math import erf

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import (
    Array,
    Exact,
    FiniteSymmetry,
    Key,
    Target,
    require_precision,
)
from sesamo_jax.symmetries import sign_flips

LATTICES = ("chain", "ring")
# The expansion below has 4^sites terms: 256 at four sites.
MAX_EXPANDED_SITES = 4


@dataclass(frozen=True)
class Hubbard:
    """Configuration of the Hubbard model.

    Attributes:
        u: on-site interaction U.
        beta: inverse temperature.
        kappa: hopping amplitude.
        lattice: `chain` (open) or `ring`.
        sites: number of lattice sites N_x.
        time_slices: N_t.
        dtype: float64; the determinant of a float32 matrix is refused.
    """

    u: float = 18.0
    beta: float = 1.0
    kappa: float = 1.0
    lattice: str = "chain"
    sites: int = 2
    time_slices: int = 1
    dtype: str = "float64"

    def build(self, name: str = "hubbard") -> Target:
        """Return the target.

        Raises:
            ValueError: for a parameter out of its range, an unknown lattice, or a
                dtype other than float64.
        """
        require_precision(name, jnp.float64)
        self._check()
        u_tilde = self.u * self.beta / self.time_slices
        hop = exp_symmetric(self.kappa * self.beta / self.time_slices * adjacency(self))

        def action(x: Array) -> Array:
            fermions = fermion_log_dets(jnp.stack([x, -x]), hop)
            return jnp.sum(x**2) / (2 * u_tilde) - jnp.sum(fermions)

        shape = (self.time_slices, self.sites)
        columns = np.arange(self.time_slices * self.sites).reshape(shape).T.tolist()
        symmetry = sign_flips(shape, columns, exact_global_flip=True)
        observables = {}
        if self.sites == 2:
            observables["breaking_ratio"] = lambda x: jnp.prod(
                jnp.sign(jnp.sum(x, axis=0))
            )
        exact, sample = Exact(), None
        if self.time_slices == 1 and self.sites <= MAX_EXPANDED_SITES:
            weights, means = gaussian_expansion(hop, u_tilde)
            exact = expansion_reference(weights, means, u_tilde, symmetry)
            sample = expansion_sampler(weights, means, u_tilde)
        return Target(
            name=name,
            event_shape=shape,
            action=action,
            symmetry=symmetry,
            dtype=jnp.float64,
            prior_variance=u_tilde,
            observables=observables,
            exact=exact,
            sample=sample,
        )

    def _check(self) -> None:
        for field in ("u", "beta"):
            if not getattr(self, field) > 0:
                raise ValueError(
                    f"target.{field}={getattr(self, field)} must be positive"
                )
        if self.lattice not in LATTICES:
            raise ValueError(
                f"unknown target.lattice {self.lattice!r}; known: {', '.join(LATTICES)}"
            )
        if self.sites < 2 or (self.lattice == "ring" and self.sites < 3):
            raise ValueError(
                f"target.sites={self.sites} is too small for a {self.lattice}: "
                "a chain needs 2, a ring 3"
            )
        if self.lattice == "ring" and self.sites % 2 and self.time_slices > 2:
            raise ValueError(
                f"target.sites={self.sites}: on a ring of odd length the determinants "
                "have no common sign with more than 2 time slices; use an even length"
            )
        if self.time_slices < 1:
            raise ValueError(f"target.time_slices={self.time_slices} must be positive")
        if self.dtype != "float64":
            raise ValueError(
                f"target.dtype={self.dtype!r}: the Hubbard determinant loses its "
                "digits below float64; leave target.dtype at float64"
            )


def adjacency(config: Hubbard) -> np.ndarray:
    """Return the symmetric 0/1 nearest-neighbour matrix, (N_x, N_x)."""
    bonds = np.eye(config.sites, k=1)
    if config.lattice == "ring":
        bonds[0, -1] = 1
    return bonds + bonds.T


def exp_symmetric(matrix: np.ndarray) -> np.ndarray:
    """Return the exponential of a symmetric matrix through its eigenvectors."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.exp(values)) @ vectors.T


def fermion_matrix(x: Array, hop: np.ndarray) -> tuple[Array, Array]:
    """Return M[x] of eq. 50 on space-time with scaled columns, and the scale's log.

    det M[x] = det(scaled) exp(log_scale). Column (t, j) holds a 1 and multiples of
    e^{x_tj}; divided by e^{max(x_tj, 0)} no entry exceeds those of e^h, so that fields
    far from the modes, as early training makes them, cannot overflow.

    Args:
        x: auxiliary field, (N_t, N_x), float64.
        hop: e^h, (N_x, N_x).

    Raises:
        TypeError: if x is not float64.
    """
    if x.dtype != jnp.float64:
        raise TypeError(
            f"the fermion determinant needs a float64 field, got {x.dtype}: set "
            "jax_enable_x64 and pass float64 arrays"
        )
    slices, sites = x.shape
    step = -np.eye(slices, k=-1)
    step[0, -1] += 1.0  # antiperiodic, and the plus sign of a single slice
    positive = jnp.maximum(x, 0.0)
    blocks = jnp.einsum("st,ij,tj->sitj", step, hop, jnp.exp(x - positive))
    scaled = jnp.diag(jnp.exp(-positive).ravel()) + blocks.reshape(x.size, x.size)
    return scaled, jnp.sum(positive)


def fermion_log_dets(fields: Array, hop: np.ndarray) -> Array:
    """Return log|det M| of several fields, (n, N_t, N_x) -> (n,).

    At half filling on a bipartite graph det M[-x] = e^{-sum x} det M[x], so the two
    determinants of the action have one sign and their product is positive.

    Numerics: one batched factorisation for all. Two independent ones in a program can
    block each other's threads on CPUs, for good.
    """
    scaled, log_scale = jax.vmap(lambda x: fermion_matrix(x, hop))(fields)
    return jnp.linalg.slogdet(scaled)[1] + log_scale


def gaussian_expansion(
    hop: np.ndarray, u_tilde: float
) -> tuple[np.ndarray, np.ndarray]:
    """Write exp(-f) at N_t = 1 as a sum of Gaussians of variance U~, exactly.

    det(1 + e^h e^x) is the sum over subsets S of sites of det(e^h)_SS e^{sum_S x}, and
    the principal minors of the positive e^h are positive. Hence exp(-f) is a sum over
    pairs (S, S') of Gaussians around U~ (1_S - 1_S').

    Returns:
        log masses (4^N_x,) of the Gaussians, and their means (4^N_x, N_x).
    """
    sites = hop.shape[0]
    occupations = np.array(list(product((0, 1), repeat=sites)), bool)
    log_minors = np.array(
        [np.linalg.slogdet(hop[np.ix_(s, s)])[1] if s.any() else 0 for s in occupations]
    )
    charge = occupations[:, None].astype(float) - occupations[None].astype(float)
    log_masses = (
        log_minors[:, None]
        + log_minors[None]
        + u_tilde * np.sum(charge**2, axis=-1) / 2
        + sites / 2 * np.log(2 * np.pi * u_tilde)
    )
    return log_masses.ravel(), u_tilde * charge.reshape(-1, sites)


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


def expansion_sampler(log_masses: np.ndarray, means: np.ndarray, u_tilde: float):  # type: ignore[no-untyped-def]
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

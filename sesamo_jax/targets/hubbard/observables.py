"""Observables of the Hubbard model, by Wick's theorem in a given auxiliary field."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array


@dataclass(frozen=True, eq=False)
class HubbardObservables:
    """x -> observables by name, averages over the times of the Green's functions.

    With a (up) and b (down), m_j = n^a_j - n^b_j = 2 S^z_j and G_ij = <a_i a_j^+>:

    `spin_correlation`: <S^z_i S^z_j>, (N_x, N_x).
    `staggered_structure_factor`: sum_ij e_i e_j <S^z_i S^z_j> / N_x with e = +-1 on the
        sublattices; on bipartite graphs only.
    `double_occupancy`: <n^a_j n^b_j>, mean over sites.
    `energy`: of H = -kappa sum_<ij> (a_i^+ a_j + b_i^+ b_j + h.c.)
        + U sum_j (n^a_j - 1/2)(n^b_j - 1/2), for one site.
    `correlator`: C(t) = <a_j(t) a_j^+(0)>, mean over sites and both spins, at
        all slices, or those after which products are factored.
    `staggered_sectors`: for k = 0, ..., N_x the probability that the fields' time sums
        have the sign of the sublattice pattern on k sites, (N_x + 1,); on bipartite
        graphs only. 0 and N_x are the two antiferromagnetic sectors.
    `breaking_ratio`: on two sites, the sign of the product of the fields' time sums.

    Attributes:
        green_functions: x -> <a_i a_j^+> at equal times and <a_i(t) a_j^+(0)>.
        adjacency: of the graph.
        signs: of the sublattices, or None.
        u: U.
        kappa: hopping.
    """

    green_functions: Callable[[Array], tuple[Array, Array]]
    adjacency: np.ndarray
    signs: np.ndarray | None
    u: float
    kappa: float

    def __call__(self, x: Array) -> dict[str, Array]:
        """Return the observables of one field, (N_t, N_x)."""
        # Both spins in one: independent factorisations can block each other on CPUs.
        equal, ahead = jax.vmap(self.green_functions)(jnp.stack([x, -x]))
        green = equal[:, :-1]  # (2, times, N_x, N_x); the last time is the first
        occupied = 1 - jnp.diagonal(green, axis1=2, axis2=3)
        moment = occupied[0] - occupied[1]
        one = jnp.eye(x.shape[1], dtype=x.dtype)
        exchange = (one - jnp.swapaxes(green, 2, 3)) * green
        moments = moment[:, :, None] * moment[:, None, :] + jnp.sum(exchange, axis=0)
        spin = jnp.mean(moments, axis=0) / 4
        local = jnp.mean(4 * jnp.diagonal(spin))
        hopping = jnp.sum(jnp.mean(green, axis=1) * self.adjacency) / x.shape[1]
        out = {
            "spin_correlation": spin,
            "double_occupancy": jnp.mean(occupied[0] * occupied[1]),
            "energy": self.kappa * hopping + self.u * (0.25 - local / 2),
            "correlator": jnp.mean(jnp.diagonal(ahead, axis1=2, axis2=3), axis=(0, 2)),
        }
        if self.signs is not None:
            staggered = self.signs @ spin @ self.signs / x.shape[1]
            out["staggered_structure_factor"] = staggered
        pattern = jnp.sign(jnp.sum(x, axis=0))
        if self.signs is not None:
            along = jnp.sum(pattern == self.signs)
            out["staggered_sectors"] = (jnp.arange(x.shape[1] + 1) == along) * 1.0
        if x.shape[1] == 2:
            out["breaking_ratio"] = jnp.prod(pattern)
        return out

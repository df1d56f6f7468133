"""The Hubbard model at half filling, in the spin basis with a real auxiliary field.

f(x) = |x|^2 / (2 U~) - log det M[x] - log det M[-x], U~ = U beta / N_t (eqs. 21, 49),
with x of shape (N_t, N_x) and the fermion matrix of eq. 50,

    M[x] = 1 - e^h e^{x_t} on the time step t -> t + 1, antiperiodic in time,
    h = (kappa beta / N_t) * adjacency.

Antiperiodic means that the step across the time border carries the opposite sign, so
det M = det(1 + e^h e^{x_Nt} ... e^h e^{x_1}); the text below eq. 50 has it the other
way round. The Gaussian's width follows eq. 49; eq. 51 is off by a factor 2 in the
exponent.

On a bipartite graph det M[-x] = e^{-sum x} det M[x]: one determinant is enough, and
exp(-f) is positive.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import (
    DTYPES,
    Array,
    Exact,
    Target,
    require_precision,
)
from sesamo_jax.core.bounds import bounded, check_fields, choice, positive, size
from sesamo_jax.geometry.graphs import (
    LATTICES,
    Edges,
    adjacency,
    lattice_edges,
    sublattices,
    user_edges,
)
from sesamo_jax.geometry.moments import LocalMoments
from sesamo_jax.symmetries import sign_flips
from sesamo_jax.targets.hubbard.determinant import (
    Chain,
    green_functions,
    log_det_chain,
    slices_per_factor,
)
from sesamo_jax.targets.hubbard.fermion_matrix import (
    fermion_log_det,
    space_time_green_functions,
)
from sesamo_jax.targets.hubbard.fock import fock_reference
from sesamo_jax.targets.hubbard.gaussian_expansion import (
    expansion_reference,
    expansion_sampler,
    gaussian_expansion,
)
from sesamo_jax.targets.hubbard.hopping import Hopping, hopping
from sesamo_jax.targets.hubbard.observables import HubbardObservables

# The expansion into Gaussians has 4^sites terms: 256 at four sites.
MAX_EXPANDED_SITES = 4
# The trace takes half a second at six sites, a minute at eight.
MAX_TRACED_SITES = 6
LARGEST_SPACE_TIME = 16  # N_t N_x up to which the matrix on space-time is cheaper
MOST_SITES, MOST_SLICES = 512, 10_000  # a sample costs N_t N_x^3 operations
# Of U beta / N_t and kappa beta / N_t: the field and its hopping are exponents.
LARGEST_U_TILDE, LARGEST_HOP = 1e4, 100.0
REPULSION = "without repulsion the spin basis has no real auxiliary field"
STEEPEST_FIELD = 5.0  # U~ above which scales of e^x need be kept as logs


@dataclass(frozen=True)
class Hubbard:
    """Configuration of the Hubbard model.

    Attributes:
        u: on-site interaction U.
        beta: inverse temperature.
        kappa: hopping amplitude.
        lattice: `chain` (open), `ring`, `square`, `honeycomb`, or `graph` of `edges`.
        extents: sites of a chain, ring or graph; rows and columns of a square lattice;
            rows and columns of cells of a honeycomb lattice, of two sites each.
        periodic: whether square and honeycomb lattices close.
        edges: pairs of neighbours, sites counted from 0, all given one way or all both
            ways; for `graph` only.
        time_slices: N_t.
        dtype: float64; the determinant of a float32 matrix is refused.

    Numerics: near the modes, of any signs, held against high precision up to
        |kappa| beta / N_t = 30 and U~ = 1,000. With two or more slices and fields far
        from all modes, f and Green's functions can lose all digits where a lattice's
        symmetry makes the leading amplitude between neighbouring slices 0, as between
        opposite signs everywhere on a square; Green's functions also elsewhere there.
    """

    u: float = positive(18.0, why=REPULSION)
    beta: float = positive(1.0)
    kappa: float = bounded(1.0)
    lattice: str = choice("chain", (*LATTICES, "graph"))
    extents: tuple[int, ...] = size((2,))
    periodic: bool = True
    edges: tuple[tuple[int, int], ...] = size((), least=0)
    time_slices: int = size(1, most=MOST_SLICES)
    dtype: str = choice("float64", DTYPES)

    @property
    def sites(self) -> int:
        """Number of lattice sites N_x."""
        cell = 2 if self.lattice == "honeycomb" else 1
        return cell * prod(self.extents)

    @property
    def u_tilde(self) -> float:
        """Interaction of one time slice, U~ = U beta / N_t."""
        return self.u * self.beta / self.time_slices

    def graph(self) -> Edges:
        """Return the edges.

        Raises:
            ValueError: for a lattice or edges that are none.
        """
        if self.lattice == "graph":
            return user_edges(self.edges, self.sites)
        return lattice_edges(self.lattice, self.extents, self.periodic)

    def hopping(self) -> Hopping:
        """Return e^h of one time slice."""
        per_slice = self.kappa * self.beta / self.time_slices
        return hopping(per_slice * adjacency(self.graph(), self.sites))

    def chain(self) -> Chain:
        """Return e^h, and how products of slices are factorised."""
        spread = self.u_tilde + 2 * self.u_tilde**0.5  # of x, where exp(-f) has mass
        hop = self.hopping()
        exponent = spread + float(np.max(np.abs(hop.levels)))
        per_factor = slices_per_factor(self.time_slices, exponent)
        return Chain(hop, per_factor, hop.steep or self.u_tilde > STEEPEST_FIELD)

    def build(self, name: str = "hubbard") -> Target:
        """Return the target.

        Raises:
            ValueError: for a parameter out of its range, an unknown lattice, a graph
                that is not bipartite with more than two time slices, or a dtype other
                than float64.
        """
        self._check()
        require_precision(name, jnp.float64)
        shape = (self.time_slices, self.sites)
        columns = np.arange(self.time_slices * self.sites).reshape(shape).T.tolist()
        symmetry = sign_flips(shape, columns, exact_global_flip=True)
        exact, sample = self._traced(), None
        if self.time_slices == 1 and self.sites <= MAX_EXPANDED_SITES:
            weights, means = gaussian_expansion(self.hopping(), self.u_tilde)
            expanded = expansion_reference(weights, means, self.u_tilde, symmetry)
            known = {**exact.observables, **expanded.observables}
            exact = expanded._replace(observables=known)
            sample = expansion_sampler(weights, means, self.u_tilde)
        return Target(
            name=name,
            event_shape=shape,
            action=self._action(),
            symmetry=symmetry,
            dtype=jnp.float64,
            prior_variance=self.u_tilde,
            measure=HubbardObservables(
                green_functions=self._green_functions(),
                adjacency=adjacency(self.graph(), self.sites),
                signs=self.signs(),
                u=self.u,
                kappa=self.kappa,
            ),
            exact=exact,
            sample=sample,
            geometry=LocalMoments(
                self.graph(), self.u * self.beta, self.kappa * self.beta
            ),
        )

    def _action(self) -> Callable[[Array], Array]:
        u_tilde, bipartite = self.u_tilde, self.signs() is not None
        log_det = self._log_det()

        def action(x: Array) -> Array:
            if bipartite:
                fermions = 2 * log_det(x) - jnp.sum(x)
            else:
                fermions = jnp.sum(jax.vmap(log_det)(jnp.stack([x, -x])))
            return jnp.sum(x**2) / (2 * u_tilde) - fermions

        return action

    def _log_det(self) -> Callable[[Array], Array]:
        chain = self.chain()
        if self._on_space_time(chain.hopping):
            hop = chain.hopping.matrix()
            return lambda x: fermion_log_det(x, hop)
        return lambda x: log_det_chain(x, chain)

    def _green_functions(self) -> Callable[[Array], tuple[Array, Array]]:
        chain = self.chain()
        if self._on_space_time(chain.hopping):
            hop = chain.hopping.matrix()
            return lambda x: space_time_green_functions(x, hop)
        return lambda x: green_functions(x, chain)

    def _on_space_time(self, hop: Hopping) -> bool:
        """Return whether to use the matrix on space-time: cheap where it is right."""
        mild = self.u_tilde <= STEEPEST_FIELD
        small = self.time_slices * self.sites <= LARGEST_SPACE_TIME
        return not hop.steep and (self.time_slices == 1 or (small and mild))

    def _traced(self) -> Exact:
        """Return what the trace over the Fock space gives, for small systems."""
        if self.sites > MAX_TRACED_SITES:
            return Exact()
        hopping = self.kappa * adjacency(self.graph(), self.sites)
        fock = fock_reference(hopping, self.u, self.beta, self.time_slices)
        known = {"double_occupancy": fock.double_occupancy, "energy": fock.energy}
        signs = self.signs()
        if signs is not None:
            staggered = signs @ fock.spin_correlation @ signs / self.sites
            known["staggered_structure_factor"] = float(staggered)
        source = "exact trace over the Fock space, at the same number of time slices"
        return Exact(log_z=fock.log_z, observables=known, source=source)

    def signs(self) -> np.ndarray | None:
        """Return +1 and -1 on the two sublattices; None if there are no such."""
        return sublattices(self.graph(), self.sites)

    def _check(self) -> None:
        check_fields(self, "target")
        if self.dtype != "float64":
            raise ValueError(
                f"target.dtype={self.dtype!r}: the Hubbard determinant loses its "
                "digits below float64; leave target.dtype at float64"
            )
        if self.edges and self.lattice != "graph":
            raise ValueError(
                f"target.edges is for target.lattice=graph, not {self.lattice!r}"
            )
        smallest = 3 if self.lattice == "ring" else 2
        if self.sites < smallest:
            raise ValueError(
                f"target.extents={self.extents} is too small for a {self.lattice}: it "
                f"needs at least {smallest} sites"
            )
        if self.sites > MOST_SITES:
            raise ValueError(
                f"target.extents={self.extents} are {self.sites} sites, and at most "
                f"{MOST_SITES} are within reach of determinants: choose smaller ones"
            )
        steepest = {
            "u": (self.u_tilde, LARGEST_U_TILDE),
            "kappa": (abs(self.kappa) * self.beta / self.time_slices, LARGEST_HOP),
        }
        for field, (value, largest) in steepest.items():
            if value > largest:
                raise ValueError(
                    f"target.{field}={getattr(self, field)} times beta / N_t is "
                    f"{value:.4g}, and at most {largest:g} can be resolved: raise "
                    "target.time_slices or lower target.beta"
                )
        if self.time_slices > 2 and self.signs() is None:
            raise ValueError(
                f"target.lattice={self.lattice!r} with extents {self.extents} has a "
                "closed path of odd length, where the determinants have no common sign "
                "with more than 2 time slices: use a bipartite graph"
            )

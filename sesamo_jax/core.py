"""The records and protocols that every layer shares; no mathematics here.

Functions in these records act on one event (one configuration). Batches are made
once, at the boundary, by the functions of `Model`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple, Protocol, cast

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.event_checks import check_action, check_observables

Array = jax.Array
Key = jax.Array
Params = Any

MAX_LISTED_SECTORS = 1024
LARGEST_EVENT = 2**31 - 1  # JAX counts in int32
DTYPES = ("float32", "float64")  # of x


class Factor(NamedTuple):
    """One direct factor of a finite group: its order, and whether f breaks it."""

    order: int
    broken: bool


class Symmetry(Protocol):
    """A group acting on configurations, with a canonical cell or slice Omega.

    Every x is T_g y for exactly one g and y in Omega (up to a set of measure zero).
    Elements of a finite group are integers 0 .. order - 1, element 0 is the identity;
    those of a continuous one are what its `act` takes.
    """

    @property
    def order(self) -> int | None:
        """Number of elements |G|; None for a continuous group."""
        ...

    @property
    def broken(self) -> bool:
        """Whether the action changes under the group."""
        ...

    @property
    def factors(self) -> tuple[Factor, ...]:
        """Direct factors in the order of the mixed-radix index of an element."""
        ...

    def act(self, g: Array, y: Array) -> tuple[Array, Array]:
        """Return x = T_g y and the log volume factor of y -> x (0 for isometries)."""
        ...

    def undo(self, g: Array, x: Array) -> Array:
        """Return y = T_g^-1 x."""
        ...

    def sector(self, x: Array) -> Array:
        """Return the g with T_g^-1 x in Omega, int32 for a finite group."""
        ...

    def margins(self, y: Array) -> Array:
        """Return lambda(y) (eq. 11), one entry per border: < 0 inside, 0 on it.

        The penalty's borders; what leaves a finite group's cell, `sector` decides.
        """
        ...


class FiniteSymmetry(Symmetry, Protocol):
    """A symmetry whose elements can be listed."""

    @property
    def order(self) -> int:
        """Number of elements |G|."""
        ...


def as_finite(symmetry: Symmetry) -> FiniteSymmetry:
    """Return the symmetry, now known to be finite.

    Raises:
        TypeError: if it is not.
    """
    if symmetry.order is None:
        raise TypeError(f"{symmetry} is continuous: its elements cannot be listed")
    return cast(FiniteSymmetry, symmetry)


class Bijection(Protocol):
    """An invertible map of one event; `forward` is the sampling direction.

    The method names are distrax's, so distrax bijectors satisfy this protocol.
    """

    def forward_and_log_det(self, z: Array) -> tuple[Array, Array]:
        """Return y = g(z) and log|det dy/dz|."""
        ...

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """Return z = g^-1(y) and log|det dz/dy|."""
        ...


class Exact(NamedTuple):
    """Reference values of a target, each None or absent where nothing is known.

    Attributes:
        log_z: log of the partition function Z.
        sectors: probability of each symmetry sector, shape (order,).
        observables: exact means by observable name.
        source: where the values come from.
    """

    log_z: float | None = None
    sectors: np.ndarray | None = None
    observables: Mapping[str, float] = {}
    source: str = ""

    def known(self) -> "Exact":
        """Return these values without those that are not finite."""

        def finite(value: Any) -> bool:
            return value is not None and bool(np.isfinite(value).all())

        return self._replace(
            log_z=self.log_z if finite(self.log_z) else None,
            sectors=self.sectors if finite(self.sectors) else None,
            observables={k: v for k, v in self.observables.items() if finite(v)},
        )


class LocalMoments(NamedTuple):
    """A Hubbard model in the spin basis, as its local moments see it.

    Attributes:
        edges: pairs of neighbouring sites.
        u: U beta.
        kappa: kappa beta.
    """

    edges: tuple[tuple[int, int], ...]
    u: float
    kappa: float


class Derived(NamedTuple):
    """A function of mean observables, such as a susceptibility.

    Attributes:
        inputs: names of the observables it needs.
        function: from their means, by name, to a number.
    """

    inputs: tuple[str, ...]
    function: Callable[[Mapping[str, float]], float]


@dataclass(frozen=True)
class Target:
    """An unnormalised density p(x) = exp(-f(x)) / Z and what is known about it.

    Attributes:
        name: what reports call it.
        event_shape: shape of one configuration x.
        action: f, maps (*event_shape) to a scalar; jittable and differentiable.
        symmetry: the group whose orbits stochastic modulation uses, or None.
        dtype: floating type of x; float64 needs `jax_enable_x64`.
        prior_variance: variance of the Gaussian base that suits this target.
        observables: functions of one configuration to a scalar or array, by name.
        measure: of one configuration to a dictionary of further observables, those
            that share their work.
        derived: functions of the means of scalar observables, by name.
        exact: reference values; those that are not finite are taken as unknown.
        sample: `(key, n) -> (n, *event_shape)`, exact independent samples of p.
        moments: of a Hubbard model, for the method `worldlines`; x is (N_t, N_x).
        slice_shape: shape of the y that the symmetry acts on, where it is not that of
            x; then p is a density on the image of (u, y), not on all of x.
        position_shape: (N, D) of the particles whose `particles.coordinates` x are;
            None for other systems.

    Raises:
        ValueError: for an empty event shape, float64 while JAX truncates it, or a
            function of one event that does not return what it should.
    """

    name: str
    event_shape: tuple[int, ...]
    action: Callable[[Array], Array]
    symmetry: Symmetry | None = None
    dtype: Any = jnp.float32
    prior_variance: float = 1.0
    observables: Mapping[str, Callable[[Array], Array]] = field(default_factory=dict)
    measure: Callable[[Array], Mapping[str, Array]] | None = None
    derived: Mapping[str, Derived] = field(default_factory=dict)
    exact: Exact = Exact()
    sample: Callable[[Key, int], Array] | None = None
    moments: LocalMoments | None = None
    slice_shape: tuple[int, ...] | None = None
    position_shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not self.event_shape or min(self.event_shape) < 1:
            raise ValueError(
                f"target {self.name!r}: event_shape {self.event_shape} must have "
                "positive extents"
            )
        if prod(self.event_shape) > LARGEST_EVENT:
            raise ValueError(
                f"target {self.name!r}: event_shape {self.event_shape} has more than "
                f"{LARGEST_EVENT} components: make it smaller"
            )
        require_precision(self.name, self.dtype)
        event = (self.name, self.event_shape, self.dtype)
        check_action(*event, self.action)
        check_observables(*event, self.observe)
        object.__setattr__(self, "exact", self.exact.known())

    @property
    def listed_sectors(self) -> int | None:
        """Number of symmetry sectors where reports can list them; None otherwise."""
        order = None if self.symmetry is None else self.symmetry.order
        return None if order is None or order > MAX_LISTED_SECTORS else order

    def observe(self, x: Array) -> dict[str, Array]:
        """Return all observables of one configuration, by name."""
        values = {name: f(x) for name, f in self.observables.items()}
        return values | dict(self.measure(x) if self.measure else {})


def require_precision(name: str, dtype: Any) -> None:
    """Raise ValueError unless JAX computes in this floating type as it is set up."""
    try:
        known = jnp.dtype(dtype) in (np.float32, np.float64)
    except TypeError:
        known = False
    if not known:
        raise ValueError(
            f"target {name!r}: dtype {dtype} must be 'float32' or 'float64'"
        )
    if jnp.dtype(dtype) == np.float64 and not jax.config.jax_enable_x64:  # type: ignore[attr-defined]
        raise ValueError(
            f"target {name!r} needs float64: call "
            "jax.config.update('jax_enable_x64', True) before building it"
        )


class Samples(NamedTuple):
    """What a model draws, n events at a time.

    Attributes:
        x: configurations, (n, *event_shape).
        log_q: log density of x in cell accounting (eq. 15), log q~(y) + log_p_u, (n,);
            of worldlines an estimate, without bias of 1 / q; of a mixture of flows
            log q(x, u) + log K.
        y: the flow's output before modulation, (n, *event_shape); of a mixture z.
        u: group element with x = T_u y, (n,); of worldlines, the signs of the moments
            before all events, (n, N_x); of a mixture the component.
        log_p_u: log p_S(u | y) less the log volume factor of T_u, (n,); of a mixture
            log p(u | z).
    """

    x: Array
    log_q: Array
    y: Array
    u: Array
    log_p_u: Array


class Model(NamedTuple):
    """A sampler as pure functions; params = {"flow": ..., "modulation": ...}.

    Those of `build_model` raise ValueError for events of another shape than (n, ...)
    below, and for an n that is no positive integer.

    Worldlines have none of the two: no densities but those of their own samples. The
    modulation of a mixture of flows is the network that chooses among them.

    Attributes:
        init: `key -> params`.
        sample: `(params, key, n) -> Samples`.
        images: `(params, key, n) -> Samples`, where x, log_q, u and log_p_u carry a
            second axis of length |G|: every image T_u y of each y, for sums over u; of
            a mixture, of length K. None for a continuous group.
        flow_log_prob: `(params, y, drawn=False) -> (n,)`, log q~(y), the flow before
            modulation; `drawn` where y is known to be of its samples, which rounding
            may have put outside of a folded base. None without one flow.
        log_prob: `(params, x, drawn=None) -> (n,)`, the exact normalised log density at
            any x; where x are those of samples, `drawn`, their own way counts as drawn.
            -inf where x is so far away that arithmetic overflows; NaN only where an
            adaptive integration has failed. None where it is not known.
        margins: `y -> (n, borders)`, < 0 inside the cell, for the penalty.
        leaked: `y -> (n,)`, whether y lies outside the cell; None without a cell.
        accurate: the same model for reports, where this one integrates its flow in the
            coarse steps of training; None for itself.
        adaptive_log_prob: `flow_log_prob` by an adaptive integrator, to measure the
            error of `accurate`; None where nothing is integrated.
        unmodulated: the flow alone, where the law makes exp(-f(x)) / p_S(u | y) the
            same for every u, so that training needs none; see `heat_bath.fold`.
        path_gradient: the same model, where log q of its samples is differentiated at
            fixed flow parameters, through y alone; None where that takes a second pass
            of the flow, by `flow_log_prob`.
        prior: `(params, key, n) -> (n, *event_shape)`, samples of the base, not
            folded; None without one flow.
        velocity: `(params, t, y) -> (n, *event_shape)`, the rate y' of the flow of
            particles at times t, (n,); None for other flows.
    """

    init: Callable[[Key], Params]
    sample: Callable[[Params, Key, int], Samples]
    images: Callable[[Params, Key, int], Samples] | None
    flow_log_prob: Callable[..., Array] | None
    log_prob: Callable[..., Array] | None
    margins: Callable[[Array], Array]
    leaked: Callable[[Array], Array] | None = None
    accurate: "Model | None" = None
    adaptive_log_prob: Callable[..., Array] | None = None
    unmodulated: "Model | None" = None
    path_gradient: "Model | None" = None
    prior: Callable[[Params, Key, int], Array] | None = None
    velocity: Callable[[Params, Array, Array], Array] | None = None

"""What to sample: a density known up to its normalisation, and what is known of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core.event_checks import check_action, check_observables
from sesamo_jax.core.symmetry import Symmetry
from sesamo_jax.core.types import Array, Key

MAX_LISTED_SECTORS = 1024
LARGEST_EVENT = 2**31 - 1  # JAX counts in int32
DTYPES = ("float32", "float64")  # of x


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


class Origin(NamedTuple):
    """What a target was built from, by which it can be built again.

    Attributes:
        name: in the table of targets, or an import path.
        config: the frozen dataclass of its parameters.
    """

    name: str
    config: Any


class Derived(NamedTuple):
    """A function of mean observables, such as a susceptibility.

    Attributes:
        inputs: names of the observables it needs.
        function: from their means, by name, to a number.
    """

    inputs: tuple[str, ...]
    function: Callable[[Mapping[str, float]], float]


@dataclass(frozen=True, eq=False)  # functions can only be told apart by identity
class Target:
    """An unnormalised density p(x) = exp(-f(x)) / Z and what is known about it.

    Two of them are equal where they are the same object, as functions are.

    Attributes:
        name: what reports call it.
        event_shape: shape of one configuration x.
        action: f, maps (*event_shape) to a scalar; jittable and differentiable.
        symmetry: the group whose orbits stochastic modulation uses, `symmetries.Wells`
            where there is no group, or None.
        dtype: floating type of x; float64 needs `jax_enable_x64`.
        prior_variance: variance of the Gaussian base that suits this target.
        observables: functions of one configuration to a scalar or array, by name.
        measure: of one configuration to a dictionary of further observables, those
            that share their work.
        derived: functions of the means of scalar observables, by name.
        exact: reference values; those that are not finite are taken as unknown.
        sample: `(key, n) -> (n, *event_shape)`, exact independent samples of p.
        geometry: what methods and objectives of one kind of system know of it, a
            record of `geometry`: `Lattice`, `Particles`, `LocalMoments` or `Slice`.
        origin: what it was built from; None for a target made in Python.

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
    geometry: Any = None
    # not one of the arguments: a target that `replace` has changed has none
    origin: Origin | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.event_shape, tuple):
            raise ValueError(
                f"target {self.name!r}: event_shape {self.event_shape!r} must be a "
                "tuple such as (8, 8)"
            )
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

    @classmethod
    def from_log_density(
        cls,
        log_density: Callable[[Array], Array],
        event_shape: tuple[int, ...],
        name: str = "density",
        **known: Any,
    ) -> "Target":
        """Return the target of a log density log p(x), normalised or not.

        Args:
            log_density: of one configuration (*event_shape), to a scalar; jittable and
                differentiable. f = -log p.
            event_shape: shape of one configuration.
            name: what reports call it.
            **known: the other fields, such as `symmetry` and `observables`.

        Raises: as the constructor.
        """
        return cls(name, event_shape, lambda x: -log_density(x), **known)

    @property
    def listed_sectors(self) -> int | None:
        """Number of symmetry sectors where reports can list them; None otherwise."""
        order = None if self.symmetry is None else self.symmetry.order
        return None if order is None or order > MAX_LISTED_SECTORS else order

    def observe(self, x: Array) -> dict[str, Array]:
        """Return all observables of one configuration, by name."""
        values = {name: f(x) for name, f in self.observables.items()}
        return values | dict(self.measure(x) if self.measure else {})


def enable_precision(dtype: Any) -> None:
    """Let JAX compute in float64, in all of the process, if a target is of this type.

    Called where a target is named and built in one step; who builds it in Python has
    the choice, see `require_precision`.
    """
    if jnp.dtype(dtype) == np.float64:
        jax.config.update("jax_enable_x64", True)


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

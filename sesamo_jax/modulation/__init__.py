"""Modulation laws p_S(u | y), one per file, and the table that names them."""

from collections.abc import Callable
from typing import NamedTuple, NoReturn

from sesamo_jax.core import FiniteSymmetry, Target, as_finite
from sesamo_jax.geometry.moments import LocalMoments
from sesamo_jax.modulation.circle.law import CircleExactLaw, CircleHeatBathLaw
from sesamo_jax.modulation.circle.spline import CircleLearnedLaw
from sesamo_jax.modulation.circle.von_mises import VonMisesLaw
from sesamo_jax.modulation.continuous import ContinuousLaw
from sesamo_jax.modulation.discrete.autoregressive import (
    AutoregressiveLaw,
    build_autoregressive,
)
from sesamo_jax.modulation.discrete.cosets import CosetLaw, build_cosets
from sesamo_jax.modulation.discrete.exact import ExactLaw
from sesamo_jax.modulation.discrete.heat_bath import HeatBathLaw
from sesamo_jax.modulation.discrete.law import FiniteLaw
from sesamo_jax.modulation.discrete.learned import LearnedLaw
from sesamo_jax.modulation.discrete.signs import SignLaw
from sesamo_jax.modulation.discrete.wells import WellsLaw
from sesamo_jax.modulation.sphere.grid import SphereHeatBathLaw, SphereLearnedLaw
from sesamo_jax.modulation.sphere.law import SphereExactLaw
from sesamo_jax.modulation.sphere.von_mises_fisher import VonMisesFisherLaw
from sesamo_jax.symmetries import ON, U1, Chain, Wells

__all__ = [
    "LAWS",
    "MAX_ENUMERATED_ORDER",
    "AutoregressiveLaw",
    "CosetLaw",
    "ExactLaw",
    "Law",
    "Modulation",
    "SignLaw",
    "build_law",
]

Law = FiniteLaw | ContinuousLaw
# All laws but `autoregressive` and `cosets` list the elements of a finite group; beyond
# this bound a batch of 1,000 samples would hold more than 65 million numbers.
MAX_ENUMERATED_ORDER = 2**16


class Modulation(NamedTuple):
    """A kind of law.

    Attributes:
        finite: `(target, group)` to the law over a finite group.
        circle: `(target, group)` to the law over the angles of U(1).
        sphere: `(target, group)` to the law over the directions of O(N).
        varies_weights: whether the weight of x = T_u y depends on u, because the law
            has parameters or knows only a part of the orbit, so that training has to
            follow the draw of u and not y alone.
        depends_on_y: whether weights vary with u although the law depends on y, so
            that training has to know how the draw of u changes with y.
        is_listed: whether it lists all elements of a finite group.
        takes_orbit: whether it takes the action of a whole orbit per sample.
        is_invariant: whether it is right for an action that the group leaves as it is,
            and for no other.
    """

    finite: Callable[[Target, FiniteSymmetry], FiniteLaw]
    circle: Callable[[Target, U1], ContinuousLaw]
    sphere: Callable[[Target, ON], ContinuousLaw]
    varies_weights: bool = False
    depends_on_y: bool = False
    is_listed: bool = True
    takes_orbit: bool = False
    is_invariant: bool = False


def _heat_bath(target: Target, group: FiniteSymmetry) -> FiniteLaw:
    if isinstance(group, Wells):
        return WellsLaw(group, target.action)
    return HeatBathLaw(group, target.action)


def _circle_heat_bath(target: Target, symmetry: U1) -> ContinuousLaw:
    law = VonMisesLaw if symmetry.linear else CircleHeatBathLaw
    return law(symmetry, target.action)


def _sphere_heat_bath(target: Target, symmetry: ON) -> ContinuousLaw:
    law = VonMisesFisherLaw if symmetry.linear else SphereHeatBathLaw
    return law(symmetry, target.action)


def _sphere_learned(target: Target, symmetry: ON) -> ContinuousLaw:
    return SphereLearnedLaw(symmetry, dtype=target.dtype)


def _circle_learned(target: Target, symmetry: U1) -> ContinuousLaw:
    return CircleLearnedLaw(symmetry, dtype=target.dtype)


def _no_chain(target: Target, symmetry: U1 | ON) -> NoReturn:
    raise ValueError(
        "modulation 'cosets' goes down a chain of subgroups, which the continuous "
        f"group of {target.name!r} is not: use 'heat_bath'"
    )


# A new law: one file, one row here.
LAWS: dict[str, Modulation] = {
    "heat_bath": Modulation(
        _heat_bath, _circle_heat_bath, _sphere_heat_bath, takes_orbit=True
    ),
    "exact": Modulation(
        lambda target, group: ExactLaw(group),
        lambda target, group: CircleExactLaw(group),
        lambda target, group: SphereExactLaw(group),
        is_invariant=True,
    ),
    "learned": Modulation(
        lambda target, group: LearnedLaw(group, target.dtype),
        _circle_learned,
        _sphere_learned,
        varies_weights=True,
    ),
    "autoregressive": Modulation(
        build_autoregressive,
        _circle_learned,
        _sphere_learned,
        varies_weights=True,
        is_listed=False,
    ),
    "cosets": Modulation(
        build_cosets,
        _no_chain,
        _no_chain,
        varies_weights=True,
        depends_on_y=True,
        is_listed=False,
    ),
}


def build_law(name: str, target: Target) -> Law:
    """Return the named law for a target's symmetry.

    Raises:
        ValueError: for an unknown law, a target without a symmetry, a group too large
            to enumerate, a continuous one other than U(1) and O(N), the exact law for
            a broken symmetry, the autoregressive one for other groups than sign flips,
            or that of cosets for others than chains of subgroups.
    """
    symmetry = target.symmetry
    if name not in LAWS:
        raise ValueError(f"unknown modulation {name!r}; known: {', '.join(LAWS)}")
    law = LAWS[name]
    if symmetry is None:
        raise ValueError(
            f"target {target.name!r} declares no symmetry to modulate with; give it "
            "one or use method 'flow'"
        )
    if law.is_invariant and symmetry.broken:
        raise ValueError(
            f"modulation {name!r} needs an invariant action, and {target.name!r} "
            "breaks its symmetry: use 'heat_bath' or 'learned'"
        )
    if isinstance(symmetry, U1):
        return law.circle(target, symmetry)
    if isinstance(symmetry, ON):
        return law.sphere(target, symmetry)
    if symmetry.order is None:
        raise ValueError(
            f"no law {name!r} is known for the continuous group of {target.name!r}: "
            "use method 'flow'"
        )
    if law.is_listed and symmetry.order > MAX_ENUMERATED_ORDER:
        is_hubbard = isinstance(target.geometry, LocalMoments)
        other = " or method 'worldlines'" if is_hubbard else ""
        unlisted = "cosets" if isinstance(symmetry, Chain) else "autoregressive"
        raise ValueError(
            f"modulation {name!r} lists all {symmetry.order} group elements, and at "
            f"most {MAX_ENUMERATED_ORDER} can be: use modulation {unlisted!r}{other}"
        )
    return law.finite(target, as_finite(symmetry))

"""Modulation laws p_S(u | y), one per file, and the function that picks one."""

from sesamo_jax.core import Target, as_finite
from sesamo_jax.modulation.circle import (
    CircleExactLaw,
    CircleHeatBathLaw,
    CircleLaw,
)
from sesamo_jax.modulation.circle_spline import CircleLearnedLaw
from sesamo_jax.modulation.exact import ExactLaw
from sesamo_jax.modulation.finite import FiniteLaw
from sesamo_jax.modulation.heat_bath import HeatBathLaw
from sesamo_jax.modulation.learned import LearnedLaw
from sesamo_jax.modulation.von_mises import VonMisesLaw
from sesamo_jax.symmetries import U1

Law = FiniteLaw | CircleLaw
LAWS = ("heat_bath", "exact", "learned")
# Every law here lists all elements of the group; beyond this a batch of 1,000 samples
# would hold more than 65 million numbers.
MAX_ENUMERATED_ORDER = 2**16


def build_law(name: str, target: Target) -> Law:
    """Return the named law for a target's symmetry.

    Raises:
        ValueError: for an unknown law, a target without a symmetry, a group too large
            to enumerate, a continuous one other than U(1), or the exact law for a
            broken symmetry.
    """
    symmetry = target.symmetry
    if name not in LAWS:
        raise ValueError(f"unknown modulation {name!r}; known: {', '.join(LAWS)}")
    if symmetry is None:
        raise ValueError(
            f"target {target.name!r} declares no symmetry to modulate with; give it "
            "one or use method 'realnvp'"
        )
    if name == "exact" and symmetry.broken:
        raise ValueError(
            f"modulation 'exact' needs an invariant action, but {target.name!r} breaks "
            "its symmetry: use 'heat_bath' or 'learned'"
        )
    if isinstance(symmetry, U1):
        return _build_circle_law(name, symmetry, target)
    if symmetry.order is None:
        raise ValueError(
            f"no law {name!r} is known for the continuous group of {target.name!r}: "
            "use method 'realnvp'"
        )
    if symmetry.order > MAX_ENUMERATED_ORDER:
        raise ValueError(
            f"modulation {name!r} lists all {symmetry.order} group elements; at most "
            f"{MAX_ENUMERATED_ORDER} are supported, use a smaller group"
        )
    if name == "heat_bath":
        return HeatBathLaw(as_finite(symmetry), target.action)
    if name == "exact":
        return ExactLaw(as_finite(symmetry))
    return LearnedLaw(as_finite(symmetry), target.dtype)


def _build_circle_law(name: str, symmetry: U1, target: Target) -> CircleLaw:
    if name == "heat_bath":
        law = VonMisesLaw if symmetry.linear else CircleHeatBathLaw
        return law(symmetry, target.action)
    if name == "exact":
        return CircleExactLaw(symmetry)
    return CircleLearnedLaw(symmetry, dtype=target.dtype)

"""Modulation laws p_S(u | y), one per file, and the function that picks one."""

from sesamo_jax.core import Target, as_finite
from sesamo_jax.modulation.circle.law import (
    CircleExactLaw,
    CircleHeatBathLaw,
    CircleLaw,
)
from sesamo_jax.modulation.circle.spline import CircleLearnedLaw
from sesamo_jax.modulation.circle.von_mises import VonMisesLaw
from sesamo_jax.modulation.discrete.autoregressive import AutoregressiveLaw
from sesamo_jax.modulation.discrete.exact import ExactLaw
from sesamo_jax.modulation.discrete.heat_bath import HeatBathLaw
from sesamo_jax.modulation.discrete.law import FiniteLaw
from sesamo_jax.modulation.discrete.learned import LearnedLaw
from sesamo_jax.modulation.discrete.signs import SignLaw
from sesamo_jax.symmetries import U1

__all__ = [
    "LAWS",
    "MAX_ENUMERATED_ORDER",
    "ExactLaw",
    "Law",
    "SignLaw",
    "build_law",
]

Law = FiniteLaw | CircleLaw
# All laws but `autoregressive` list the elements of a finite group; beyond this bound a
# batch of 1,000 samples would hold more than 65 million numbers.
MAX_ENUMERATED_ORDER = 2**16
LAWS = ("heat_bath", "exact", "learned", "autoregressive")
MOST_FLIPS = 31  # elements are int32


def build_law(name: str, target: Target) -> Law:
    """Return the named law for a target's symmetry.

    Raises:
        ValueError: for an unknown law, a target without a symmetry, a group too large
            to enumerate, a continuous one other than U(1), the exact law for a broken
            symmetry, or the autoregressive one for other groups than sign flips.
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
    if name == "autoregressive":
        flips = len(symmetry.factors)
        if any(factor.order != 2 for factor in symmetry.factors) or flips > MOST_FLIPS:
            raise ValueError(
                f"modulation 'autoregressive' is a law over at most {MOST_FLIPS} sign "
                f"flips, not over the group of {target.name!r}: use 'heat_bath'"
            )
        return AutoregressiveLaw(as_finite(symmetry), target.dtype)
    if symmetry.order > MAX_ENUMERATED_ORDER:
        other = " or method 'worldlines'" if target.moments else ""
        raise ValueError(
            f"modulation {name!r} lists all {symmetry.order} group elements, and at "
            f"most {MAX_ENUMERATED_ORDER} can be: use modulation 'autoregressive'"
            f"{other}"
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

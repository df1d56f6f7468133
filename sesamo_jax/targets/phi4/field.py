"""Fields on periodic lattices: extents, and actions with a lower bound."""

from typing import Any

import numpy as np

from sesamo_jax.core.bounds import size

MOST_DIMENSIONS = 6  # averages over exchanges of axes have 720 terms there
# Per site; numbers of that size have steps of 1e-4 in float32 and 1e-5 in float64.
LARGEST_DEPTHS = {"float32": 1e3, "float64": 1e11}


def extents(default: tuple[int, ...]) -> Any:
    """Return the field of a periodic lattice's extents."""
    return size(default, least=2, why="a site would be its own neighbour")


def check_field(
    shape: tuple[int, ...],
    dtype: str,
    linear: float,
    quadratic: float,
    quartic: float,
) -> None:
    """Raise ValueError unless a field's action has a lower bound that its type holds.

    Args:
        shape: the lattice.
        dtype: of the field.
        linear: coefficient of |x|, up to its sign.
        quadratic: of |x|^2 at one site of a constant field, with its bonds.
        quartic: of |x|^4.
    """
    if len(shape) > MOST_DIMENSIONS:
        raise ValueError(
            f"target.shape={shape} has {len(shape)} dimensions, at most "
            f"{MOST_DIMENSIONS} are supported: leave some out"
        )
    if not quartic > 0 and not (quartic == 0 and quadratic > 0):
        raise ValueError(
            f"target.lam={quartic} leaves the action without a lower bound: it must be "
            "positive"
        )
    deepest = -lowest(linear, quadratic, quartic)
    if deepest > LARGEST_DEPTHS[dtype]:
        raise ValueError(
            f"target.lam={quartic} is too small beside the other couplings: "
            f"{dtype} is too coarse for an action as low as -{deepest:.2g} per site, "
            "raise it or bring target.kappa, target.alpha or target.mass2 closer to 0"
        )


def lowest(linear: float, quadratic: float, quartic: float) -> float:
    """Return about the lowest value, at most 0, of a s + b s^2 + c s^4 over real s."""
    s = np.logspace(-9, 18, 2000)
    values = -abs(linear) * s + quadratic * s**2 + quartic * s**4
    return float(np.min(values, initial=0))

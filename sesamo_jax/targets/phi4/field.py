"""What lattice field theories share: observables and checks."""

from collections.abc import Callable, Mapping
from itertools import permutations
from math import pi, prod, sin
from typing import Any

import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Derived
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


def exchange_average(
    observable: Callable[[Array], Array], shape: tuple[int, ...]
) -> Callable[[Array], Array]:
    """Return the average of an observable over exchanges of axes of equal extent.

    Args:
        observable: of a field (*shape, components), of any value.
        shape: the lattice.
    """
    exchanges = [
        order
        for order in permutations(range(len(shape)))
        if tuple(shape[axis] for axis in order) == shape
    ]

    def average(x: Array) -> Array:
        values = [
            observable(jnp.transpose(x, (*order, len(shape)))) for order in exchanges
        ]
        return sum(values[1:], values[0]) / len(values)

    return average


def two_point_functions(
    shape: tuple[int, ...],
) -> dict[str, Callable[[Array], Array]]:
    """Return two-point functions of a field (*shape, components), summed over the last.

    `structure_factor` is |sum_j x_j e^{i k j}|^2 / V at the smallest momentum along the
    first axis, and `correlator` the product of the averages over all other axes,
    C(t) = mean_s X_s X_{s+t}, an array over t. Both are averages over all translations
    and reflections, and here also over exchanges of axes of equal extent.
    """
    sites, others = prod(shape), tuple(range(1, len(shape)))
    smallest = (1, *(0,) * len(others))

    def structure_factor(x: Array) -> Array:
        waves = jnp.fft.fftn(x, axes=tuple(range(len(shape))))[smallest]
        return jnp.sum(jnp.abs(waves) ** 2) / sites

    def correlator(x: Array) -> Array:
        slices = jnp.mean(x, axis=others)
        power = jnp.sum(jnp.abs(jnp.fft.fft(slices, axis=0)) ** 2, axis=-1)
        return jnp.real(jnp.fft.ifft(power)) / shape[0]

    return {
        "structure_factor": exchange_average(structure_factor, shape),
        "correlator": exchange_average(correlator, shape),
    }


def correlation_length(mean: Mapping[str, float], shape: tuple[int, ...]) -> float:
    """Return the second-moment length sqrt(chi / F - 1) / (2 sin(pi / L)).

    chi = V (<M^2> - <|M|>^2), F the structure factor, L the first extent. NaN where
    chi < F.
    """
    chi = susceptibility(mean, shape)
    ratio = chi / mean["structure_factor"] - 1
    return ratio**0.5 / (2 * sin(pi / shape[0])) if ratio > 0 else float("nan")


def susceptibility(mean: Mapping[str, float], shape: tuple[int, ...]) -> float:
    """Return V (<M^2> - <|M|>^2)."""
    connected = mean["magnetization_squared"] - mean["abs_magnetization"] ** 2
    return prod(shape) * connected


def derived_observables(
    shape: tuple[int, ...], gaussian_ratio: float
) -> dict[str, Derived]:
    """Return functions of mean observables, by name.

    `binder` is 1 - <M^4> / (r <M^2>^2), 0 for a Gaussian M.

    Args:
        shape: the lattice.
        gaussian_ratio: r = <M^4> / <M^2>^2 of a Gaussian, 3 for a real field and 2 for
            a complex one.
    """
    second, fourth = "magnetization_squared", "magnetization_fourth"
    moments = (second, "abs_magnetization")
    return {
        "susceptibility": Derived(moments, lambda mean: susceptibility(mean, shape)),
        "binder": Derived(
            (fourth, second),
            lambda mean: 1 - mean[fourth] / (gaussian_ratio * mean[second] ** 2),
        ),
        "correlation_length": Derived(
            (*moments, "structure_factor"), lambda mean: correlation_length(mean, shape)
        ),
    }

"""What lattice field theories share: neighbours, observables, checks."""

from collections.abc import Callable, Mapping
from math import pi, prod, sin

import jax.numpy as jnp

from sesamo_jax.core import Array, Derived


def check_shape(shape: tuple[int, ...]) -> None:
    """Raise ValueError unless every extent is at least 2."""
    if not shape or min(shape) < 2:
        raise ValueError(
            f"target.shape={shape} needs extents of at least 2: a site would be its "
            "own neighbour"
        )


def neighbour_sum(x: Array, dimensions: int | None = None) -> Array:
    """Return sum_mu x_{j+mu} over the forward neighbours, periodic, shape of x.

    Args:
        x: field; its first `dimensions` axes are the lattice.
        dimensions: number of lattice axes; None takes all axes.
    """
    axes = range(x.ndim if dimensions is None else dimensions)
    return sum((jnp.roll(x, -1, axis) for axis in axes), jnp.zeros_like(x))


def observables(
    action: Callable[[Array], Array], dimensions: int
) -> dict[str, Callable[[Array], Array]]:
    """Return the observables of a real scalar field, functions of one configuration.

    `structure_factor` is |sum_j x_j e^{i k j}|^2 / V at the smallest momentum along the
    first axis, and `correlator` the two-point function of the averages over all
    other axes, C(t) = mean_s X_s X_{s+t}, an array over t.
    """
    others = tuple(range(1, dimensions))

    def structure_factor(x: Array) -> Array:
        return jnp.abs(jnp.fft.fftn(x)[(1, *(0,) * (dimensions - 1))]) ** 2 / x.size

    def correlator(x: Array) -> Array:
        slices = jnp.mean(x, axis=others)
        power = jnp.abs(jnp.fft.fft(slices)) ** 2
        return jnp.real(jnp.fft.ifft(power)) / slices.size

    return {
        "magnetization": jnp.mean,
        "abs_magnetization": lambda x: jnp.abs(jnp.mean(x)),
        "magnetization_squared": lambda x: jnp.mean(x) ** 2,
        "magnetization_fourth": lambda x: jnp.mean(x) ** 4,
        "phi2": lambda x: jnp.mean(x**2),
        "action_density": lambda x: action(x) / x.size,
        "breaking_ratio": lambda x: jnp.sign(jnp.mean(x)),
        "structure_factor": structure_factor,
        "correlator": correlator,
    }


def derived_observables(shape: tuple[int, ...]) -> dict[str, Derived]:
    """Return functions of mean observables, by name.

    susceptibility: V (<M^2> - <|M|>^2).
    binder: 1 - <M^4> / (3 <M^2>^2).
    correlation_length: second moment, sqrt(chi / F - 1) / (2 sin(pi / L)), with F the
        structure factor and L the first extent; NaN where chi < F.
    """
    sites, extent = prod(shape), shape[0]

    def susceptibility(mean: Mapping[str, float]) -> float:
        return sites * (mean["magnetization_squared"] - mean["abs_magnetization"] ** 2)

    def binder(mean: Mapping[str, float]) -> float:
        return 1 - mean["magnetization_fourth"] / (
            3 * mean["magnetization_squared"] ** 2
        )

    def correlation_length(mean: Mapping[str, float]) -> float:
        ratio = susceptibility(mean) / mean["structure_factor"] - 1
        return ratio**0.5 / (2 * sin(pi / extent)) if ratio > 0 else float("nan")

    moments = ("magnetization_squared", "abs_magnetization")
    return {
        "susceptibility": Derived(moments, susceptibility),
        "binder": Derived(("magnetization_fourth", "magnetization_squared"), binder),
        "correlation_length": Derived(
            (*moments, "structure_factor"), correlation_length
        ),
    }

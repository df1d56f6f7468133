"""What is measured of fields of N components, by their mean field M = sum_j x_j / V."""

from collections.abc import Callable, Mapping
from itertools import permutations
from math import pi, prod, sin

import jax.numpy as jnp

from sesamo_jax.core import Array, Derived

Observable = Callable[[Array], Array]


def field_observables(
    shape: tuple[int, ...], components: int, action: Observable
) -> dict[str, Observable]:
    """Return observables of a field (*shape), or (*shape, N) of several components.

    `magnetization` is the first component of M, `abs_magnetization` is |M|, and the
    direction of M is `breaking_ratio`, its sign, for one component and `cos_angle`, its
    cosine with the first axis, for several; of these, `transverse_susceptibility` is
    V times the mean square of the others, to which the Ward identity of rotations
    relates the order parameter in a field h along the first: <M_1> = h V <M_2^2>.

    Args:
        shape: the lattice.
        components: N.
        action: f.
    """
    sites = prod(shape)

    def mean_field(x: Array) -> Array:
        return jnp.mean(x.reshape(sites, components), axis=0)

    def modulus_squared(x: Array) -> Array:
        return jnp.sum(mean_field(x) ** 2)

    def modulus(x: Array) -> Array:
        return jnp.sqrt(modulus_squared(x))

    def of_vectors(observable: Observable) -> Observable:
        return lambda x: observable(x.reshape(*shape, components))

    direction: dict[str, Observable] = {
        "cos_angle": lambda x: mean_field(x)[0] / modulus(x),
        "transverse_susceptibility": lambda x: sites * jnp.mean(mean_field(x)[1:] ** 2),
    }
    if components == 1:
        direction = {"breaking_ratio": lambda x: jnp.sign(jnp.mean(x))}
    two_point = two_point_functions(shape)
    if components > 1:
        two_point |= along_and_across(shape)
    return {
        "magnetization": lambda x: mean_field(x)[0],
        "abs_magnetization": modulus,
        "magnetization_squared": modulus_squared,
        "magnetization_fourth": lambda x: modulus_squared(x) ** 2,
        "phi2": lambda x: jnp.sum(x**2) / sites,
        "action_density": lambda x: action(x) / sites,
        **direction,
        **{name: of_vectors(function) for name, function in two_point.items()},
    }


def exchange_average(observable: Observable, shape: tuple[int, ...]) -> Observable:
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


def _waves(x: Array) -> Array:
    """Return the waves along the first axis of the averages over all others."""
    slices = jnp.mean(x, axis=tuple(range(1, x.ndim - 1)))
    return jnp.fft.fft(slices, axis=0)


def _correlation(power: Array) -> Array:
    """Return C(t) from |waves|^2."""
    return jnp.real(jnp.fft.ifft(power)) / power.size


def two_point_functions(shape: tuple[int, ...]) -> dict[str, Observable]:
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
        return _correlation(jnp.sum(jnp.abs(_waves(x)) ** 2, axis=-1))

    return {
        "structure_factor": exchange_average(structure_factor, shape),
        "correlator": exchange_average(correlator, shape),
    }


def along_and_across(shape: tuple[int, ...]) -> dict[str, Observable]:
    """Return two-point functions along the direction of M and across it.

    `correlator_along` and `correlator_across`, the latter per component, add up to
    C(t) = C_along(t) + (N - 1) C_across(t). `spectrum_across` is what the second is in
    momentum space, that of the Goldstone modes: |sum_j x_j e^{i k j}|^2 / V of one
    component across M, at k = 2 pi n / L along the first axis, n = 1, ..., L / 2.
    """
    volume, extent = prod(shape), shape[0]

    def powers(x: Array) -> tuple[Array, Array]:
        """Return |waves|^2 along M, and across it per component."""
        waves = _waves(x)
        mean = jnp.real(waves[0])  # M times the extent
        total = jnp.sum(jnp.abs(waves) ** 2, axis=-1)
        along = jnp.abs(waves @ mean) ** 2 / jnp.sum(mean**2)
        return along, (total - along) / (x.shape[-1] - 1)

    def spectrum_across(x: Array) -> Array:
        across = powers(x)[1] * (volume / extent**2)
        return across[1 : extent // 2 + 1]

    functions = {
        "correlator_along": lambda x: _correlation(powers(x)[0]),
        "correlator_across": lambda x: _correlation(powers(x)[1]),
        "spectrum_across": spectrum_across,
    }
    return {name: exchange_average(f, shape) for name, f in functions.items()}


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


def derived_observables(shape: tuple[int, ...], components: int) -> dict[str, Derived]:
    """Return functions of mean observables, by name.

    `binder` is 1 - <M^4> / (r <M^2>^2) with r = 1 + 2 / N, 0 for a Gaussian M.

    Args:
        shape: the lattice.
        components: N.
    """
    gaussian_ratio = 1 + 2 / components
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

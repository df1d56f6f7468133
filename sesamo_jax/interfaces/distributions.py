"""A sampler as a distribution of distrax, or of numpyro."""

from functools import cache
from math import prod
from typing import Any

import distrax

from sesamo_jax.core import Array, Key
from sesamo_jax.interfaces.optional import needed
from sesamo_jax.trained.sampler import Sampler


class SamplerDistribution(distrax.Distribution):
    """A sampler's density q(x) in distrax's terms.

    Args:
        sampler: of a method that has a density of x.
    """

    def __init__(self, sampler: Sampler) -> None:
        super().__init__()
        self.sampler = sampler

    def _sample_n(self, key: Key, n: int) -> Array:
        return self.sampler.sample(key, n)

    def _sample_n_and_log_prob(self, key: Key, n: int) -> tuple[Array, Array]:
        return self.sampler.sample_and_log_prob(key, n)

    def log_prob(self, value: Array) -> Array:
        """Return log q at events of any batch shape."""
        return self.sampler.log_prob(value)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one event."""
        return self.sampler.target.event_shape


def to_distrax(sampler: Sampler) -> distrax.Distribution:
    """Return a sampler as a distrax distribution: `sample(seed=...)`, `log_prob`."""
    return SamplerDistribution(sampler)


def to_numpyro(sampler: Sampler) -> Any:
    """Return a sampler as a numpyro distribution, for `numpyro.sample`.

    Raises:
        ImportError: without numpyro.
    """
    return _numpyro_class(len(sampler.target.event_shape))(sampler)


@cache
def _numpyro_class(event_axes: int) -> type:
    """Return the class of distributions whose events have so many axes."""
    library = needed("numpyro.distributions")
    base: Any = library.Distribution
    constraints = library.constraints

    class NumpyroDistribution(base):
        """A sampler's density q(x) in numpyro's terms."""

        arg_constraints: dict[str, Any] = {}
        pytree_data_fields = ("sampler",)
        support = constraints.independent(constraints.real, event_axes)

        def __init__(self, sampler: Sampler) -> None:
            self.sampler = sampler
            super().__init__(event_shape=sampler.target.event_shape)

        def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
            """Return samples, (*sample_shape, *event_shape)."""
            flat = self.sampler.sample(key, prod(sample_shape))
            return flat.reshape(*sample_shape, *self.event_shape)

        def log_prob(self, value: Array) -> Array:
            """Return log q at events of any batch shape."""
            return self.sampler.log_prob(value)

    return NumpyroDistribution

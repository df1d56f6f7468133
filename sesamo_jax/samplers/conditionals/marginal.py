"""A target on its even sites alone, and a model of them completed to the whole field.

The even sites have the density exp(-f_even) / Z with f_even(x) = sum_even [V(x_i) -
b . x_i] - sum_odd log zeta(h_j), the same Z and the same symmetries. Drawing the odd
sites from their conditional adds nothing to a weight: exp(-f(x)) / q(x) =
exp(-f_even(x_even)) / q(x_even), up to what the tables leave.
"""

from collections.abc import Callable
from typing import Any

import jax

from sesamo_jax.core import (
    Array,
    Integrated,
    Key,
    Marginal,
    Model,
    Params,
    Samples,
    SitewiseSymmetry,
    Target,
)
from sesamo_jax.parallel.devices import over_batch
from sesamo_jax.samplers.conditionals.odd_sites import OddSites, odd_sites
from sesamo_jax.samplers.weighting import overflow_to_zero


def even_target(target: Target, odd: OddSites) -> Target:
    """Return the target of the even sites."""
    shape = (*odd.sites.shape, *target.event_shape[len(odd.sites.extents) :])
    # Of U(1) with a field f_even has more harmonics than the one that `linear` claims.
    # They are weak, and the law of three values serves better than one on a grid.
    symmetry = target.symmetry
    if isinstance(symmetry, SitewiseSymmetry):
        symmetry = symmetry.on_shape(shape)
    return Target(
        name=f"{target.name} on even sites",
        event_shape=shape,
        action=odd.action_of_even,
        symmetry=symmetry,
        dtype=target.dtype,
        prior_variance=target.prior_variance,
        geometry=odd.sites,
    )


def build_with_odd_sites(target: Target, build: Callable[[Target], Model]) -> Model:
    """Return the model of a whole field, of which only the even sites are trained.

    Its samples' y are of the even sites; log_p_u has the density of the odd sites too.

    Args:
        target: of the geometry `NearestNeighbours`, with even extents.
        build: from the target of the even sites to its model.

    Raises:
        ValueError: if the target's action is not what its geometry says.
    """
    odd = odd_sites(target)
    on_even = even_target(target, odd)
    model = build(on_even)
    whole = _complete(model, odd)
    if model.integrated is not None:
        accurate, adaptive = model.integrated
        whole = whole._replace(
            integrated=Integrated(_complete(accurate, odd), adaptive)
        )
    return whole._replace(marginal=Marginal(model, on_even))


def _complete(model: Model, odd: OddSites) -> Model:
    """Return the functions of the whole field."""
    restrict = over_batch(odd.sites.restrict)
    odd_log_prob = over_batch(odd.log_prob)

    def with_odd_sites(key: Key, samples: Samples) -> Samples:
        """Complete every x, whatever axes are before those of an event."""
        leading = samples.log_p_u.shape
        flat = samples.x.reshape(-1, *samples.x.shape[len(leading) :])
        keys = jax.random.split(key, len(flat))
        x, log_p = over_batch(odd.draw)(keys, flat)
        log_p = log_p.reshape(leading)
        return samples._replace(
            x=x.reshape(*leading, *x.shape[1:]),
            log_q=samples.log_q + log_p,
            log_p_u=samples.log_p_u + log_p,
        )

    def completed(draw: Callable[[Params, Key, int], Samples]) -> Any:
        def sample(params: Params, key: Key, n: int) -> Samples:
            even_key, odd_key = jax.random.split(key)
            return with_odd_sites(odd_key, draw(params, even_key, n))

        return sample

    def log_prob(params: Params, x: Array, drawn: Samples | None = None) -> Array:
        assert model.log_prob is not None
        log_p = odd_log_prob(x)
        if drawn is not None:
            drawn = drawn._replace(
                x=restrict(drawn.x),
                log_q=drawn.log_q - log_p,
                log_p_u=drawn.log_p_u - log_p,
            )
        log_q = model.log_prob(params, restrict(x), drawn)
        return over_batch(overflow_to_zero)(x, log_q + log_p)

    return model._replace(
        sample=completed(model.sample),
        images=None if model.images is None else completed(model.images),
        log_prob=None if model.log_prob is None else log_prob,
        integrated=None,
        unmodulated=None,
        path_gradient=None,
    )

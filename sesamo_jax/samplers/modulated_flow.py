"""Base, flow and modulation joined into the pure functions of `core.Model`."""

from dataclasses import replace
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from sesamo_jax.bases import build_base
from sesamo_jax.core import (
    Array,
    ContinuousSymmetry,
    FiniteSymmetry,
    Integrated,
    Key,
    Model,
    Params,
    Samples,
    Target,
    Transport,
    as_finite,
)
from sesamo_jax.core.method import Config
from sesamo_jax.flows import EvenSitesConfig, FlowConfig, IntegratedConfig
from sesamo_jax.flows.continuous.integrate import is_adaptive
from sesamo_jax.flows.continuous.particle_flow import IntegratedFlow
from sesamo_jax.flows.coupling.score import CarriesScore
from sesamo_jax.geometry.slices import Slice, shape_before_symmetry
from sesamo_jax.geometry.sublattice import EvenSites
from sesamo_jax.modulation import MAX_ENUMERATED_ORDER, ExactLaw, Law
from sesamo_jax.modulation.discrete.heat_bath import HeatBathLaw
from sesamo_jax.parallel.devices import over_batch
from sesamo_jax.parallel.memory import check_parameters
from sesamo_jax.samplers.events import sample_and_images
from sesamo_jax.samplers.flow_density import FlowDensity
from sesamo_jax.samplers.weighting import leaked, orbit, sum_over_ways
from sesamo_jax.symmetries import Trivial, Wells


def build_flow_model(
    target: Target,
    config: Config,
    law: Law,
    canonical: FiniteSymmetry | None = None,
) -> Model:
    """Return the model of one flow and its modulation.

    Args:
        target: what to sample.
        config: completed; its sections `flow` and `base` are what matters here.
        law: of the modulation; the exact one of the trivial group for none.
        canonical: the group into whose cell the base is mapped, see `canonicalization`.

    Raises:
        ValueError: where the flow does not fit the target, or training its parameters
            the memory.
    """
    dtype = target.dtype
    shape = shape_before_symmetry(target)
    base = build_base(_on_slice(target, shape), config.base)
    unit = base.scale if config.base.whiten else 1.0

    def assemble(bijection: nn.Module) -> Model:
        flow = FlowDensity(base, bijection, unit, canonical)
        model = _assemble_both(flow, law, shape, dtype)
        if not isinstance(law, HeatBathLaw):
            return model
        alone = _assemble_both(flow, ExactLaw(Trivial()), shape, dtype)
        return model._replace(unmodulated=alone)

    def module(flow: FlowConfig, *tolerance: float) -> nn.Module:
        on_even = isinstance(target.geometry, EvenSites)
        if on_even and isinstance(flow, EvenSitesConfig):
            return flow.build_on_even_sites(target.geometry, shape, dtype, *tolerance)
        return flow.build(shape, dtype, *tolerance)

    flow = config.flow
    model = assemble(module(flow))
    check_parameters(model.init)
    if not isinstance(flow, IntegratedConfig):
        return model
    accurate = assemble(module(flow.finer()))
    adaptive = assemble(module(flow, config.evaluation.tolerance))
    assert adaptive.flow_log_prob is not None
    return model._replace(integrated=Integrated(accurate, adaptive.flow_log_prob))


def _on_slice(target: Target, shape: tuple[int, ...]) -> Target:
    """Return the target as a function of y at the identity, for bases to start from."""
    symmetry = target.symmetry
    if not isinstance(target.geometry, Slice) or symmetry is None:
        return target

    def action(y: Array) -> Array:
        return target.action(symmetry.act(jnp.zeros((), y.dtype), y)[0])

    return replace(
        target,
        event_shape=shape,
        action=action,
        observables={},
        measure=None,
        geometry=None,
    )


def _assemble_both(
    flow: FlowDensity, law: Law, shape: tuple[int, ...], dtype: jnp.dtype
) -> Model:
    """Return the model, with its path gradient where the flow carries a score."""
    model = _assemble(flow, law, shape, dtype)
    if flow.canonical is not None or not isinstance(flow.bijection, CarriesScore):
        return model
    carrying = flow.clone(carries_score=True)
    return model._replace(path_gradient=_assemble(carrying, law, shape, dtype))


def _assemble(
    flow: FlowDensity, law: Law, shape: tuple[int, ...], dtype: jnp.dtype
) -> Model:
    """Return the batched functions; each event function below is mapped once."""
    symmetry = law.symmetry
    order = symmetry.order
    listed = order is not None and order <= MAX_ENUMERATED_ORDER
    elements = jnp.arange(order if listed else 0, dtype=jnp.int32)
    has_cell = order != 1 and not isinstance(symmetry, Wells)
    moving = isinstance(flow.bijection, IntegratedFlow)

    # Linen types what `apply` returns as if it always held variables too.
    def flow_apply(params: Params, *args: Any, method: str) -> Any:
        return flow.apply(params["flow"], *args, method=method)

    def law_apply(params: Params, *args: Array, method: str = "__call__") -> Any:
        return law.apply(params["modulation"], *args, method=method)

    def init(key: Key) -> Params:
        flow_key, law_key = jax.random.split(key)
        event = jnp.zeros(shape, dtype)
        return {
            "flow": flow.init(flow_key, event, method="draw"),
            "modulation": law.init(law_key, law_key, event),
        }

    def pick(params: Params, key: Key, y: Array, sector: Array) -> tuple[Array, Array]:
        if flow.canonical is not None:  # C^-1 undoes what C did to this very sample
            return sector, law_apply(params, y, method="log_probs")[sector]
        return law_apply(params, key, y)

    def draw(params: Params, noise: Array, key: Key) -> Samples:
        y, log_flow, sector = flow_apply(params, noise, method="draw")
        u, log_p = pick(params, key, y, sector)
        x, log_vol = symmetry.act(u, y)
        log_p_u = log_p - log_vol
        return Samples(x, log_flow + log_p_u, y, u, log_p_u)

    def draw_images(params: Params, noise: Array) -> Samples:
        y, log_flow, _ = flow_apply(params, noise, method="draw")
        log_p = law_apply(params, y, method="log_probs")
        x, log_vol = jax.vmap(lambda u: symmetry.act(u, y))(elements)
        log_p_u = log_p - log_vol
        return Samples(x, log_flow + log_p_u, y, elements, log_p_u)

    def prior_event(params: Params, noise: Array) -> Array:
        return flow_apply(params, noise, method="from_base")

    def prior(params: Params, key: Key, n: int) -> Array:
        noise = jax.random.normal(key, (n, *shape), dtype)
        return over_batch(prior_event, (None, 0))(params, noise)

    def velocity(params: Params, t: Array, y: Array) -> Array:
        return over_batch(velocity_event, (None, 0, 0))(params, t, y)

    def velocity_event(params: Params, t: Array, y: Array) -> Array:
        return flow_apply(params, t, y, method="velocity")

    def flow_log_prob_event(
        params: Params, y: Array, drawn: Array | bool = False
    ) -> Array:
        return flow_apply(params, y, drawn, method="log_prob")

    def flow_log_prob(params: Params, y: Array, drawn: bool = False) -> Array:
        event = partial(flow_log_prob_event, drawn=drawn)
        return over_batch(event, (None, 0))(params, y)

    def ways_on_slice(
        params: Params, x: Array, drawn: Samples | None
    ) -> tuple[Array, Array]:
        assert isinstance(symmetry, ContinuousSymmetry)  # `build_law` refuses others
        ways = symmetry.ways(x)

        def way(u: Array) -> Array:
            y = symmetry.undo(u, x)
            log_p = law_apply(params, u, y, method="log_prob")
            return flow_log_prob_event(params, y) + log_p - symmetry.act(u, y)[1]

        u = ways[0] if drawn is None else drawn.u
        return jax.vmap(way)(ways), symmetry.agree(ways, u)

    def ways_on_orbit(
        params: Params, x: Array, drawn: Samples | None
    ) -> tuple[Array, Array]:
        def log_probs_into(x: Array) -> Array:
            return law_apply(params, x, method="log_probs_into")

        flow_density = partial(flow_log_prob_event, params)
        return orbit(x, as_finite(symmetry), flow_density, log_probs_into, drawn)

    log_prob = None
    if listed or order is None:
        log_prob = sum_over_ways(
            ways_on_orbit if listed else ways_on_slice, is_adaptive(flow.bijection)
        )
    sample, images = sample_and_images(draw, draw_images, shape, dtype)
    return Model(
        init=init,
        sample=sample,
        images=images if listed else None,
        flow_log_prob=flow_log_prob,
        log_prob=log_prob,
        margins=over_batch(symmetry.margins),
        leaked=over_batch(partial(leaked, symmetry)) if has_cell else None,
        transport=Transport(prior, velocity) if moving else None,
    )

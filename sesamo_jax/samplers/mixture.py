"""VMoNF, a baseline without symmetry: a mixture of flows of one base sample.

z ~ q_0, c ~ p(c | z) from a network, x = g_c(z). The density of x sums over the ways to
reach it,

    q(x) = sum_c q(x, c),  q(x, c) = q_0(z_c) p(c | z_c) |det dg_c/dz|^-1, x = g_c(z_c).

That of x and c together stands beside a target of both, p(x) / K: its weights estimate
the same Z, and its KL divergence is that of x plus the mean of KL(q(c | x) | 1/K), a
bound, whose gradient needs no inverse of a flow. Without the log K it would be none.
The bound is tight where every component covers the whole target, and log K above where
each has a part of its own.

The name is that of Pires and Figueiredo 2020, who fit such mixtures to data; components
that share z, with p(c | z), are those of the SESaMo authors' package.
"""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from sesamo_jax.bases import build_base, complete_base
from sesamo_jax.core import Array, Key, Model, Params, Samples, Target
from sesamo_jax.core.bounds import size
from sesamo_jax.core.method import Config, Method
from sesamo_jax.flows import IntegratedConfig
from sesamo_jax.flows.coupling.conditioner import MLP
from sesamo_jax.objectives import OBJECTIVES
from sesamo_jax.parallel.memory import check_parameters
from sesamo_jax.samplers.events import sample_and_images
from sesamo_jax.samplers.sizes import check_base, check_batches
from sesamo_jax.samplers.symmetry_checks import check_slice, check_whole_space
from sesamo_jax.samplers.weighting import overflow_to_zero, sum_over_ways

OWN_DENSITIES = ("marginal", "augmented")


@dataclass(frozen=True)
class VMoNFConfig:
    """The mixture of flows, for the method of that name; `flow` sizes each of them.

    Attributes:
        components: flows in the mixture, K.
        width: neurons per hidden layer of the network that chooses among them.
        layers: its hidden-to-hidden layers, counted as N_L of a flow.
    """

    components: int = size(4, most=10_000)
    width: int = size(40, most=100_000)
    layers: int = size(1, least=0, most=1000)


def build_mixture(target: Target, config: Config) -> Model:
    """Return the mixture of flows of a completed configuration.

    Its params["flow"] holds the base and all components, stacked along a leading axis,
    params["modulation"] the network. Samples carry log q(x, c) + log K; `log_prob` is
    the density of x.

    Args:
        target: what to sample.
        config: sections `flow`, of every component, `base` and `vmonf`.

    Raises:
        ValueError: where the flow does not fit the target, or training its parameters
            the memory.
    """
    settings, shape, dtype = config.vmonf, target.event_shape, target.dtype
    count = settings.components
    base = build_base(target, config.base)
    unit = base.scale if config.base.whiten else 1.0
    flow = config.flow.build(shape, dtype)
    # Random from the start, so that each component has a region of z of its own.
    network = MLP(
        settings.width, settings.layers, count, initialization="paper", dtype=dtype
    )
    log_count = jnp.log(jnp.asarray(count, dtype))

    def init(key: Key) -> Params:
        base_key, flow_key, network_key = jax.random.split(key, 3)
        event = jnp.zeros(shape, dtype)

        def init_component(key: Key) -> Params:
            return flow.init(key, event, method="forward_and_log_det")

        return {
            "flow": {
                "base": base.init(base_key, event, method="from_noise"),
                "components": jax.vmap(init_component)(
                    jax.random.split(flow_key, count)
                ),
            },
            "modulation": network.init(network_key, event.ravel()),
        }

    # Linen types what `apply` returns as if it always held variables too.
    def base_apply(params: Params, *args: Array, method: str) -> Any:
        return base.apply(params["flow"]["base"], *args, method=method)

    def apply_each(params: Params, event: Array, method: str) -> Any:
        def apply(component: Params) -> Any:
            return flow.apply(component, event, method=method)

        return jax.vmap(apply)(params["flow"]["components"])

    def log_shares(params: Params, z: Array) -> Array:
        """Return log p(c | z) of all components, (K,)."""
        logits: Any = network.apply(params["modulation"], z.ravel() / unit)
        return jax.nn.log_softmax(logits)

    def draw_images(params: Params, noise: Array) -> Samples:
        z, log_base = base_apply(params, noise, method="from_noise")
        x, log_det = apply_each(params, z / unit, "forward_and_log_det")
        log_p = log_shares(params, z)
        log_q = log_base + log_p - log_det + log_count
        return Samples(unit * x, log_q, z, jnp.arange(count, dtype=jnp.int32), log_p)

    def draw(params: Params, noise: Array, key: Key) -> Samples:
        every = draw_images(params, noise)
        c = jax.random.categorical(key, every.log_p_u)
        x, log_q, log_p = every.x[c], every.log_q[c], every.log_p_u[c]
        return Samples(x, log_q, every.y, every.u[c], log_p)

    def ways(params: Params, x: Array, drawn: Samples | None) -> tuple[Array, Array]:
        z, log_det = apply_each(params, x / unit, "inverse_and_log_det")
        z = unit * z
        log_base = jax.vmap(lambda z: base_apply(params, z, method="log_prob"))(z)
        log_p = jax.vmap(lambda z: log_shares(params, z))(z)
        every = log_base + log_det + jnp.diagonal(log_p)
        every = overflow_to_zero(x, every)
        return every, jnp.arange(count) == (0 if drawn is None else drawn.u)

    summed = sum_over_ways(ways, adaptive=False)

    def log_prob(params: Params, x: Array, drawn: Samples | None = None) -> Array:
        if drawn is not None:
            drawn = drawn._replace(log_q=drawn.log_q - log_count)
        return summed(params, x, drawn)

    check_parameters(init)
    sample, images = sample_and_images(draw, draw_images, shape, dtype)
    return Model(
        init=init,
        sample=sample,
        images=images,
        flow_log_prob=None,
        log_prob=log_prob,
        margins=lambda z: jnp.zeros((len(z), 0), z.dtype),
    )


def _complete(config: Config, target: Target) -> Config:
    """Fill what depends on the target, and check densities and objectives."""
    check_whole_space(config, target)
    check_slice(config, target, continuous=False)
    if isinstance(config.flow, IntegratedConfig):
        raise ValueError(
            "method 'vmonf' mixes flows made of couplings, not continuous ones: use "
            "flow.name=realnvp"
        )
    training, density = config.training, config.density or "marginal"
    name = training.objective or "rao_blackwell"
    objective = OBJECTIVES[name]
    default = "marginal" if objective.is_likelihood else "augmented"
    accounting = training.density or default
    for field, value in (("density", density), ("training.density", accounting)):
        if value not in OWN_DENSITIES:
            raise ValueError(
                f"{field} {value!r} is that of a modulated flow: use 'marginal' or "
                "'augmented' for method 'vmonf'"
            )
    if not (objective.sums_over_images or objective.is_likelihood):
        raise ValueError(
            f"objective {name!r} draws a component where method 'vmonf' "
            "sums over all of them: use 'rao_blackwell'"
        )
    if objective.is_likelihood and training.likelihood_share != 1:
        raise ValueError(
            f"training.likelihood_share={training.likelihood_share} mixes with the "
            "reverse KL of one flow, which method 'vmonf' is not: use 1"
        )
    gradient = training.gradient or ("path" if accounting == "marginal" else "total")
    if gradient == "path" and accounting == "augmented":
        raise ValueError(
            "the path gradient needs the density of x alone: use gradient 'total', or "
            "set training.density to 'marginal'"
        )
    training = replace(training, objective=name, gradient=gradient, density=accounting)
    base = complete_base(config.base, target)
    return replace(config, training=training, base=base, density=density)


def _check_sizes(config: Config, target: Target) -> None:
    """Raise ValueError if batches of all components do not fit."""
    check_base(config, target)
    count = int(config.vmonf.components)
    check_batches(config, target, count, count, also=" or vmonf.components")


VMONF = Method(
    _complete, build_mixture, _check_sizes, uses=("flow", "base", "vmonf", "density")
)

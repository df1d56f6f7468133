"""What samplers are: pure functions of parameters, keys and batches of events."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from sesamo_jax.core.target import Target
from sesamo_jax.core.types import Array, Key, Params


class Bijection(Protocol):
    """An invertible map of one event; `forward` is the sampling direction.

    The method names are distrax's, so distrax bijectors satisfy this protocol.
    """

    def forward_and_log_det(self, z: Array) -> tuple[Array, Array]:
        """Return y = g(z) and log|det dy/dz|."""
        ...

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """Return z = g^-1(y) and log|det dz/dy|."""
        ...


class Samples(NamedTuple):
    """What a model draws, n events at a time.

    Attributes:
        x: configurations, (n, *event_shape).
        log_q: log density of x in cell accounting (eq. 15), log q~(y) + log_p_u, (n,);
            of worldlines an estimate, without bias of 1 / q; of a mixture of flows
            log q(x, u) + log K.
        y: the flow's output before modulation, (n, *event_shape); of a mixture z.
        u: group element with x = T_u y, (n,); of worldlines, the signs of the moments
            before all events, (n, N_x); of a mixture the component.
        log_p_u: log p_S(u | y) less the log volume factor of T_u, (n,); of a mixture
            log p(u | z).
    """

    x: Array
    log_q: Array
    y: Array
    u: Array
    log_p_u: Array


class Integrated(NamedTuple):
    """A flow in the steps of reports, and in those that their error is measured by.

    Attributes:
        accurate: the `Model` for reports.
        adaptive_log_prob: its `flow_log_prob` by an adaptive integrator.
    """

    accurate: "Model"
    adaptive_log_prob: Callable[..., Array]


class Transport(NamedTuple):
    """The way of a flow of particles from its base.

    Attributes:
        prior: `(params, key, n) -> (n, *event_shape)`, samples of the base.
        velocity: `(params, t, y) -> (n, *event_shape)`, the rate y' at times t, (n,).
    """

    prior: Callable[[Params, Key, int], Array]
    velocity: Callable[[Params, Array, Array], Array]


class Marginal(NamedTuple):
    """The part of a model that is trained, where the rest has its exact conditional.

    Attributes:
        model: of some components of x.
        target: of them.
    """

    model: "Model"
    target: Target


class Model(NamedTuple):
    """A sampler as pure functions; params = {"flow": ..., "modulation": ...}.

    Those of `build_model` raise ValueError for events of another shape than (n, ...)
    below, and for an n that is no positive integer.

    Worldlines have none of the two: no densities but those of their own samples. The
    modulation of a mixture of flows is the network that chooses among them.

    Attributes:
        init: `key -> params`.
        sample: `(params, key, n) -> Samples`.
        images: `(params, key, n) -> Samples`, where x, log_q, u and log_p_u carry a
            second axis of length |G|: every image T_u y of each y, for sums over u; of
            a mixture, of length K. None for a continuous group.
        flow_log_prob: `(params, y, drawn=False) -> (n,)`, log q~(y), the flow before
            modulation; `drawn` where y is known to be of its samples, which rounding
            may have put outside of a canonicalized base. None without one flow.
        log_prob: `(params, x, drawn=None) -> (n,)`, the exact normalised log density at
            any x; where x are those of samples, `drawn`, their own way counts as drawn.
            -inf where x is so far away that arithmetic overflows; NaN only where an
            adaptive integration has failed. None where it is not known.
        margins: `y -> (n, borders)`, < 0 inside the cell, for the penalty.
        leaked: `y -> (n,)`, whether y lies outside the cell; None without a cell.
        integrated: of a flow that is integrated in the coarse steps of training, the
            same in finer ones; None for others.
        unmodulated: the flow alone, where the law makes exp(-f(x)) / p_S(u | y) the
            same for every u, so that training needs none; see `fold` of the heat bath.
        path_gradient: the same model, where log q of its samples is differentiated at
            fixed flow parameters, through y alone; None where that takes a second pass
            of the flow, by `flow_log_prob`.
        transport: of a flow of particles, the way from its base; None for others.
        marginal: what is trained, where that is not all of x: y, `margins`, `leaked`
            and `flow_log_prob` are its own, and log_p_u has the density of the rest
            of x too; None for others.
    """

    init: Callable[[Key], Params]
    sample: Callable[[Params, Key, int], Samples]
    images: Callable[[Params, Key, int], Samples] | None
    flow_log_prob: Callable[..., Array] | None
    log_prob: Callable[..., Array] | None
    margins: Callable[[Array], Array]
    leaked: Callable[[Array], Array] | None = None
    integrated: Integrated | None = None
    unmodulated: "Model | None" = None
    path_gradient: "Model | None" = None
    transport: Transport | None = None
    marginal: Marginal | None = None

"""The score of a flow's density, carried along as samples are drawn.

For y = g(z), z ~ q_0, the score d log q(y) / dy follows from that of q_0 by a recursion
over the couplings (Vaitl et al. 2022, 2024): of a coupling from z to y,

    score_y = d/dy [score_z . z(y) - log|det dy/dz|]

at fixed score_z. The path gradient then needs no second pass of the flow.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import flax.linen as nn
import jax
import jax.numpy as jnp

from sesamo_jax.core import Array

# s and t of a coupling from what they depend on.
ScaleAndShift = Callable[[Any, Array], tuple[Array, Array]]


@runtime_checkable
class CarriesScore(Protocol):
    """A bijection, or one coupling of it, that carries the score along."""

    def forward_with_score(
        self, z: Array, score_z: Array
    ) -> tuple[Array, Array, Array]:
        """Return y, log|det dy/dz| and the score of y's density from that of z's."""
        ...


@jax.custom_jvp
def with_score(log_q: Array, y: Array, score: Array) -> Array:
    """Return log q, with `score` as its derivative by y and no other."""
    return log_q


@with_score.defjvp
def _with_score_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    log_q, _, score = primals
    return log_q, jnp.sum(score * tangents[1])


def forward(
    chain: Sequence[nn.Module], z: Array, score: Array
) -> tuple[Array, Array, Array]:
    """Apply couplings in order to one event.

    Args:
        chain: couplings; those that do not carry it take an inverse pass.
        z: where to start.
        score: that of the density of z.

    Returns:
        y, the sum of the log-determinants, and the score of the density of y.
    """
    log_det = jnp.zeros((), z.dtype)
    for coupling in chain:
        if isinstance(coupling, CarriesScore):
            z, added, score = coupling.forward_with_score(z, score)
        else:
            z, added, score = _through_inverse(coupling, z, score)
        log_det = log_det + added
    return z, log_det, score


def _through_inverse(
    coupling: Any, z: Array, score: Array
) -> tuple[Array, Array, Array]:
    y, log_det = coupling.forward_and_log_det(z)
    _, pull = nn.vjp(
        lambda coupling, y: coupling.inverse_and_log_det(y),
        coupling,
        jax.lax.stop_gradient(y),
        vjp_variables=False,
    )
    _, score = pull((jax.lax.stop_gradient(score), jnp.ones_like(log_det)))
    return y, log_det, jax.lax.stop_gradient(score)


def affine(
    coupling: nn.Module,
    scale_and_shift: ScaleAndShift,
    active: Array,
    passive: Array,
    score: Array,
) -> tuple[Array, Array, Array, Array]:
    """Apply y = z exp(s) + t with s and t of other components, which stay.

    s and t are evaluated once for y and its score together.

    Args:
        coupling: the module whose parameters they take.
        scale_and_shift: `(coupling, passive) -> (s, t)`.
        active: z.
        passive: what s and t depend on.
        score: by the active components.

    Returns:
        y, sum s, the score by y, and what is to be added to that by `passive`.
    """
    (log_scale, shift), pull = nn.vjp(
        scale_and_shift, coupling, passive, vjp_variables=False
    )
    z, s, score = jax.lax.stop_gradient((active, log_scale, score))
    scaled = score * jnp.exp(-s)
    _, added = pull((-score * z - 1, -scaled))
    y = active * jnp.exp(log_scale) + shift
    return y, jnp.sum(log_scale), scaled, jax.lax.stop_gradient(added)

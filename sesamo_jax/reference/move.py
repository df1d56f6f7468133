"""What a move of Markov chains is."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from sesamo_jax.core import Array, Key

Action = Callable[[Array], Array]
Observe = Callable[[Array], Any]
Step = Callable[[Key, Array, Action, Observe], tuple[Array, Array, Any]]


class Move(NamedTuple):
    """A move of one configuration.

    Attributes:
        name: what reports call it.
        step: `(key, x, action, observe) -> (x, rate, observed)`, with the probability
            of acceptance, and the observables there: where the orbit is listed their
            mean over it with p(u | x), of less variance than their value at one x.
        calls: evaluations of the action that it takes.
    """

    name: str
    step: Step
    calls: int


def nothing(x: Array) -> dict[str, Array]:
    """Observe nothing."""
    return {}


def accept(key: Key, x: Array, there: Array, log_ratio: Array) -> tuple[Array, Array]:
    """Return where a proposal leads, and the probability that it is accepted.

    One whose ratio is no number is refused.
    """
    rate = jnp.exp(jnp.minimum(jnp.nan_to_num(log_ratio, nan=-jnp.inf), 0.0))
    accepted = jax.random.uniform(key, (), x.dtype) < rate
    return jnp.where(accepted, there, x), rate

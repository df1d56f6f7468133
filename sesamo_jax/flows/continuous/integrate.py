"""Integrating x' = v(x, t) and the log-determinant's rate div v, for one event."""

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array

Velocity = Callable[[Array, Array], tuple[Array, Array]]
"""(t, x) -> (v, div v)."""

MAX_ADAPTIVE_STEPS = 4096
UNROLLED_STEPS = 10


def is_adaptive(flow: Any) -> bool:
    """Return whether a flow is integrated to a tolerance; its NaN means failed."""
    return getattr(flow, "tolerance", 0) > 0


class Method(NamedTuple):
    """An explicit Runge-Kutta method.

    Attributes:
        times: c_2, c_3, ... of the velocities after the first, in units of a step.
        stages: a_ij, the weights of all earlier velocities for each of them.
        shares: b_j, the weights of the velocities in the step.
    """

    times: np.ndarray
    stages: tuple[np.ndarray, ...]
    shares: np.ndarray


# Dormand and Prince 1980, of fifth order, without the seventh velocity, which serves
# error estimates. At equal cost its error is a tenth of the classical fourth order's,
# and training exploits what error there is.
FIFTH_ORDER = Method(
    diffrax.Dopri5.tableau.c,
    diffrax.Dopri5.tableau.a_lower,
    diffrax.Dopri5.tableau.b_sol[:-1],
)
CLASSICAL = Method(
    np.array([1 / 2, 1 / 2, 1]),
    (np.array([1 / 2]), np.array([0, 1 / 2]), np.array([0, 0, 1])),
    np.array([1, 2, 2, 1]) / 6,
)


def runge_kutta(
    velocity: Callable[[Any, Array], tuple[Array, Array]],
    x: Array,
    start: float,
    end: float,
    steps: int,
    method: Method = FIFTH_ORDER,
    prepare: Callable[[Array], Any] | None = None,
) -> tuple[Array, Array]:
    """Integrate from `start` to `end` in equal steps.

    Differentiating it differentiates the discrete map that it is. As few steps as
    training takes are unrolled: XLA's CPU programs for the gradient of a loop are twice
    as slow.

    Args:
        velocity: (t, x) -> (v, div v), or of what `prepare` makes of t.
        x: starting point.
        start: time there.
        end: time to stop at.
        steps: their number.
        method: its coefficients.
        prepare: what a velocity needs of a time, made for all times at once.

    Returns:
        The end point and the integral of div v.
    """
    step_size = (end - start) / steps
    shares = method.shares * step_size
    stages = [np.asarray(row) * step_size for row in method.stages]
    within = np.array([0.0, *method.times])
    times = start + step_size * (np.arange(steps)[:, None] + within)
    prepared: Any = jnp.asarray(times, x.dtype)
    if prepare is not None:
        prepared = jax.vmap(jax.vmap(prepare))(prepared)

    def step(carry: tuple[Array, Array], prepared: Any) -> tuple[Any, None]:
        x, log_det = carry
        slopes: list[Array] = []
        rates: list[Array] = []
        for stage in range(shares.size):
            at = x + _combine(stages[stage - 1], slopes) if stage else x
            then = jax.tree.map(operator.itemgetter(stage), prepared)
            v, rate = velocity(then, at)
            slopes.append(v)
            rates.append(rate)
        return (x + _combine(shares, slopes), log_det + _combine(shares, rates)), None

    start_state = (x, jnp.zeros((), x.dtype))
    return jax.lax.scan(step, start_state, prepared, unroll=steps <= UNROLLED_STEPS)[0]


def _combine(weights: np.ndarray, values: list[Array]) -> Array:
    pairs = zip(weights.tolist(), values, strict=True)
    return reduce(jnp.add, [weight * value for weight, value in pairs if weight])


def adaptive(
    velocity: Velocity, x: Array, start: float, end: float, tolerance: float
) -> tuple[Array, Array]:
    """Integrate from `start` to `end` by Dormand-Prince with step-size control.

    Differentiating it solves the adjoint equation backwards in time, to the same
    tolerance: first optimise, then discretise. Memory does not grow with the steps.

    Args:
        velocity: the field and its divergence.
        x: starting point.
        start: time there.
        end: time to stop at, before or after `start`.
        tolerance: relative and absolute, per component and step.

    Returns:
        The end point and the integral of div v; NaN, as is their gradient, where the
        tolerance takes more than `MAX_ADAPTIVE_STEPS`.
    """
    solution = solve(velocity, x, start, end, tolerance)
    assert solution.ys is not None  # diffrax saves the end
    end_point, log_det = solution.ys
    failed = solution.result != diffrax.RESULTS.successful
    mark = jnp.where(failed, jnp.nan, 1).astype(x.dtype)
    return mark * end_point[0], mark * log_det[0]


def solve(
    velocity: Velocity, x: Array, start: float, end: float, tolerance: float
) -> diffrax.Solution:
    """Return diffrax's account of `adaptive`, with the number of its steps."""
    # Times of another type would make x and all else of theirs.
    first, last = jnp.asarray([start, end], x.dtype)
    # The adjoint equation needs what the velocity closes over as arguments.
    field, constants = jax.closure_convert(velocity, first, x)

    def rate(t: Any, state: Any, constants: Any) -> tuple[Array, Array]:
        return field(t, state[0], *constants)

    return diffrax.diffeqsolve(
        diffrax.ODETerm(rate),
        diffrax.Dopri5(),
        t0=first,
        t1=last,
        dt0=None,
        y0=(x, jnp.zeros((), x.dtype)),
        args=constants,
        stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
        adjoint=diffrax.BacksolveAdjoint(),
        max_steps=MAX_ADAPTIVE_STEPS,
        throw=False,
    )

"""Integrating x' = v(x, t) and the log-determinant's rate div v, for one event."""

from collections.abc import Callable
from typing import Any

import diffrax
import jax
import jax.numpy as jnp

from sesamo_jax.core import Array

Velocity = Callable[[Array, Array], tuple[Array, Array]]
"""(t, x) -> (v, div v)."""

MAX_ADAPTIVE_STEPS = 4096
UNROLLED_STEPS = 16


def runge_kutta(
    velocity: Velocity, x: Array, start: float, end: float, steps: int
) -> tuple[Array, Array]:
    """Integrate from `start` to `end` in equal steps of the classical fourth order.

    Differentiating it differentiates the discrete map that it is. As few steps as
    training takes are unrolled: XLA's CPU programs for the gradient of a loop are twice
    as slow.

    Returns:
        The end point and the integral of div v.
    """
    width = (end - start) / steps

    def step(carry: tuple[Array, Array], index: Array) -> tuple[Any, None]:
        x, log_det = carry
        t = start + index * width
        v1, rate1 = velocity(t, x)
        v2, rate2 = velocity(t + width / 2, x + width / 2 * v1)
        v3, rate3 = velocity(t + width / 2, x + width / 2 * v2)
        v4, rate4 = velocity(t + width, x + width * v3)
        x = x + width / 6 * (v1 + 2 * v2 + 2 * v3 + v4)
        log_det = log_det + width / 6 * (rate1 + 2 * rate2 + 2 * rate3 + rate4)
        return (x, log_det), None

    indices = jnp.arange(steps, dtype=x.dtype)
    start_state = (x, jnp.zeros((), x.dtype))
    return jax.lax.scan(step, start_state, indices, unroll=steps <= UNROLLED_STEPS)[0]


def adaptive(
    velocity: Velocity, x: Array, start: float, end: float, tolerance: float
) -> tuple[Array, Array]:
    """Integrate from `start` to `end` by Dormand-Prince with step-size control.

    Args:
        velocity: the field and its divergence.
        x: starting point.
        start: time there.
        end: time to stop at, before or after `start`.
        tolerance: relative and absolute, per component and step.

    Returns:
        The end point and the integral of div v.

    Raises:
        RuntimeError: if it takes more than `MAX_ADAPTIVE_STEPS`.
    """

    def rate(t: Any, state: Any, _: Any) -> tuple[Array, Array]:
        return velocity(t, state[0])

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(rate),
        diffrax.Dopri5(),
        t0=start,
        t1=end,
        dt0=None,
        y0=(x, jnp.zeros((), x.dtype)),
        stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
        max_steps=MAX_ADAPTIVE_STEPS,
    )
    end_point, log_det = solution.ys
    return end_point[0], log_det[0]

"""Whether a target is one: its action, observables, and what it says is exact."""

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.checks.points import first, random_points, show
from sesamo_jax.core import Array, Target

DRAWS, SIGMAS = 4000, 6.0


def check_target(target: Target) -> None:
    """Raise ValueError unless a target's functions agree with each other.

    At a few points the action is a number or +inf, and its gradient and the observables
    are numbers where it is finite. Exact samples have the event's shape and type, and
    under them the mean of every component of the gradient of f is 0 within its
    error, as it is under exp(-f) (Stein's identity).

    Raises:
        ValueError: one sentence, with the point.
    """
    check_action_at_points(target)
    _check_what_follows(target)
    if target.sample is not None:
        _check_samples(target)


def check_action_at_points(target: Target) -> None:
    """Raise ValueError for an action that is no number, or -inf, somewhere."""
    x = random_points(target)
    value = np.asarray(jax.jit(jax.vmap(target.action))(x))
    _fail(target, np.isnan(value) | np.isneginf(value), "the action is", value, x)


def _check_what_follows(target: Target) -> None:
    """Raise ValueError for a gradient or observables that are no numbers."""
    x = random_points(target)

    @jax.jit
    def evaluate(x: Array) -> tuple[Array, dict[str, Array]]:
        value, slope = jax.vmap(jax.value_and_grad(target.action))(x)
        observed = jax.vmap(target.observe)(x)
        named = {f"observable {name!r} is": found for name, found in observed.items()}
        return value, {"the gradient of the action is": slope, **named}

    value, found = jax.device_get(evaluate(x))
    for what, values in found.items():
        sums = np.array([np.sum(v, dtype=np.float64) for v in values])
        _fail(target, np.isfinite(value) & ~np.isfinite(sums), what, sums, x)


def _fail(
    target: Target, wrong: np.ndarray, what: str, values: np.ndarray, x: Array
) -> None:
    at = first(wrong)
    if at is not None:
        raise ValueError(
            f"target {target.name!r}: {what} {values[at]} at {show(x[at])}: it must be "
            "a number there, and an action where exp(-f) vanishes +inf"
        )


def _check_samples(target: Target) -> None:
    assert target.sample is not None
    x = target.sample(jax.random.key(0), DRAWS)
    if x.shape != (DRAWS, *target.event_shape) or x.dtype != jnp.dtype(target.dtype):
        raise ValueError(
            f"target {target.name!r}: {DRAWS} exact samples have shape {x.shape} and "
            f"type {x.dtype}: they must be {(DRAWS, *target.event_shape)} of "
            f"{jnp.dtype(target.dtype)}"
        )
    slopes = np.asarray(jax.jit(jax.vmap(jax.grad(target.action)))(x), np.float64)
    slopes = slopes.reshape(DRAWS, -1)
    error = slopes.std(axis=0, ddof=1) / DRAWS**0.5
    with np.errstate(invalid="ignore", divide="ignore"):
        pulls = np.nan_to_num(np.abs(slopes.mean(axis=0)) / error)
    worst = int(np.argmax(pulls))
    if pulls[worst] > SIGMAS:
        raise ValueError(
            f"target {target.name!r}: its exact samples are not those of exp(-f): the "
            f"mean of df/dx over them, 0 for those, is {pulls[worst]:.0f} sigma off in "
            f"component {worst}"
        )

"""Checks of what users hand over: functions of one event, and arrays of events.

Shapes are known before anything is compiled, from tracers as from arrays.
"""

from collections.abc import Callable, Mapping
from operator import index
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

NOT_TRACEABLE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)


def check_action(
    name: str, shape: tuple[int, ...], dtype: Any, action: Callable
) -> None:
    """Raise ValueError unless an action takes an event to a real floating scalar.

    Args:
        name: of the target.
        shape: of one event.
        dtype: of one event.
        action: f.
    """
    found = _result(f"target {name!r}: action", shape, dtype, action)
    array = isinstance(found, jax.ShapeDtypeStruct)
    if array and found.shape == () and jnp.issubdtype(found.dtype, jnp.floating):
        return
    raise ValueError(
        f"target {name!r}: action takes an event of shape {shape} to "
        f"{_describe(found)}, and must return one real floating number, such as "
        "jnp.sum(...) of all terms"
    )


def check_observables(
    name: str,
    shape: tuple[int, ...],
    dtype: Any,
    observe: Callable[[Any], Mapping[str, Any]],
) -> None:
    """Raise ValueError unless all observables of an event are real arrays.

    Args:
        name: of the target.
        shape: of one event.
        dtype: of one event.
        observe: from an event to observables by name.
    """
    found = _result(f"target {name!r}: an observable", shape, dtype, observe)
    for key, value in found.items():
        array = isinstance(value, jax.ShapeDtypeStruct)
        if not array or jnp.issubdtype(value.dtype, jnp.complexfloating):
            raise ValueError(
                f"target {name!r}: observable {key!r} takes an event of shape {shape} "
                f"to {_describe(value)}, and must return a real number or array: "
                "join parts by jnp.stack, or name each"
            )


def check_events(function: str, events: Any, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless events have the shape (n, *shape)."""
    found = np.shape(events)
    if len(found) != len(shape) + 1 or found[1:] != shape:
        wanted = ", ".join(map(str, ("n", *shape)))
        raise ValueError(
            f"{function} takes n events of shape {shape}, an array of shape "
            f"({wanted}), got {found}"
        )


def check_count(function: str, n: Any) -> None:
    """Raise ValueError unless n is a positive integer."""
    try:
        positive = not isinstance(n, bool) and index(n) > 0
    except TypeError:
        positive = False
    if not positive:
        raise ValueError(f"{function} draws n={n!r} events: n must be an integer >= 1")


def _result(what: str, shape: tuple[int, ...], dtype: Any, function: Callable) -> Any:
    """Return the shapes and types that a function of one event returns."""
    try:
        return jax.eval_shape(function, jax.ShapeDtypeStruct(shape, dtype))
    except NOT_TRACEABLE as error:
        raise ValueError(
            f"{what} needs the values of an event, which JAX does not know while it "
            "compiles: use jnp.where in place of if, and jax.numpy in place of numpy"
        ) from error


def _describe(found: Any) -> str:
    if isinstance(found, jax.ShapeDtypeStruct):
        return f"shape {found.shape} of type {found.dtype}"
    return f"a {type(found).__name__}"

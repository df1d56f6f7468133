"""What flows ask of their sizes, and of the events they are built for."""

from math import inf
from typing import Any


def require_positive(sizes: Any, *fields: str) -> None:
    """Raise ValueError unless these fields of a flow are positive and finite."""
    for field in fields:
        value = getattr(sizes, field)
        if not 0 < value < inf:
            raise ValueError(f"flow.{field}={value} must be positive and finite")


def require_particles(flow: str, event_shape: tuple[int, ...]) -> None:
    """Raise ValueError unless events have the shape of particles' coordinates."""
    if len(event_shape) != 2:
        raise ValueError(
            f"flow {flow!r} moves particles, whose events have the shape (N - 1, D), "
            f"got {event_shape}"
        )

"""What flows ask of their sizes, and of the events they are built for."""

MOST_LAYERS = 1000  # each is traced by itself
MOST_NUMBERS = 100_000  # side by side in one layer


def require_particles(flow: str, event_shape: tuple[int, ...]) -> None:
    """Raise ValueError unless events have the shape of particles' coordinates."""
    if len(event_shape) != 2:
        raise ValueError(
            f"flow {flow!r} moves particles, whose events have the shape (N - 1, D), "
            f"got {event_shape}"
        )

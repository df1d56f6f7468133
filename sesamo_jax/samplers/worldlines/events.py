"""What can happen to two neighbours of opposite sign in imaginary time.

Time is a circle of B blocks, and an event an interval of them: of kind 0, an exchange,
which flips both signs, or of kind 1, a virtual hop, which leaves one site empty and the
other one full, with moments 0. Event 0 is none, and 1 + (kind B + a) B + b is the
interval from block a to before block b.
"""

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Key


def lengths(blocks: int) -> np.ndarray:
    """Return the length of every interval, (B, B); 0 for none."""
    times = np.arange(blocks)
    return (times[None, :] - times[:, None]) % blocks


def allowed(blocks: int) -> np.ndarray:
    """Return which intervals the two kinds of events may have, (2, B, B).

    No exchange holds the first block: signs there are those that a worldline starts
    from, and an interval's complement, with the signs flipped, would be the same
    worldline. Hops last at most half the circle.
    """
    length = lengths(blocks)
    start = np.arange(blocks)[:, None]
    exchange = (length > 0) & (start > 0) & (start + length <= blocks)
    return np.stack([exchange, (length > 0) & (length <= blocks // 2)])


def interval_sums(values: Array) -> Array:
    """Return the sum over every interval of one value per block, (B, B)."""
    before = jnp.cumsum(values) - values
    total = before[-1] + values[-1]
    blocks = len(values)
    wraps = np.arange(blocks)[None, :] < np.arange(blocks)[:, None]
    return before[None, :] - before[:, None] + jnp.where(wraps, total, 0.0)


def factors(event: Array, blocks: int) -> Array:
    """Return what an event multiplies the moments of both sites by, (B,)."""
    kind, interval = jnp.divmod(event - 1, blocks**2)
    start, end = jnp.divmod(interval, blocks)
    after = (jnp.arange(blocks) - start) % blocks
    inside = (event > 0) & (after < (end - start) % blocks)
    return jnp.where(inside, jnp.where(kind == 0, -1.0, 0.0), 1.0)


def log_probability(event: Array, log_none: Array, log_odds: Array) -> Array:
    """Return the log probability of an event at given log odds, (2, B, B)."""
    total = jnp.logaddexp(log_none, jax.nn.logsumexp(log_odds))
    own = log_odds.ravel()[jnp.maximum(event - 1, 0)]
    return jnp.where(event == 0, log_none, own) - total


def draw_event(key: Key, log_none: Array, log_odds: Array) -> Array:
    """Return an event drawn with the given odds, (2, B, B), by rows and in a row.

    Two uniform numbers, where `jax.random.categorical` takes one per event.
    """
    blocks = log_odds.shape[-1]
    rows = log_odds.reshape(-1, blocks)
    largest = jnp.maximum(log_none, jnp.max(rows))
    weights = jnp.exp(rows - largest)
    row_weights = jnp.append(jnp.sum(weights, axis=1), jnp.exp(log_none - largest))
    row_key, column_key = jax.random.split(key)
    row = _draw(row_key, row_weights)  # the last one is none
    column = _draw(column_key, weights[jnp.minimum(row, len(rows) - 1)])
    return jnp.where(row == len(rows), 0, 1 + row * blocks + column)


def _draw(key: Key, weights: Array) -> Array:
    """Return an index drawn in proportion to weights."""
    sums = jnp.cumsum(weights)
    level = sums[-1] * jax.random.uniform(key, (), weights.dtype)
    return jnp.minimum(jnp.sum(sums <= level), len(weights) - 1)

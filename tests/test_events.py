"""Events of worldlines: intervals on a circle, their effect, and how they are drawn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_counts
from tolerances import F64

from sesamo_jax.samplers.worldlines.events import (
    allowed,
    draw_event,
    factors,
    interval_sums,
    lengths,
    log_probability,
)


def inside(blocks, start, end):
    """Return the blocks from start to before end on the circle, one by one."""
    found = []
    while start % blocks != end % blocks:
        found.append(start % blocks)
        start += 1
    return found


@pytest.mark.parametrize("blocks", [2, 5, 6])
def test_intervals_sums_and_factors_agree_with_lists_of_blocks(blocks, rng):
    values = rng.normal(size=blocks)
    sums = interval_sums(jnp.asarray(values))
    for a in range(blocks):
        for b in range(blocks):
            members = inside(blocks, a, b)
            assert lengths(blocks)[a, b] == len(members)
            assert sums[a, b] == pytest.approx(values[members].sum(), abs=F64)
            for kind, change in ((0, -1.0), (1, 0.0)):
                expected = np.ones(blocks)
                expected[members] = change
                event = 1 + (kind * blocks + a) * blocks + b
                np.testing.assert_array_equal(factors(event, blocks), expected)
    np.testing.assert_array_equal(factors(jnp.int32(0), blocks), np.ones(blocks))


@pytest.mark.parametrize("blocks", [1, 2, 5, 6])
def test_exchanges_leave_the_first_block_alone_and_hops_are_short(blocks):
    exchange, hop = allowed(blocks)
    assert exchange.sum() == blocks * (blocks - 1) // 2
    assert hop.sum() == blocks * (blocks // 2)
    for a, b in zip(*np.nonzero(exchange), strict=True):
        assert 0 not in inside(blocks, a, b)
    for a, b in zip(*np.nonzero(hop), strict=True):
        assert len(inside(blocks, a, b)) <= blocks // 2


def test_events_are_drawn_with_their_probabilities(rng, key):
    """Some events impossible; log probabilities add up to one."""
    log_odds = jnp.asarray(rng.normal(0, 2, (2, 4, 4)))
    log_odds = jnp.where(allowed(4), log_odds, -jnp.inf)
    none = jnp.asarray(1.3)
    p = np.exp([log_probability(jnp.int32(e), none, log_odds) for e in range(33)])
    odds = np.append(np.exp(none), np.exp(log_odds.ravel()))
    np.testing.assert_allclose(p, odds / odds.sum(), atol=F64)
    draw = jax.jit(jax.vmap(lambda k: draw_event(k, none, log_odds)))
    drawn = draw(jax.random.split(key, 50_000))
    assert_counts(np.bincount(drawn, minlength=33), p)


def test_nothing_happens_where_nothing_can(key):
    impossible = jnp.full((2, 3, 3), -jnp.inf)
    zero = jnp.zeros(())
    draw = jax.vmap(lambda k: draw_event(k, zero, impossible))
    assert not np.any(draw(jax.random.split(key, 100)))
    assert log_probability(jnp.int32(0), zero, impossible) == 0
    slope = jax.grad(lambda z: log_probability(jnp.int32(0), z, impossible))(zero)
    assert slope == 0

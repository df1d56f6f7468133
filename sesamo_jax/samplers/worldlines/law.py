"""The law of moments along imaginary time, and of the field around them.

The auxiliary field of the Hubbard model is x = U~ m + noise of variance U~, exactly,
where m_j(t) in {-1, 0, 1} is the moment n^a_j - n^b_j of a path through the occupation
basis: complete the square in exp(U~ m^2 / 2). At strong coupling m is a sign per site
(`SignLaw`), and second order in kappa^2 / U gives what happens between neighbours of
opposite sign: an exchange, which flips both from one time to another, or a virtual hop,
which leaves both 0 for a time of order 1 / U. Here every bond, in turn and in several
sweeps, has at most one of them, with learned rates.
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

from sesamo_jax.core import Array, Key
from sesamo_jax.geometry.moments import LocalMoments
from sesamo_jax.modulation import SignLaw
from sesamo_jax.samplers.worldlines.events import (
    allowed,
    draw_event,
    factors,
    interval_sums,
    lengths,
    log_probability,
)
from sesamo_jax.samplers.worldlines.pair_classes import pair_classes
from sesamo_jax.samplers.worldlines.strong_coupling import second_order


class Worldline(NamedTuple):
    """What a field was drawn around.

    Attributes:
        signs: of the moments before all events, (N_x,).
        events: per sweep and bond, as numbered in `events`, int32 of shape
            (sweeps * bonds,).
    """

    signs: Array
    events: Array


class Turn(NamedTuple):
    """The turn of a bond in a sweep.

    Attributes:
        bond: its two sites.
        others: 1 at the further neighbours of both, (2, N_x).
        left: how many more turns it will have.
    """

    bond: Array
    others: Array
    left: Array


class WorldlineLaw(nn.Module):
    """q(x, u) of a field and its worldline u, and a normalised guess r(u | x).

    exp(-f(x)) r(u | x) / q(x, u) is an unbiased weight, as good as the guess. The guess
    takes signs site by site, as if each flipped by itself, and then events bond by
    bond, in the order of q, by Bayes' rule as if no other bond after it had one.

    Attributes:
        moments: graph and couplings.
        slices: N_t.
        sites: N_x.
        sweeps: how often every bond has its turn.
        most_blocks: largest number of blocks of time slices in which events begin and
            end; their number of events grows with the square.
    """

    moments: LocalMoments
    slices: int
    sites: int
    sweeps: int
    most_blocks: int

    def setup(self) -> None:
        """Create the parameters; they start at strong coupling to second order."""
        edges, u, kappa = self.moments
        classes = pair_classes(edges, self.sites)
        exchange = 4 * kappa**2 / u  # J beta of the Heisenberg model
        couplings = np.zeros(classes.max() + 1)
        for i, j in edges:
            couplings[[classes[i, j], classes[j, i]]] = -exchange / 4
        self.law = SignLaw(
            tuple(map(tuple, classes.tolist())), tuple(couplings.tolist())
        )
        self.blocks = min(self.most_blocks, self.slices)
        self.block_of = np.arange(self.slices) * self.blocks // self.slices
        self.width = np.bincount(self.block_of)[:, None]
        # Within one block, or where nothing hops, nothing can happen.
        bonds = edges if self.blocks > 1 and kappa else ()
        neighbours = np.zeros((len(bonds), 2, self.sites))
        for bond, ends in enumerate(bonds):
            for end, site in enumerate(ends):
                around = {k for edge in edges if site in edge for k in edge}
                neighbours[bond, end, list(around - set(ends))] = 1
        self.turns = Turn(
            bond=jnp.tile(jnp.array(bonds, jnp.int32).reshape(-1, 2), (self.sweeps, 1)),
            others=jnp.tile(jnp.array(neighbours), (self.sweeps, 1, 1)),
            left=jnp.repeat(jnp.arange(self.sweeps)[::-1] * 1.0, len(bonds)),
        )
        self.allowed = allowed(self.blocks)
        if bonds:
            rates = second_order(u, kappa, self.blocks)
            self.log_amplitude = rates.log_amplitude
            log_rates = jnp.asarray(rates.log_odds - np.log(self.sweeps))
            self.log_rates = self.param("log_rates", lambda _: log_rates)
            self.alignment = self.param(
                "alignment", lambda _: jnp.array(rates.energies)
            )
        else:  # no parameters: files cannot hold empty ones
            self.log_amplitude = -np.inf
            self.log_rates = jnp.zeros((2, self.blocks - 1))
            self.alignment = jnp.zeros(2)

    @property
    def u_tilde(self) -> float:
        """U~ = U beta / N_t."""
        return self.moments.u / self.slices

    def draw(self, key: Key) -> tuple[Array, Worldline]:
        """Return x, (N_t, N_x), and its worldline."""
        sign_key, event_key, noise_key = jax.random.split(key, 3)
        signs = self.law.draw(sign_key)
        zero = jnp.zeros((), signs.dtype)

        def choose(moments: Array, step: tuple[Turn, Key]) -> tuple[Array, Array]:
            turn, key = step
            event = draw_event(key, zero, self._log_odds(moments, turn))
            return self._apply(moments, turn, event), event

        steps = self.turns, jax.random.split(event_key, len(self.turns.left))
        moments, events = jax.lax.scan(choose, self._before(signs), steps)
        noise = jax.random.normal(noise_key, (self.slices, self.sites), signs.dtype)
        return self._mean(moments) + self.u_tilde**0.5 * noise, Worldline(signs, events)

    def guess(self, key: Key, x: Array) -> tuple[Worldline, Array, Array]:
        """Return u drawn from r, with log q(x, u) and log r(u | x), both ().

        The field is (N_t, N_x).
        """
        sign_key, event_key = jax.random.split(key)
        log_odds = self._log_odds_of_plus(self._sums(x))
        plus = jax.random.uniform(sign_key, log_odds.shape) < jax.nn.sigmoid(log_odds)
        keys = jax.random.split(event_key, len(self.turns.left))
        signs = jnp.where(plus, 1.0, -1.0)
        events, log_q, log_r = self._weigh(x, signs, keys, draw_event)
        return Worldline(signs, events), log_q, log_r

    def log_joint(self, x: Array, worldline: Worldline) -> tuple[Array, Array]:
        """Return log q(x, u) and log r(u | x), both (), of a given worldline."""

        def given(event: Array, log_none: Array, log_odds: Array) -> Array:
            return event

        return self._weigh(x, worldline.signs, worldline.events, given)[1:]

    def _weigh(
        self, x: Array, signs: Array, source: Array, choose: Callable[..., Array]
    ) -> tuple[Array, Array, Array]:
        """Return the events that are chosen for u, log q(x, u) and log r(u | x).

        Args:
            x: the field, (N_t, N_x).
            signs: of u, (N_x,).
            source: what `choose` takes first, for every turn.
            choose: of `source` and the guess's odds, to an event.
        """
        sums = self._sums(x)
        zero = jnp.zeros((), x.dtype)

        @jax.checkpoint  # odds of all events for every bond would fill the memory
        def step(carry: tuple, here: tuple[Turn, Array]) -> tuple[tuple, Array]:
            moments, log_q, log_r = carry
            turn, source = here
            log_odds = self._log_odds(moments, turn)
            none, guess = self._update(log_odds, moments, turn, sums)
            event = choose(source, none, guess)
            log_q = log_q + log_probability(event, zero, log_odds)
            log_r = log_r + log_probability(event, none, guess)
            return (self._apply(moments, turn, event), log_q, log_r), event

        plus = self._log_odds_of_plus(sums)
        log_r = jnp.sum(jax.nn.log_sigmoid(signs * plus))
        start = self._before(signs), self.law.log_prob(signs), log_r
        (moments, log_q, log_r), events = jax.lax.scan(
            step, start, (self.turns, source)
        )
        noise = norm.logpdf(x, self._mean(moments), self.u_tilde**0.5)
        return events, log_q + jnp.sum(noise), log_r

    def _before(self, signs: Array) -> Array:
        """Return the moments before all events, (blocks, N_x), of signs (N_x,)."""
        return jnp.broadcast_to(signs, (self.blocks, self.sites))

    def _sums(self, x: Array) -> Array:
        """Return x summed over the slices of every block, (blocks, N_x)."""
        return jax.ops.segment_sum(x, jnp.asarray(self.block_of), self.blocks)

    def _mean(self, moments: Array) -> Array:
        """Return U~ m at every slice, (N_t, N_x), of moments (blocks, N_x)."""
        return self.u_tilde * moments[self.block_of]

    def _log_odds(self, moments: Array, turn: Turn) -> Array:
        """Return the log odds of all events on a bond against none, (2, B, B).

        The first axis is exchange or hop, the others are the blocks where it begins and
        ends, of B; the moments are (B, N_x).
        """
        ends = moments[:, turn.bond]
        closed = (ends[:, 0] * ends[:, 1] != -1).astype(ends.dtype)
        aligned = jnp.sum(ends * (moments @ turn.others.T), axis=1)
        energies = self.alignment[:, None, None] * interval_sums(aligned)
        possible = self.allowed & (interval_sums(closed) == 0)
        padded = jnp.pad(self.log_rates, ((0, 0), (1, 0)))
        rates = padded[:, lengths(self.blocks)]
        return jnp.where(possible, rates + energies, -jnp.inf)

    def _update(
        self, log_odds: Array, moments: Array, turn: Turn, sums: Array
    ) -> tuple[Array, Array]:
        """Return the log odds of none, (), and of all events, (2, B, B), given x.

        `log_odds` are those without x; `sums` are x summed over blocks, (B, N_x).
        """
        ends = moments[:, turn.bond]
        along = -jnp.sum(ends * sums[:, turn.bond], axis=1)
        empty = along + self.u_tilde * jnp.sum(ends**2 / 2 * self.width, axis=1)
        gains = jnp.stack([interval_sums(2 * along), interval_sums(empty)])
        guess = log_odds + gains
        # An event may also be left to a later turn of the bond.
        later = jnp.log(jnp.maximum(turn.left, 1e-300)) + jax.nn.logsumexp(guess)
        return jnp.logaddexp(0.0, later), guess

    def _apply(self, moments: Array, turn: Turn, event: Array) -> Array:
        """Return the moments after an event on a bond, both (blocks, N_x)."""
        return moments.at[:, turn.bond].multiply(factors(event, self.blocks)[:, None])

    def _log_odds_of_plus(self, sums: Array) -> Array:
        """Return log r(+) / r(-) of the sign of every site at the first block, (N_x,).

        Every site by itself is a chain of two states, closed in time.
        """
        states = np.array([1.0, -1.0])
        flips = np.where(states[:, None] != states, self.log_amplitude, 0.0)

        def advance(log_sum: Array, here: Array) -> tuple[Array, None]:
            # From every state at the first block, (2, 2, N_x): to every state now.
            moved = jax.nn.logsumexp(
                log_sum[:, :, None] + flips[None, :, :, None], axis=1
            )
            return moved + states[:, None] * here, None

        apart = np.where(np.eye(2, dtype=bool), 0.0, -np.inf)[:, :, None]
        log_sum = apart + states[:, None] * sums[0]
        log_sum, _ = jax.lax.scan(advance, log_sum, sums[1:])
        log_both = jax.nn.logsumexp(log_sum + flips[:, :, None], axis=1)
        return log_both[0] - log_both[1]

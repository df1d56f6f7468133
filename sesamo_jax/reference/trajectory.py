"""One step of a Markov chain: a Hamiltonian trajectory, then the moves that suit f."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from sesamo_jax.core import Array, Key, Target
from sesamo_jax.reference.move import Move, Observe, nothing
from sesamo_jax.reference.moves import build_moves
from sesamo_jax.reference.settings import HMCConfig
from sesamo_jax.reference.whitening import Whitening, whitening

SMALLEST_SHARE = 1 / 32  # of the tuned step size, at the start of equilibration
FEWEST_TUNING = 150  # steps that tune, of one chain


class Trajectory(NamedTuple):
    """How chains of a target move, in the white coordinates z of `whitening`.

    Attributes:
        white: to z and back.
        moves: that follow every trajectory.
        begin: `z -> state` of a chain there.
        tune: `(key, z) -> (z, tuned, steps)`, one chain that finds step size and
            masses, where it ended, and the leapfrog steps that it took; to be jitted.
        number: `key -> steps`, the random number of leapfrog steps of a trajectory.
        advance: `(key, state, tuned, share, steps, observe) -> (state, rate, rates,
            observed)`: one trajectory with a share of the tuned step size and the
            moves, the acceptance rate of the one and of the others by name, and what is
            observed at their end.
    """

    white: Whitening
    moves: tuple[Move, ...]
    begin: Callable[[Array], Any]
    tune: Callable[[Key, Array], tuple[Array, Any, Array]]
    number: Callable[[Key], Array]
    advance: Callable[..., tuple[Any, Array, dict[str, Array], Any]]

    def calls(self, chains: int, trajectories: int, steps: int) -> tuple[int, int]:
        """Return evaluations of the gradient, and of f with or without it.

        Args:
            chains: that moved.
            trajectories: of each.
            steps: leapfrog steps of each, all told.
        """
        # The gradient once where a chain begins, and again where moves have led.
        gradients = chains * (steps + 1 + trajectories * bool(self.moves))
        along = chains * trajectories * sum(move.calls for move in self.moves)
        return gradients, gradients + along


def build_trajectory(target: Target, config: HMCConfig) -> Trajectory:
    """Return how chains of a target move.

    Trajectories of one length bring a Gaussian mode of that period back to where it
    began, over and over. The number of leapfrog steps is therefore random, uniform in
    1 .. 2 n - 1 around `leapfrog_steps` n (Mackenzie 1989; Bou-Rabee and Sanz-Serna,
    arXiv:1511.09382), in tuning too.

    Raises:
        ValueError: where no move suits the target and `config.modulation` asks for it.
    """
    import blackjax  # here, since its import starts JAX's backend

    moves = build_moves(target, config.modulation)
    white = whitening(target)
    hamiltonian = blackjax.hmc.build_kernel()

    def log_density(z: Array) -> Array:
        return -target.action(white.colour(z))

    def begin(z: Array) -> Any:
        return blackjax.hmc.init(z, log_density)

    def number(key: Key) -> Array:
        return jax.random.randint(key, (), 1, 2 * config.leapfrog_steps)

    def tuning_kernel(
        key: Key, state: Any, log_density: Callable, step_size: Array, masses: Array
    ) -> tuple[Any, Any]:
        steps_key, key = jax.random.split(key)
        steps = number(steps_key)
        return hamiltonian(key, state, log_density, step_size, masses, steps)

    tuning = blackjax.window_adaptation(
        SimpleNamespace(init=blackjax.hmc.init, build_kernel=lambda: tuning_kernel),
        log_density,
        target_acceptance_rate=config.acceptance,
        adaptation_info_fn=lambda state, info, _: info.num_integration_steps,
    )

    def tune(key: Key, z: Array) -> tuple[Array, Any, Array]:
        steps = max(config.warmup, FEWEST_TUNING)
        (state, tuned), numbers = tuning.run(key, z, steps)
        return state.position, tuned, jnp.sum(numbers)

    def advance(
        key: Key, state: Any, tuned: Any, share: Array, steps: Array, observe: Observe
    ) -> tuple[Any, Array, dict[str, Array], Any]:
        first, *others = jax.random.split(key, 1 + len(moves))
        state, info = hamiltonian(
            first,
            state,
            log_density,
            share * tuned["step_size"],
            tuned["inverse_mass_matrix"],
            steps,
        )
        x, rates = white.colour(state.position), {}
        observed = None if moves else observe(x)
        for later, (key, row) in enumerate(zip(others, moves, strict=True), 1):
            last = observe if later == len(moves) else nothing
            x, rate, observed = row.step(key, x, target.action, last)
            rates[row.name] = rate
        if moves:  # the gradient where they have led
            state = begin(white.whiten(x))
        return state, info.acceptance_rate, rates, observed

    return Trajectory(white, moves, begin, tune, number, advance)


def warm_up_shares(warmup: int, dtype: Any) -> Array:
    """Return the shares of the tuned step size that equilibration takes, (warmup,).

    They grow to 1, since forces may be steep where chains start.
    """
    return jnp.geomspace(SMALLEST_SHARE, 1, warmup, dtype=dtype)

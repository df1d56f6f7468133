"""Independence Metropolis: a chain of the target, proposed by a trained model."""

from typing import NamedTuple

import jax
import numpy as np

from sesamo_jax.core import Key, Model, Params, Target
from sesamo_jax.estimators import independence


class Proposed(NamedTuple):
    """A chain through samples of a model.

    Attributes:
        x: configurations, (steps, *event_shape), repeated where a proposal was refused.
        acceptance: share of the proposals that were accepted.
    """

    x: np.ndarray
    acceptance: float


def independence_chain(
    model: Model, target: Target, params: Params, key: Key, steps: int
) -> Proposed:
    """Return a Markov chain of the target whose proposals are samples of a model.

    It has the target's distribution in the end, whatever the model leaves out of
    proportion, and stays long where the model is much too rare: its autocorrelation
    time is about the inverse of the acceptance, see `estimators.independence`.

    Args:
        model: from `build_model`, whose log q of samples is exact.
        target: what to sample.
        params: of one seed.
        key: for proposals and decisions.
        steps: proposals.

    Raises:
        ValueError: if no sample has a positive, finite weight.
    """
    draw_key, decide_key = jax.random.split(key)

    @jax.jit
    def propose(params: Params, key: Key) -> tuple:
        samples = model.sample(params, key, steps)
        return samples.x, -jax.vmap(target.action)(samples.x) - samples.log_q

    x, log_w = jax.device_get(propose(params, draw_key))
    seed = np.asarray(jax.random.bits(decide_key, (4,))).tolist()
    chain = independence.chain_through(log_w, np.random.default_rng(seed))
    if chain is None:
        raise ValueError(
            f"no chain of {target.name!r}: of {steps} samples of the model none has a "
            "positive, finite weight"
        )
    # Before its start the chain is nowhere: it begins at the first of positive weight.
    return Proposed(x[chain.indices], chain.acceptance)

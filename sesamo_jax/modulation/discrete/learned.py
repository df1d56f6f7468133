"""The paper's law for broken symmetries: a learned categorical over the group."""

from math import log
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from sesamo_jax.core import Array
from sesamo_jax.modulation.discrete.law import FiniteLaw


class LearnedLaw(FiniteLaw):
    """p_S(u) = softmax(logits)_u over the broken factors, uniform over the exact ones.

    For a single Z2 this is the paper's Bernoulli with e^b = p_S(1) (eqs. 36, 37), b =
    log_softmax(logits)[1]. Logits have no bound to clamp at, where b <= 0 has one.
    If no factor is broken, all of them get logits.

    Attributes:
        dtype: floating type of the logits. Explicit, since a weakly typed parameter
            would compile the training chunk anew at its second call.
    """

    dtype: Any = jnp.float32

    def setup(self) -> None:
        """Create one logit per element of the broken factors, all equal."""
        factors = self.symmetry.factors
        learn_all = not any(factor.broken for factor in factors)
        shape = tuple(f.order if f.broken or learn_all else 1 for f in factors)
        self.logits = self.param("logits", nn.initializers.zeros, shape, self.dtype)

    def log_probs(self, y: Array) -> Array:
        """Return log p_S(u), which does not depend on y."""
        orders = tuple(factor.order for factor in self.symmetry.factors)
        uniform = log(self.symmetry.order / self.logits.size)
        learned = jax.nn.log_softmax(self.logits.ravel()).reshape(self.logits.shape)
        return jnp.broadcast_to(learned - uniform, orders).ravel()

    def log_probs_into(self, x: Array) -> Array:
        """Return the same: the law does not depend on y."""
        return self.log_probs(x)

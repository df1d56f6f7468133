"""Training on data: their likelihood, and its share of the loss.

lambda NLL + (1 - lambda) reverse KL, with NLL = -mean log q(x) over data x, which finds
all that the data show, and the reverse KL, which knows the action (Koehler, Klein, Noe
2020, section 6). The mean squared error of flow matching may stand in the place of the
NLL.
"""

import jax.numpy as jnp

from sesamo_jax.core import Array, Key, Model, Params
from sesamo_jax.core.method import TrainingConfig

OF_MODEL_SAMPLES = ("ess", "log_z", "leak")


def likelihood_share(training: TrainingConfig, step: Array) -> Array:
    """Return lambda at a step, from 1 linearly to `likelihood_share` at the last."""
    last = max(training.steps - 1, 1)
    return 1 + (training.likelihood_share - 1) * step / last


def negative_log_likelihoods(
    model: Model,
    params: Params,
    key: Key,
    x: Array,
) -> Array:
    """Return -log q(x) of a batch of data, (n,)."""
    assert model.log_prob is not None  # `complete` has refused methods without it
    return -model.log_prob(params, x)


def mix(
    terms: Array,
    reverse: tuple[Array, dict[str, Array]] | None,
    share: Array | float,
    is_likelihood: bool,
) -> tuple[Array, dict[str, Array]]:
    """Return the loss and its metrics, all scalars.

    Args:
        terms: of data, such as -log q(x), (n,).
        reverse: the loss of samples of the model, and its metrics; None for the data
            alone, which leave what takes such samples NaN.
        share: lambda.
        is_likelihood: whether the mean of the terms is the NLL.
    """
    loss = jnp.mean(terms)
    named = {"nll": loss} if is_likelihood else {}
    spread = jnp.std(terms)
    if reverse is None:
        unknown = dict.fromkeys(OF_MODEL_SAMPLES, jnp.full_like(loss, jnp.nan))
        return loss, {"loss": loss, "loss_std": spread, **unknown, **named}
    reverse_loss, metrics = reverse
    loss = share * loss + (1 - share) * reverse_loss
    # Data and samples are independent.
    spread = jnp.hypot(share * spread, (1 - share) * metrics["loss_std"])
    return loss, metrics | {"loss": loss, "loss_std": spread, **named}

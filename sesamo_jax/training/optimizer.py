"""The optimiser: Adam, a schedule, and a guard against non-finite steps."""

import optax
from optax import tree_utils

from sesamo_jax.config.schema import TrainingConfig
from sesamo_jax.core import Array, Params

# Never give up skipping: the count in the report tells the user.
MAX_CONSECUTIVE_SKIPS = 2**31 - 1


def build_optimizer(
    config: TrainingConfig, own: optax.GradientTransformation | None = None
) -> optax.GradientTransformationExtraArgs:
    """Return Adam with the configured schedule; `update` takes `value=`.

    A user's `own` takes the place of Adam, its schedule and the clipping of gradients.

    `plateau` is the paper's rule (App. I): when the standard deviation of the loss,
    passed as `value`, has not improved by one part in 10^4 for `patience` steps, the
    rate is multiplied by `decay`, down to a floor. The value is positive, so optax's
    relative threshold means what it says; the loss itself may be negative.

    A step whose gradient is not finite changes nothing and is counted.
    """
    if own is not None:
        own = optax.with_extra_args_support(own)
        return optax.apply_if_finite(own, MAX_CONSECUTIVE_SKIPS)
    rate: optax.ScalarOrSchedule = config.learning_rate
    if config.schedule == "cosine":
        rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    parts: list[optax.GradientTransformation] = []
    if config.clip_norm:
        parts.append(optax.clip_by_global_norm(config.clip_norm))
    parts.append(optax.adam(rate))
    if config.schedule == "plateau":
        parts.append(
            optax.contrib.reduce_on_plateau(
                factor=config.decay,
                patience=config.patience,
                min_scale=config.minimum_learning_rate / config.learning_rate,
            )
        )
    return optax.apply_if_finite(optax.chain(*parts), MAX_CONSECUTIVE_SKIPS)


def nonfinite_steps(opt_state: Params) -> Array:
    """Return how many steps were skipped."""
    return tree_utils.tree_get(opt_state, "total_notfinite")

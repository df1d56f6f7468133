"""The sampler that a configuration describes."""

from sesamo_jax.config.complete import complete_model
from sesamo_jax.config.schema import METHODS, Config
from sesamo_jax.core import Model, Target
from sesamo_jax.samplers.events import with_checks


def build_model(target: Target, config: Config) -> Model:
    """Return the sampler that a configuration describes for a target.

    Args:
        target: what to sample.
        config: method, modulation, flow and base; see `schema`.

    Raises:
        ValueError: where the configuration does not fit the target, or training its
            parameters the memory.
    """
    config = complete_model(config, target)
    return with_checks(METHODS[config.method].build(target, config), target)

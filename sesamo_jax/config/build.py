"""The sampler that a configuration describes."""

from sesamo_jax.config.complete import complete
from sesamo_jax.config.schema import Config
from sesamo_jax.core import Model, Target
from sesamo_jax.parallel.memory import check_parameters
from sesamo_jax.samplers.events import with_checks
from sesamo_jax.samplers.mixture import build_mixture
from sesamo_jax.samplers.modulated_flow import build_flow_model
from sesamo_jax.samplers.worldlines import build_worldlines


def build_model(target: Target, config: Config) -> Model:
    """Return the sampler that a configuration describes for a target.

    Args:
        target: what to sample.
        config: method, modulation, flow and base; see `config`.

    Raises:
        ValueError: where the configuration does not fit the target, or training its
            parameters the memory.
    """
    config = complete(config, target)
    builders = {"worldlines": build_worldlines, "vmonf": build_mixture}
    model = builders.get(config.method, build_flow_model)(target, config)
    if config.method != "worldlines":  # of few parameters
        check_parameters(model.init)
    return with_checks(model, target)

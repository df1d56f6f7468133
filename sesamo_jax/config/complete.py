"""A configuration filled and checked against a target, before any work starts."""

from dataclasses import replace

from sesamo_jax.config.checks.data import check_data
from sesamo_jax.config.completed import CompletedConfig, CompletedTraining
from sesamo_jax.config.schema import METHODS, Config
from sesamo_jax.core import Target
from sesamo_jax.core.bounds import check_fields
from sesamo_jax.flows import FLOWS, dense_flow
from sesamo_jax.objectives import ON_DATA
from sesamo_jax.samplers.sizes import check_event


def complete(config: Config, target: Target) -> Config:
    """Fill what depends on the target and check that everything fits together.

    Raises:
        ValueError: with one sentence naming the value and the remedy.
    """
    check_values(config)
    config = _with_flow(_on_data(config), target)
    check_data(config, target)
    method = METHODS[config.method]
    config = method.complete(config, target)
    check_event(target)
    method.check_sizes(config, target)
    return config


def complete_model(config: Config, target: Target) -> CompletedConfig:
    """Return the completed configuration of a model that is trained.

    Raises:
        ValueError: as `complete`, and for a reference sampler, which is no model.
    """
    if not METHODS[config.method].is_trained:
        raise ValueError(
            f"method {config.method!r} samples without a model: run it by "
            f"sesamo_jax.reference.{config.method}"
        )
    config = complete(config, target)
    training = CompletedTraining(**vars(config.training))
    return CompletedConfig(**vars(config) | {"training": training})


def _on_data(config: Config) -> Config:
    """Return the configuration with an objective that takes the data there are."""
    training = config.training
    if training.data is None or training.objective is not None:
        return config
    return replace(config, training=replace(training, objective=ON_DATA))


def _with_flow(config: Config, target: Target) -> Config:
    """Return the configuration with a flow that takes events of the target's shape."""
    if config.flow is not None:
        return config
    return replace(config, flow=FLOWS[dense_flow(target.event_shape)])


def check_values(config: Config) -> None:
    """Raise ValueError for a field out of its range, whatever the target is."""
    check_fields(config)
    floor, peak = (
        config.training.minimum_learning_rate,
        config.training.learning_rate,
    )
    if floor > peak:
        raise ValueError(
            f"training.minimum_learning_rate={floor} must be at most "
            f"training.learning_rate={peak}"
        )

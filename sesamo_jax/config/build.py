"""The sampler that a configuration describes."""

from functools import lru_cache

from sesamo_jax.checks import check_flow, check_symmetry
from sesamo_jax.checks.target import check_action_at_points
from sesamo_jax.config.complete import complete_model
from sesamo_jax.config.schema import METHODS, Config
from sesamo_jax.core import Model, Target
from sesamo_jax.flows import FLOWS
from sesamo_jax.samplers.events import with_checks
from sesamo_jax.targets.imported import is_import_path


def build_model(target: Target, config: Config) -> Model:
    """Return the sampler that a configuration describes for a target.

    Args:
        target: what to sample.
        config: method, modulation, flow and base; see `schema`.

    Raises:
        ValueError: where the configuration does not fit the target, or training its
            parameters the memory, or where `checks` find the target, its symmetry or a
            flow of one's own to be none.
    """
    config = complete_model(config, target)
    if not _of_the_package(target):
        _check_once(target)
    if type(config.flow) not in map(type, FLOWS.values()):  # those have been tested
        check_flow(config.flow, target)
    return with_checks(METHODS[config.method].build(target, config), target)


def _of_the_package(target: Target) -> bool:
    """Return whether a target is one that the package's own tests have tried."""
    return target.origin is not None and not is_import_path(target.origin.name)


@lru_cache(maxsize=32)
def _check_once(target: Target) -> None:
    """Raise ValueError for a target, or a symmetry of it, that is none."""
    check_action_at_points(target)
    if target.symmetry is not None:
        check_symmetry(target.symmetry, target)

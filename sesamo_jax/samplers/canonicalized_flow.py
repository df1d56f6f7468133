"""The method `canonicalization`: a flow whose base C maps into the cell."""

from dataclasses import replace

from sesamo_jax.core import Model, Target, as_finite
from sesamo_jax.core.method import Config, Method
from sesamo_jax.modulation import MAX_ENUMERATED_ORDER, ExactLaw
from sesamo_jax.objectives import OBJECTIVES
from sesamo_jax.samplers.completion import complete_flow, is_listed, require_symmetry
from sesamo_jax.samplers.modulated_flow import build_flow_model
from sesamo_jax.samplers.sizes import check_base, check_batches
from sesamo_jax.symmetries import Wells


def _complete(config: Config, target: Target) -> Config:
    """Fill what depends on the target, and refuse what such a base cannot do."""
    symmetry, training = require_symmetry(config, target), config.training
    if symmetry.order is None:
        raise ValueError(
            f"{target.name!r} has a continuous symmetry, and method 'canonicalization' "
            "is defined for finite groups: use 'sesamo'"
        )
    if isinstance(symmetry, Wells):
        raise ValueError(
            f"{target.name!r} has wells that are no images of each other, and method "
            "'canonicalization' needs the cell of a group: use 'sesamo'"
        )
    if not is_listed(symmetry):
        raise ValueError(
            f"{target.name!r} has a group of {symmetry.order} elements, and method "
            f"'canonicalization' lists at most {MAX_ENUMERATED_ORDER}: use 'sesamo'"
        )
    objective = OBJECTIVES.get(training.objective or "")
    if objective is not None and objective.is_on_data:
        raise ValueError(
            "canonicalization has no density at all in places, where the objective "
            f"{training.objective!r} is infinite: use method 'sesamo'"
        )
    if objective is not None and objective.sums_over_images:
        raise ValueError(
            "canonicalization draws no u to sum over: use objective 'reverse_kl'"
        )
    if training.gradient == "path":
        # Cut off at the cell's border, q~ has an edge that moves with the parameters,
        # and the score that the path gradient leaves out no longer has zero mean.
        raise ValueError(
            "canonicalization's density ends at an edge that the flow moves, where the "
            "path gradient is biased: use gradient 'total'"
        )
    if config.base.mean:
        raise ValueError(
            f"base.mean={config.base.mean}: canonicalization needs a base that the "
            "symmetry leaves invariant, set base.mean to 0"
        )
    config = replace(config, base=replace(config.base, mean=0.0))
    return complete_flow(config, target, symmetry, path_gradient=False)


def _build(target: Target, config: Config) -> Model:
    assert target.symmetry is not None  # `_complete` has refused targets without
    group = as_finite(target.symmetry)
    return build_flow_model(target, config, ExactLaw(group), canonical=group)


def _check_sizes(config: Config, target: Target) -> None:
    check_base(config, target)
    check_batches(config, target, images=1, shares=0)


CANONICALIZATION = Method(
    _complete, _build, _check_sizes, uses=("flow", "base", "penalty", "density")
)

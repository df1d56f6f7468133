"""What flows with and without modulation take where nothing has been said."""

from dataclasses import replace

from sesamo_jax.bases import complete_base
from sesamo_jax.core import Symmetry, Target
from sesamo_jax.core.method import Config
from sesamo_jax.modulation import MAX_ENUMERATED_ORDER
from sesamo_jax.objectives import OBJECTIVES
from sesamo_jax.samplers.symmetry_checks import (
    check_continuous,
    check_slice,
    check_unlisted,
    check_wells,
)
from sesamo_jax.symmetries import Wells


def require_symmetry(config: Config, target: Target) -> Symmetry:
    """Return the target's symmetry.

    Raises:
        ValueError: if it has none.
    """
    if target.symmetry is None:
        raise ValueError(
            f"method {config.method!r} needs a symmetry and target {target.name!r} "
            "declares none: use method 'flow'"
        )
    return target.symmetry


def is_listed(symmetry: Symmetry | None) -> bool:
    """Return whether the elements of a group can be summed over."""
    order = None if symmetry is None else symmetry.order
    return order is not None and order <= MAX_ENUMERATED_ORDER


def complete_flow(
    config: Config,
    target: Target,
    symmetry: Symmetry | None = None,
    varies: bool = False,
    path_gradient: bool = True,
) -> Config:
    """Fill what depends on the target, and check densities and objectives.

    Args:
        config: of fields in their range.
        target: what to sample.
        symmetry: by which the flow is modulated; None of a flow alone.
        varies: whether weights depend on the element that is drawn.
        path_gradient: whether the path gradient has no bias, for what the method is.

    Raises:
        ValueError: with one sentence naming the value and the remedy.
    """
    training = config.training
    continuous = symmetry is not None and symmetry.order is None
    listed = is_listed(symmetry)
    wells = isinstance(symmetry, Wells)
    if training.objective is None:
        unbiased = "rao_blackwell" if listed and not wells else "reinforce"
        name = unbiased if varies else "reverse_kl"
        training = replace(training, objective=name)
    name = str(training.objective)
    objective = OBJECTIVES[name]
    foreign = {config.density, training.density} & {"augmented", "marginal"}
    if foreign or not objective.is_pathwise:
        raise ValueError(
            "densities 'augmented' and 'marginal' and objective 'forward_kl' are those "
            f"of methods 'worldlines' and 'vmonf', not of {config.method!r}: leave "
            "them out"
        )
    if training.density is None:
        # The likelihood is that of x itself, and a mix has to be of one density.
        exact = wells or (objective.is_on_data and not continuous)
        training = replace(training, density="orbit" if exact else "cell")
    if continuous:
        check_continuous(config, target)
    if wells:
        check_wells(config, training, target)
    if varies and not objective.trains_law:
        raise ValueError(
            f"objective {name!r} gives a learned modulation no gradient (App. J), nor "
            "another whose weights depend on u: use 'rao_blackwell', 'self_reparam' or "
            "'reinforce'"
        )
    if objective.sums_over_images and training.density == "orbit":
        raise ValueError(
            f"objective {name!r} sums over images in cell accounting: "
            "set training.density to 'cell'"
        )
    if training.gradient is None:
        unbiased_path = path_gradient and objective.has_path_gradient
        gradient = "path" if unbiased_path else "total"
        training = replace(training, gradient=gradient)
    if training.gradient == "path" and not objective.has_path_gradient:
        raise ValueError(
            f"the path gradient is biased for objective {name!r}: use gradient "
            "'total', or objective 'rao_blackwell'"
        )
    check_slice(config, target, continuous)
    if symmetry is not None and not continuous and not listed:
        check_unlisted(config, target)
    base = config.base
    if wells and base.variance is None:
        base = replace(base, variance=1.0)  # the maps have the scale
    default = "strict" if symmetry is not None and not listed else "orbit"
    return replace(
        config,
        training=training,
        base=complete_base(base, target),
        density=config.density or ("cell" if continuous else default),
    )

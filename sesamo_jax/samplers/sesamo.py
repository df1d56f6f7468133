"""SESaMo: a flow modulated by a law over the elements of the target's symmetry."""

from sesamo_jax.core import Model, Target
from sesamo_jax.core.method import Config, Method
from sesamo_jax.modulation import LAWS, MAX_ENUMERATED_ORDER, build_law
from sesamo_jax.objectives import OBJECTIVES
from sesamo_jax.samplers.completion import complete_flow, is_listed, require_symmetry
from sesamo_jax.samplers.conditionals.sites import build_on_sites, complete_sites
from sesamo_jax.samplers.modulated_flow import build_flow_model
from sesamo_jax.samplers.sizes import check_base, check_batches
from sesamo_jax.symmetries import Wells


def _complete(config: Config, target: Target) -> Config:
    symmetry = require_symmetry(config, target)
    law, wells = LAWS[config.modulation], isinstance(symmetry, Wells)
    config = complete_sites(config, target)
    varies = law.varies_weights or wells
    config = complete_flow(config, target, symmetry, varies)
    if law.depends_on_y or wells:
        _check_draws(config, target)
    return config


def _check_draws(config: Config, target: Target) -> None:
    """Raise ValueError for an objective blind to how draws of elements follow y."""
    training, objective = config.training, OBJECTIVES[str(config.training.objective)]
    if objective.draws(training.likelihood_share) and not objective.follows_draws:
        raise ValueError(
            f"objective {training.objective!r} has a biased gradient on "
            f"{target.name!r}, where weights depend on elements that are drawn given "
            "y: use 'reinforce' or, where images are listed, 'rao_blackwell'; of data "
            "likelihood_share=1"
        )


def _build(target: Target, config: Config) -> Model:
    def build(target: Target) -> Model:
        return build_flow_model(target, config, build_law(config.modulation, target))

    return build_on_sites(target, config, build)


def _check_sizes(config: Config, target: Target) -> None:
    """Raise ValueError if batches, with the shares of a heat bath, do not fit."""
    assert target.symmetry is not None  # `_complete` has refused targets without
    shares = 0
    drawn = not OBJECTIVES[str(config.training.objective)].is_on_data
    if is_listed(target.symmetry) and drawn and LAWS[config.modulation].takes_orbit:
        shares = int(target.symmetry.order or 0)
    check_base(config, target)
    check_batches(config, target, 1, shares)


def _lacks_density(config: Config, target: Target, name: str) -> str | None:
    order = None if target.symmetry is None else target.symmetry.order
    if order is None or order <= MAX_ENUMERATED_ORDER:
        return None
    return (
        f"{name} needs a density that sums over the symmetry's elements, and "
        f"{target.name!r} has {order}: use method 'flow'"
    )


SESAMO = Method(
    _complete,
    _build,
    _check_sizes,
    uses=("modulation", "sites", "flow", "base", "penalty", "density"),
    lacks_density=_lacks_density,
)

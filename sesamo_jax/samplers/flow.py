"""A flow alone, the baseline without any symmetry, or with one of its own."""

from typing import cast

from sesamo_jax.core import Model, Target
from sesamo_jax.core.method import Config, Method
from sesamo_jax.modulation import ExactLaw, Law
from sesamo_jax.samplers.completion import complete_flow
from sesamo_jax.samplers.conditionals.sites import build_on_sites, complete_sites
from sesamo_jax.samplers.modulated_flow import build_flow_model
from sesamo_jax.samplers.sizes import check_base, check_batches
from sesamo_jax.samplers.symmetry_checks import check_whole_space
from sesamo_jax.symmetries import Trivial


def _complete(config: Config, target: Target) -> Config:
    check_whole_space(config, target)
    return complete_flow(complete_sites(config, target), target)


def _build(target: Target, config: Config) -> Model:
    def build(target: Target) -> Model:
        return build_flow_model(target, config, cast(Law, ExactLaw(Trivial())))

    return build_on_sites(target, config, build)


def _check_sizes(config: Config, target: Target) -> None:
    check_base(config, target)
    check_batches(config, target, images=1, shares=0)


FLOW = Method(
    _complete, _build, _check_sizes, uses=("sites", "flow", "base", "density")
)

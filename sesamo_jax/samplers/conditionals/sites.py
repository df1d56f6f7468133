"""Which sites of a lattice a flow covers: all, or the even ones."""

from collections.abc import Callable
from dataclasses import replace

from sesamo_jax.core import Model, SitewiseSymmetry, Target
from sesamo_jax.core.method import Config
from sesamo_jax.flows import AllSitesConfig
from sesamo_jax.geometry.lattice import Lattice
from sesamo_jax.geometry.neighbours import NearestNeighbours
from sesamo_jax.samplers.conditionals.marginal import build_with_odd_sites

SITES = ("all", "even")
ALL, EVEN = SITES


def why_all_sites(config: Config, target: Target) -> str | None:
    """Return why a flow has to cover all sites; None where the even ones are enough."""
    geometry, symmetry = target.geometry, target.symmetry
    if not isinstance(geometry, NearestNeighbours):
        return f"{target.name!r} declares no action of nearest neighbours"
    if any(extent % 2 for extent in geometry.extents):
        return f"the extents {geometry.extents} are not all even"
    if isinstance(config.flow, AllSitesConfig):
        return f"flow {type(config.flow).__name__} works on whole lattices"
    shape = target.event_shape
    if symmetry is not None and not (
        isinstance(symmetry, SitewiseSymmetry) and symmetry.on_shape(shape)
    ):
        return f"the symmetry {type(symmetry).__name__} does not act on sites alike"
    return None


def complete_sites(config: Config, target: Target) -> Config:
    """Return the configuration with its sites chosen: the even ones where they do.

    Raises:
        ValueError: if they are asked for where they do not.
    """
    reason = why_all_sites(config, target)
    if config.sites == EVEN and reason is not None:
        raise ValueError(f"sites={EVEN!r} is not possible: {reason}; use {ALL!r}")
    chosen = config.sites or (EVEN if reason is None else ALL)
    return replace(config, sites=chosen)


def build_on_sites(
    target: Target, config: Config, build: Callable[[Target], Model]
) -> Model:
    """Return the model of a whole field, by a flow on the sites of the configuration.

    Args:
        target: what to sample.
        config: with its sites completed.
        build: from a target to its model.
    """
    if config.sites == EVEN:
        return build_with_odd_sites(target, build)
    return build(target)


def sites_notice(config: Config, target: Target) -> str | None:
    """Return a line that says which sites a flow covers; None off lattices."""
    if config.sites == EVEN:
        return (
            "the flow covers the even sites, the odd ones are drawn from their exact "
            "conditional"
        )
    if config.sites is None or not isinstance(target.geometry, Lattice):
        return None
    reason = why_all_sites(config, target) or f"sites={ALL}"
    return f"the flow covers all sites: {reason}"

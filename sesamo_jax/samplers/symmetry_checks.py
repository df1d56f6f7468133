"""Checks of methods, bases, flows and densities against a target's symmetry."""

from sesamo_jax.bases import BASES
from sesamo_jax.core import Target
from sesamo_jax.core.method import Config, TrainingConfig
from sesamo_jax.flows import SliceConfig
from sesamo_jax.geometry.slices import Slice
from sesamo_jax.modulation import MAX_ENUMERATED_ORDER
from sesamo_jax.objectives import OBJECTIVES


def check_whole_space(config: Config, target: Target) -> None:
    """Raise ValueError for a target on a slice of its space."""
    if isinstance(target.geometry, Slice):
        raise ValueError(
            f"method {config.method!r} samples all of space and target {target.name!r} "
            "lives on a slice of it: set target.space to 'full'"
        )


def sums_over_images(config: Config) -> bool:
    """Return whether the objective asked for does."""
    name = config.training.objective
    return name is not None and OBJECTIVES[name].sums_over_images


def check_unlisted(config: Config, target: Target) -> None:
    """Raise ValueError for what sums over all elements of a group that is too large."""
    assert target.symmetry is not None
    summing = {
        "density": config.density == "orbit",
        "training.density": config.training.density == "orbit",
        "training.objective": sums_over_images(config),
    }
    remedies = {
        "density": "'orbit': use 'strict'",
        "training.density": "'orbit': use 'cell'",
        "training.objective": "'rao_blackwell': use 'reinforce'",
    }
    for name, wrong in summing.items():
        if wrong:
            raise ValueError(
                f"{target.name!r} has a group of {target.symmetry.order} elements, at "
                f"most {MAX_ENUMERATED_ORDER} can be summed over in {name} "
                f"{remedies[name]}"
            )


def check_wells(config: Config, training: TrainingConfig, target: Target) -> None:
    """Raise ValueError for what needs cells, which wells have not."""
    for name, density in (
        ("density", config.density or "orbit"),
        ("training.density", training.density),
    ):
        if density != "orbit":
            raise ValueError(
                f"{target.name!r} has wells that are no images of each other, and no "
                f"cells for {name}={density!r}: use 'orbit'"
            )
    if sums_over_images(config):
        raise ValueError(
            f"objective {config.training.objective!r} sums over images of one cell, "
            f"and the wells of {target.name!r} have none: use 'reinforce'"
        )


def check_slice(config: Config, target: Target, continuous: bool) -> None:
    """Raise ValueError unless base and flow stay where the density of y is defined.

    A group that acts on slices of the same space, U(1) or O(N), takes y on the slice
    only: off it, the density of x would be wrong without a sign of it.
    """
    needed = continuous and not isinstance(target.geometry, Slice)
    on_slice = BASES[config.base.kind].on_slice
    if needed and not on_slice:
        raise ValueError(
            f"base.kind={config.base.kind!r} leaves the slice on which the symmetry of "
            f"{target.name!r} acts: use 'slice'"
        )
    if needed and not isinstance(config.flow, SliceConfig):
        raise ValueError(
            f"flow {type(config.flow).__name__} leaves the slice on which the symmetry "
            f"of {target.name!r} acts: use flow.name=slice_continuous"
        )
    if not needed and isinstance(config.flow, SliceConfig):
        raise ValueError(
            f"flow {type(config.flow).__name__} takes the slice of a continuous group "
            f"to itself, and method {config.method!r} on {target.name!r} has none: use "
            "another flow.name, such as realnvp"
        )
    if on_slice and not needed:
        raise ValueError(
            f"base.kind={config.base.kind!r} is a density on the slice of a continuous "
            f"group only: use 'gaussian' or 'spectral' for method {config.method!r} on "
            f"{target.name!r}"
        )


def check_continuous(config: Config, target: Target) -> None:
    """Raise ValueError for what needs a list of the group's elements."""
    known = {
        "density": config.density in ("orbit", "strict"),
        "training.density": config.training.density == "orbit",
        "training.objective": sums_over_images(config),
    }
    remedies = {
        "density": f"{config.density!r} sums over a finite group: use 'cell', which is "
        "exact on the slice",
        "training.density": "'orbit' sums over a finite group: use 'cell'",
        "training.objective": "'rao_blackwell' sums over a finite group: use "
        "'reverse_kl' or 'reinforce'",
    }
    for name, wrong in known.items():
        if wrong:
            raise ValueError(
                f"{target.name!r} has a continuous symmetry, and {name} "
                f"{remedies[name]}"
            )

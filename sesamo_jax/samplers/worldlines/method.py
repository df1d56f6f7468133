"""The method `worldlines`: what it takes, and what it does not have."""

from dataclasses import replace

from sesamo_jax.core import Target
from sesamo_jax.core.method import Config, Method
from sesamo_jax.geometry.moments import LocalMoments
from sesamo_jax.objectives import OBJECTIVES
from sesamo_jax.samplers.sizes import check_batches
from sesamo_jax.samplers.worldlines.assemble import build_worldlines
from sesamo_jax.samplers.worldlines.guesses import enough


def _complete(config: Config, target: Target) -> Config:
    """Fill what depends on the target, and refuse what needs a density of x alone."""
    if not isinstance(target.geometry, LocalMoments):
        raise ValueError(
            f"method 'worldlines' is made for the Hubbard model, not for "
            f"{target.name!r}: use 'sesamo'"
        )
    training, density = config.training, config.density
    if density not in (None, "augmented"):
        raise ValueError(
            f"density {density!r} needs the density of x alone, which worldlines do "
            "not have: leave it out"
        )
    if training.density not in (None, "cell"):
        raise ValueError(
            f"training.density {training.density!r} needs another density than that of "
            "samples, which worldlines do not have: leave it out"
        )
    if training.objective and OBJECTIVES[training.objective].is_pathwise:
        raise ValueError(
            f"objective {training.objective!r} needs gradients through samples, which "
            "worldlines do not have: use 'forward_kl'"
        )
    if training.gradient == "path":
        raise ValueError(
            "worldlines have no path gradient, since their samples have no gradient: "
            "use gradient 'total'"
        )
    training = replace(
        training, objective="forward_kl", gradient="total", density="cell"
    )
    worldlines = config.worldlines
    if worldlines.guesses is None:
        worldlines = replace(worldlines, guesses=enough(target.geometry))
    return replace(
        config, training=training, worldlines=worldlines, density="augmented"
    )


def _check_sizes(config: Config, target: Target) -> None:
    guesses = int(config.worldlines.guesses or 1)  # `_complete` has chosen
    check_batches(config, target, 1, guesses, also=" or worldlines.guesses")


def _lacks_density(config: Config, target: Target, name: str) -> str | None:
    return (
        "method 'worldlines' knows no density but that of its own samples, and "
        f"{name} needs one: use 'sesamo'"
    )


WORLDLINES = Method(
    _complete,
    build_worldlines,
    _check_sizes,
    uses=("worldlines", "density"),
    lacks_density=_lacks_density,
)

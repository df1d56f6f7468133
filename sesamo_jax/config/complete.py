"""Checks of a configuration against a target, before any work starts."""

from dataclasses import replace

from sesamo_jax.config.checks.data import check_data
from sesamo_jax.config.checks.sizes import check_sizes
from sesamo_jax.config.schema import ON_DATA, REFERENCES, BaseConfig, Config
from sesamo_jax.core import Target
from sesamo_jax.core.bounds import check_fields
from sesamo_jax.flows import IntegratedConfig
from sesamo_jax.modulation import MAX_ENUMERATED_ORDER
from sesamo_jax.samplers.checks import (
    check_continuous,
    check_slice,
    check_unlisted,
    check_whole_space,
)
from sesamo_jax.samplers.worldlines.guesses import enough


def complete(config: Config, target: Target) -> Config:
    """Fill what depends on the target and check that everything fits together.

    Raises:
        ValueError: with one sentence naming the value and the remedy.
    """
    check_values(config)
    check_data(config, target)
    config = _complete(config, target)
    check_sizes(config, target)
    return config


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


def _complete(config: Config, target: Target) -> Config:
    """Fill what depends on the target and check methods, densities and objectives."""
    if config.method == "worldlines":
        return _complete_worldlines(config, target)
    if config.method == "vmonf":
        return _complete_mixture(config, target)
    foreign = {config.density, config.training.density} & {"augmented", "marginal"}
    if foreign or config.training.objective == "forward_kl":
        raise ValueError(
            "densities 'augmented' and 'marginal' and objective 'forward_kl' are those "
            f"of methods 'worldlines' and 'vmonf', not of {config.method!r}: leave "
            "them out"
        )
    modulated = config.method in ("sesamo", "canonicalization")
    if modulated and target.symmetry is None:
        raise ValueError(
            f"method {config.method!r} needs a symmetry and target {target.name!r} "
            "declares none: use method 'realnvp'"
        )
    if config.method in REFERENCES:
        check_whole_space(config, target)
    training, base = config.training, config.base
    continuous = (
        modulated and target.symmetry is not None and target.symmetry.order is None
    )
    if training.density is None:
        # The likelihood is that of x itself, and a mix has to be of one density.
        exact = training.objective in ON_DATA and not continuous
        training = replace(training, density="orbit" if exact else "cell")
    if continuous:
        check_continuous(config, target)
    learned = config.method == "sesamo" and config.modulation in (
        "learned",
        "autoregressive",
    )
    order = target.symmetry.order if target.symmetry is not None else None
    listed = order is not None and order <= MAX_ENUMERATED_ORDER
    if training.objective is None:
        unbiased = "rao_blackwell" if listed else "reinforce"
        objective = unbiased if learned else "reverse_kl"
        training = replace(training, objective=objective)
    if learned and training.objective == "reverse_kl":
        raise ValueError(
            "objective 'reverse_kl' gives a learned modulation no gradient (App. J): "
            "use 'rao_blackwell', 'self_reparam' or 'reinforce'"
        )
    if training.objective == "rao_blackwell" and training.density == "orbit":
        raise ValueError(
            "objective 'rao_blackwell' sums over images in cell accounting: "
            "set training.density to 'cell'"
        )
    if config.method == "canonicalization" and training.objective == "rao_blackwell":
        raise ValueError(
            "canonicalization draws no u to sum over: use objective 'reverse_kl'"
        )
    if training.gradient is None:
        biased = (
            config.method == "canonicalization" or training.objective == "self_reparam"
        )
        training = replace(training, gradient="total" if biased else "path")
    if training.objective == "self_reparam" and training.gradient == "path":
        # The score left out has zero mean under q, but log Z-hat averages it under p.
        raise ValueError(
            "the path gradient is biased for objective 'self_reparam': use gradient "
            "'total', or objective 'rao_blackwell'"
        )
    if config.method == "canonicalization" and training.gradient == "path":
        # Folded at the cell's border, q~ has an edge that moves with the parameters,
        # and the score that the path gradient leaves out no longer has zero mean.
        raise ValueError(
            "canonicalization's density ends at an edge that the flow moves, where the "
            "path gradient is biased: use gradient 'total'"
        )
    if config.method == "canonicalization":
        if base.mean:
            raise ValueError(
                f"base.mean={base.mean}: canonicalization needs a base that the "
                "symmetry leaves invariant, set base.mean to 0"
            )
        base = replace(base, mean=0.0)
    base = _complete_base(base, target)
    check_slice(config, target, continuous)
    unlisted = modulated and not continuous and not listed
    if unlisted:
        check_unlisted(config, target)
    default = "cell" if continuous else "strict" if unlisted else "orbit"
    density = config.density or default
    return replace(config, training=training, base=base, density=density)


def _complete_base(base: BaseConfig, target: Target) -> BaseConfig:
    """Fill mean and variance of a Gaussian base."""
    if base.kind != "gaussian":
        return base
    variance = base.variance
    if variance is None:
        variance = float(target.prior_variance)
    return replace(base, mean=base.mean or 0.0, variance=variance)


def _complete_mixture(config: Config, target: Target) -> Config:
    """Fill and check the configuration of a mixture of flows."""
    check_whole_space(config, target)
    check_slice(config, target, continuous=False)
    if isinstance(config.flow, IntegratedConfig):
        raise ValueError(
            "method 'vmonf' mixes flows made of couplings, not continuous ones: use "
            "flow.name=realnvp"
        )
    known = ("augmented", "marginal")
    training, density = config.training, config.density or "marginal"
    on_data = training.objective == "maximum_likelihood"
    accounting = training.density or ("marginal" if on_data else "augmented")
    for name, value in (("density", density), ("training.density", accounting)):
        if value not in known:
            raise ValueError(
                f"{name} {value!r} is that of a modulated flow: use 'marginal' or "
                "'augmented' for method 'vmonf'"
            )
    if training.objective not in (None, "rao_blackwell", "maximum_likelihood"):
        raise ValueError(
            f"objective {training.objective!r} draws a component where method 'vmonf' "
            "sums over all of them: use 'rao_blackwell'"
        )
    gradient = training.gradient or ("path" if accounting == "marginal" else "total")
    if gradient == "path" and accounting == "augmented":
        raise ValueError(
            "the path gradient needs the density of x alone: use gradient 'total', or "
            "set training.density to 'marginal'"
        )
    objective = training.objective or "rao_blackwell"
    training = replace(
        training, objective=objective, gradient=gradient, density=accounting
    )
    base = _complete_base(config.base, target)
    return replace(config, training=training, base=base, density=density)


def _complete_worldlines(config: Config, target: Target) -> Config:
    """Fill and check the configuration of a worldline sampler."""
    if target.moments is None:
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
    if training.objective not in (None, "forward_kl"):
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
        worldlines = replace(worldlines, guesses=enough(target.moments))
    return replace(
        config, training=training, worldlines=worldlines, density="augmented"
    )

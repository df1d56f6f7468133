"""Settings that change nothing beside the others: refused, since they were meant to.

A default without effect is none of a user's business, and neither is that of a preset;
what was set explicitly is.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from sesamo_jax.bases import BASES
from sesamo_jax.config.schema import CHAINS, METHODS, SCALARS, Run
from sesamo_jax.flows import IntegratedConfig, SliceConfig
from sesamo_jax.objectives import OBJECTIVES, ON_DATA, Objective
from sesamo_jax.reference.settings import HMCConfig

# Training on chains has as many as a batch is large, and takes all of them.
OF_TRAINING_CHAINS = ("warmup", "leapfrog_steps", "acceptance", "modulation")
OF_HMC_ALONE = tuple(
    item.name for item in fields(HMCConfig) if item.name not in OF_TRAINING_CHAINS
)


SAID_BELOW = ("penalty", "hmc")  # sections of which some fields matter elsewhere


class Use(NamedTuple):
    """What settings are for.

    Attributes:
        names: of the settings; one that ends in a dot stands for its whole section.
        matter: whether they change anything in a run.
        purpose: what they belong to, and so what else to set.
    """

    names: tuple[str, ...]
    matter: Callable[[Run], bool]
    purpose: str


def _trains(run: Run) -> bool:
    return METHODS[run.config.method].is_trained


def _uses(run: Run, name: str) -> bool:
    return name in METHODS[run.config.method].uses


def _users(name: str) -> str:
    """Return the methods that use a section or a field, in words."""
    *others, last = (key for key, method in METHODS.items() if name in method.uses)
    return f"method={', '.join(others)} or {last}" if others else f"method={last}"


def _trains_on_chains(run: Run) -> bool:
    return _trains(run) and run.config.training.data == CHAINS


def _objective(run: Run) -> Objective:
    """Return the objective asked for; all that are chosen by a method draw samples."""
    training = run.config.training
    default = "reverse_kl" if training.data is None else ON_DATA
    return OBJECTIVES[training.objective or default]


def _draws(run: Run) -> bool:
    """Return whether training draws samples of the model."""
    share = run.config.training.likelihood_share
    return _trains(run) and _objective(run).draws(share)


def _is_penalised(run: Run) -> bool:
    """Return whether y can leave a cell that training keeps it in."""
    training = run.config.training
    in_cell = training.density == "cell" or (
        training.density is None and not _objective(run).is_on_data
    )
    has_cell = _uses(run, "penalty") and not isinstance(run.config.flow, SliceConfig)
    return has_cell and _draws(run) and in_cell


def _is_integrated(run: Run) -> bool:
    return _uses(run, "flow") and isinstance(run.config.flow, IntegratedConfig)


def _of_target(name: str, default: Any, run: Run) -> Any:
    return getattr(run.target, name, default)


USES = (
    *[
        Use(
            (name if name in SCALARS else f"{name}.",),
            lambda run, name=name: _uses(run, name),  # type: ignore[misc]
            _users(name),
        )
        for name in dict.fromkeys(name for row in METHODS.values() for name in row.uses)
        if name not in SAID_BELOW
    ],
    Use(
        tuple(f"hmc.{name}" for name in OF_TRAINING_CHAINS),
        lambda run: _uses(run, "hmc") or _trains_on_chains(run),
        "method=hmc, or training.data=chains",
    ),
    Use(
        tuple(f"hmc.{name}" for name in OF_HMC_ALONE),
        lambda run: _uses(run, "hmc"),
        "method=hmc",
    ),
    Use(
        ("density",),
        lambda run: run.config.density != "strict" or _uses(run, "penalty"),
        "methods with a cell, sesamo and canonicalization",
    ),
    Use(
        ("training.",),
        _trains,
        "methods that train, such as sesamo and flow",
    ),
    Use(
        (
            "evaluation.samples",
            "evaluation.batch_size",
            "evaluation.tolerance",
            "evaluation.largest_error",
        ),
        _trains,
        "methods that train, while samplers have sizes of their own, as in hmc.samples",
    ),
    Use(
        ("evaluation.tolerance", "evaluation.largest_error"),
        _is_integrated,
        "flows that are integrated, such as flow.name=continuous and kernel",
    ),
    Use(
        ("flow.steps",),
        lambda run: getattr(run.config.flow, "tolerance", 0) == 0,
        "Runge-Kutta steps, which flow.tolerance=0 takes",
    ),
    Use(
        ("base.variance",),
        lambda run: BASES[run.config.base.kind].takes_variance,
        "base.kind=gaussian",
    ),
    Use(
        ("penalty.", "target.borders"),
        _is_penalised,
        "training with a penalty, which takes method=sesamo or canonicalization, a "
        "flow that can leave its cell, and training.density=cell on samples of it",
    ),
    Use(
        ("penalty.sharpness",),
        lambda run: run.config.penalty.amplitude + run.config.penalty.final > 0,
        "a penalty whose amplitude or final is not 0",
    ),
    Use(
        ("training.gamma",),
        lambda run: _objective(run).takes_gamma,
        "training.objective=self_reparam",
    ),
    Use(
        ("training.patience", "training.decay", "training.minimum_learning_rate"),
        lambda run: run.config.training.schedule == "plateau",
        "training.schedule=plateau",
    ),
    Use(
        (
            "training.gradient",
            "training.density",
            "training.stop_at_ess",
            "training.stop_at_plateau",
        ),
        _draws,
        "losses of samples of the model, not of data alone, as with "
        "training.likelihood_share=0.5",
    ),
    Use(
        ("training.likelihood_share",),
        lambda run: _objective(run).is_on_data,
        "training.objective=maximum_likelihood, or flow_matching",
    ),
    Use(
        ("training.augment",),
        lambda run: _objective(run).is_likelihood,
        "training.objective=maximum_likelihood",
    ),
    Use(
        ("target.kappa",),
        lambda run: _of_target("mass2", None, run) is None,
        "the action without target.mass2, whose hopping term has no coefficient",
    ),
    Use(
        ("target.breaking",),
        lambda run: _of_target("alpha", 1.0, run) != 0,
        "a broken symmetry, target.alpha other than 0",
    ),
    Use(
        ("target.periodic",),
        lambda run: _of_target("lattice", "square", run) in ("square", "honeycomb"),
        "target.lattice=square and honeycomb",
    ),
)


def purpose(run: Run, name: str) -> str | None:
    """Return what a setting is for, if it changes nothing in a run; None if it does.

    Args:
        run: with all fields in their range.
        name: by dotted name.
    """
    section = f"{name.partition('.')[0]}."
    for use in USES:
        if (name in use.names or section in use.names) and not use.matter(run):
            return use.purpose
    return None


def check_effects(run: Run, settings: Mapping[str, Any]) -> None:
    """Raise ValueError for an explicit setting that changes nothing in a run.

    None asks for nothing and is never refused.

    Args:
        run: with all fields in their range.
        settings: those that were given explicitly, by dotted name.
    """
    for name, value in settings.items():
        if value is None or str(value).lower() == "none":
            continue
        what_for = purpose(run, name)
        if what_for is not None:
            raise ValueError(
                f"{name}={value} has no effect with method={run.config.method} on "
                f"{run.target_name!r} as it is set up: it is for {what_for}; "
                "set that, or leave it out"
            )

"""Settings that change nothing beside the others: refused, since they were meant to.

A default without effect is none of a user's business, and neither is that of a preset;
what was set explicitly is.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sesamo_jax.config.schema import ON_DATA, REFERENCES, Run
from sesamo_jax.flows import IntegratedConfig

OF_FLOWS = ("sesamo", "canonicalization", "realnvp", "vmonf")


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
    return run.config.method not in REFERENCES


def _has_flow(run: Run) -> bool:
    return run.config.method in OF_FLOWS


def _has_cell(run: Run) -> bool:
    """Return whether y can leave the cell that the method keeps it in."""
    modulated = run.config.method in ("sesamo", "canonicalization")
    return modulated and not getattr(run.config.flow, "keeps_slice", False)


def _draws(run: Run) -> bool:
    """Return whether training draws samples of the model."""
    training = run.config.training
    mixed = training.objective == "maximum_likelihood" and training.likelihood_share < 1
    return _trains(run) and (mixed or training.objective not in ON_DATA)


def _is_penalised(run: Run) -> bool:
    training = run.config.training
    on_data = training.objective in ON_DATA
    in_cell = training.density == "cell" or (training.density is None and not on_data)
    return _has_cell(run) and _draws(run) and in_cell


def _is_integrated(run: Run) -> bool:
    flow = isinstance(run.config.flow, IntegratedConfig)
    return flow and run.config.method in ("sesamo", "canonicalization", "realnvp")


def _of_target(name: str, default: Any, run: Run) -> Any:
    return getattr(run.target, name, default)


USES = (
    Use(("modulation",), lambda run: run.config.method == "sesamo", "method=sesamo"),
    Use(
        ("density",),
        lambda run: (run.config.method, run.config.density) != ("realnvp", "strict"),
        "methods with a cell, sesamo and canonicalization",
    ),
    *[
        Use(
            (f"{method}.",),
            lambda run, method=method: run.config.method == method,  # type: ignore[misc]
            f"method={method}",
        )
        for method in ("worldlines", "vmonf", "hmc", "smc")
    ],
    Use(
        ("training.", "density"),
        _trains,
        "methods that train, such as sesamo and realnvp",
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
        ("flow.", "base."), _has_flow, "methods with a flow, such as sesamo and realnvp"
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
        lambda run: run.config.base.kind == "gaussian",
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
        lambda run: run.config.training.objective == "self_reparam",
        "training.objective=self_reparam",
    ),
    Use(
        ("training.patience", "training.decay", "training.minimum_learning_rate"),
        lambda run: run.config.training.schedule == "plateau",
        "training.schedule=plateau",
    ),
    Use(
        ("training.gradient", "training.density"),
        _draws,
        "losses of samples of the model, not of data alone, as with "
        "training.likelihood_share=0.5",
    ),
    Use(
        ("training.likelihood_share", "training.augment"),
        lambda run: run.config.training.objective == "maximum_likelihood",
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
        for use in USES:
            named = name in use.names or f"{name.partition('.')[0]}." in use.names
            if named and not use.matter(run):
                raise ValueError(
                    f"{name}={value} has no effect with method={run.config.method} on "
                    f"{run.target_name!r} as it is set up: it is for {use.purpose}; "
                    "set that, or leave it out"
                )

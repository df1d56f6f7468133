"""Checks of what a configuration says about data, before any are read."""

from sesamo_jax.config.schema import ON_DATA, REFERENCES, Config
from sesamo_jax.core import Target
from sesamo_jax.flows.continuous.particle_flow import IntegratedFlow
from sesamo_jax.modulation import MAX_ENUMERATED_ORDER

LARGEST_LISTED = 5  # particles, of whose 120 permutations flow matching makes a list
PLANE = 2


def check_data(config: Config, target: Target) -> None:
    """Raise ValueError where data, objective and method do not fit together."""
    training = config.training
    if training.data is not None or training.objective in ON_DATA:
        _check_density(config, target, "training.data")
    if config.evaluation.data is not None:
        _check_density(config, target, "evaluation.data")
    if training.objective in ON_DATA:
        if training.data is None:
            raise ValueError(
                f"objective {training.objective!r} trains on data: set training.data "
                "to a .npy file of configurations"
            )
    elif training.data is not None:
        raise ValueError(
            f"training.data={training.data!r} is for training.objective="
            f"maximum_likelihood or flow_matching, not for {training.objective!r}: set "
            "one or leave the other out"
        )
    if training.objective == "maximum_likelihood":
        _check_likelihood(config)
    elif training.likelihood_share != 1:
        raise ValueError(
            f"training.likelihood_share={training.likelihood_share} is that of "
            "training.objective=maximum_likelihood: set it, or leave the share out"
        )
    if training.objective == "flow_matching":
        _check_matching(config, target)
    if training.augment and training.data is None:
        raise ValueError(
            "training.augment=True changes data and there are none: set training.data"
        )
    if training.augment and target.position_shape is None:
        raise ValueError(
            "training.augment=True permutes and rotates particles, which "
            f"{target.name!r} does not have: leave it out"
        )


def _check_density(config: Config, target: Target, name: str) -> None:
    """Raise ValueError where the density at given configurations is not known."""
    method = config.method
    if method in REFERENCES:
        raise ValueError(
            f"method {method!r} has no density, which {name} needs: use 'realnvp', "
            "'sesamo' or 'vmonf'"
        )
    if method == "worldlines":
        raise ValueError(
            f"method 'worldlines' knows no density but that of its own samples, and "
            f"{name} needs one: use 'sesamo'"
        )
    order = None if target.symmetry is None else target.symmetry.order
    if method == "sesamo" and order is not None and order > MAX_ENUMERATED_ORDER:
        raise ValueError(
            f"{name} needs a density that sums over the symmetry's elements, and "
            f"{target.name!r} has {order}: use method 'realnvp'"
        )


def _check_likelihood(config: Config) -> None:
    """Raise ValueError for what maximum likelihood cannot do."""
    training = config.training
    if config.method == "canonicalization":
        raise ValueError(
            "canonicalization has no density at all in places, where the objective "
            "'maximum_likelihood' is infinite: use method 'sesamo'"
        )
    if config.method == "vmonf" and training.likelihood_share != 1:
        raise ValueError(
            f"training.likelihood_share={training.likelihood_share} mixes with the "
            "reverse KL of one flow, which method 'vmonf' is not: use 1"
        )


def _check_matching(config: Config, target: Target) -> None:
    """Raise ValueError for what flow matching cannot do."""
    objective = "objective 'flow_matching'"
    if config.method != "realnvp":
        raise ValueError(
            f"{objective} trains a flow alone, which method {config.method!r} is not: "
            "use method 'realnvp'"
        )
    shape = target.position_shape
    if shape is None or shape[0] > LARGEST_LISTED or shape[1] != PLANE:
        system = "none" if shape is None else f"{shape[0]} in {shape[1]} dimensions"
        raise ValueError(
            f"{objective} turns at most {LARGEST_LISTED} particles in {PLANE} "
            f"dimensions towards each other, and {target.name!r} has {system}: use "
            "'maximum_likelihood'"
        )
    flow = config.flow.build(target.event_shape, target.dtype)
    if not isinstance(flow, IntegratedFlow):
        raise ValueError(
            f"{objective} is the regression of a velocity of particles, which flow "
            f"{type(flow).__name__} does not have: use flow.name=equivariant_graph"
        )
    if config.base.kind != "gaussian" or config.base.mean:
        raise ValueError(
            f"{objective} needs a base that permutations and rotations leave "
            f"invariant, not base.kind={config.base.kind!r} with base.mean="
            f"{config.base.mean}: leave both out"
        )
    if config.training.augment:
        raise ValueError(
            f"training.augment=True does nothing for {objective}, which chooses the "
            "images of its data: leave it out"
        )

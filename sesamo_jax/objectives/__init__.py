"""What training minimises, and the table that names it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sesamo_jax.core import Array, Target
from sesamo_jax.objectives import losses
from sesamo_jax.objectives.flow_matching import check_matching, squared_errors
from sesamo_jax.objectives.likelihood import negative_log_likelihoods

__all__ = ["OBJECTIVES", "Batch", "Objective"]


class Batch(NamedTuple):
    """What a loss of a model's samples may take, of n samples.

    Attributes:
        log_w: log weights -f(x) - log q(x), (n,); of all images, (n, |G|).
        penalty: Lambda, (n,).
        log_p_u: log p_S(u | y), of the shape of log_w.
        gamma: weight of log Z-hat.
    """

    log_w: Array
    penalty: Array
    log_p_u: Array
    gamma: float


class Objective(NamedTuple):
    """A kind of loss.

    Attributes:
        loss: `Batch` to a scalar, of samples of the model.
        data_terms: `(model, params, key, x)` to one term per configuration of a batch
            of data, (n,); None where it takes none. Their mean and the loss are mixed
            by `training.likelihood_share`.
        is_likelihood: whether these terms are -log q(x).
        sums_over_images: whether samples come with all their images.
        is_pathwise: whether it needs gradients through samples.
        trains_law: whether its gradient reaches the parameters of a law.
        follows_draws: whether its gradient knows that the draw of an element from a
            law that depends on y changes with y.
        has_path_gradient: whether the gradient through x alone is one without bias.
        takes_gamma: whether it has the weight `training.gamma`.
        check: `(config, target)`; raises ValueError where they do not suit it.
    """

    loss: Callable[[Batch], Array]
    data_terms: Callable[..., Array] | None = None
    is_likelihood: bool = False
    sums_over_images: bool = False
    is_pathwise: bool = True
    trains_law: bool = True
    follows_draws: bool = False
    has_path_gradient: bool = True
    takes_gamma: bool = False
    check: Callable[[Any, Target], None] | None = None

    @property
    def is_on_data(self) -> bool:
        """Whether it needs `training.data`."""
        return self.data_terms is not None

    def draws(self, likelihood_share: float) -> bool:
        """Return whether training draws samples of the model."""
        return not (self.is_on_data and likelihood_share == 1)


def _reverse_kl(batch: Batch) -> Array:
    return losses.reverse_kl(batch.log_w, batch.penalty)


# A new objective: its function in a file, one row here.
OBJECTIVES: dict[str, Objective] = {
    "reverse_kl": Objective(_reverse_kl, trains_law=False),
    "self_reparam": Objective(
        lambda b: losses.self_reparam(b.log_w, b.penalty, b.gamma),
        # The score left out has zero mean under q, but log Z-hat averages it under p.
        has_path_gradient=False,
        takes_gamma=True,
    ),
    "reinforce": Objective(
        lambda b: losses.reinforce(b.log_w, b.penalty, b.log_p_u), follows_draws=True
    ),
    "rao_blackwell": Objective(
        lambda b: losses.rao_blackwell(b.log_w, b.penalty, b.log_p_u),
        sums_over_images=True,
        follows_draws=True,
    ),
    "forward_kl": Objective(lambda b: losses.forward_kl(b.log_w), is_pathwise=False),
    "maximum_likelihood": Objective(
        _reverse_kl, negative_log_likelihoods, is_likelihood=True
    ),
    "flow_matching": Objective(_reverse_kl, squared_errors, check=check_matching),
}
ON_DATA = "maximum_likelihood"  # where data are given and no objective

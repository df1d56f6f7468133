"""The loss of one batch, by objective, density and gradient."""

import jax
import jax.numpy as jnp

from sesamo_jax.config.completed import CompletedConfig
from sesamo_jax.config.schema import Config
from sesamo_jax.core import Array, Key, Model, Params, Target
from sesamo_jax.modulation.discrete.heat_bath import fold
from sesamo_jax.numerics import batch_ess, log_mean_exp
from sesamo_jax.objectives import OBJECTIVES, Batch, Objective
from sesamo_jax.objectives.likelihood import mix
from sesamo_jax.objectives.penalty import penalty
from sesamo_jax.parallel.devices import over_batch
from sesamo_jax.samplers.weighting import AS_DRAWN, log_q


def batch_loss(
    model: Model,
    target: Target,
    config: CompletedConfig,
    params: Params,
    key: Key,
    amplitude: Array | float | None = None,
    x: Array | None = None,
    share: Array | float = 1.0,
) -> tuple[Array, dict[str, Array]]:
    """Return the loss of one batch and its metrics, all scalars.

    The configuration must be complete; `amplitude` is the penalty's A, None for the
    configured starting value. `flow_matching` and `maximum_likelihood` need a batch `x`
    of data, (n, *event_shape), and their `share` lambda of the loss. Where it is 1
    throughout, no samples of the model are drawn: `loss` is the NLL, or the mean
    squared error, and `ess`, `log_z` and `leak` are NaN.

    Samples are of the model's marginal, where it has one: the rest of x weighs the same
    everywhere.
    """
    training = config.training
    objective = OBJECTIVES[training.objective]
    of_model = None
    if objective.draws(training.likelihood_share):
        drawn = model.marginal or (model, target)
        of_model = _model_loss(objective, *drawn, config, params, key, amplitude)
    if objective.data_terms is None:
        assert of_model is not None
        return of_model
    terms = objective.data_terms(model, params, key, x)
    return mix(terms, of_model, share, objective.is_likelihood)


def _model_loss(
    objective: Objective,
    model: Model,
    target: Target,
    config: CompletedConfig,
    params: Params,
    key: Key,
    amplitude: Array | float | None,
) -> tuple[Array, dict[str, Array]]:
    """Return the loss of one batch of the model's samples, and its metrics.

    With the path gradient, log q~ is evaluated at fixed flow parameters, so that they
    act through y alone ("sticking the landing"): the part left out has zero mean, and
    without it the gradient noise vanishes as q approaches p. Parameters of a learned
    law keep their gradient.
    """
    training = config.training
    density, margins, leaked = training.density, model.margins, model.leaked
    second_pass = training.gradient == "path"
    if density == "cell":
        if model.unmodulated is not None:
            model, target = model.unmodulated, fold(target)
        if second_pass and model.path_gradient is not None:
            model, second_pass = model.path_gradient, False
    over_images = objective.sums_over_images
    if over_images:
        assert model.images is not None  # `complete` has refused continuous groups
        samples = model.images(params, key, training.batch_size)
    else:
        samples = model.sample(params, key, training.batch_size)
    action = jax.vmap(target.action) if over_images else target.action
    if second_pass:
        fixed = {**params, "flow": jax.lax.stop_gradient(params["flow"])}
        log_density = log_q(model, fixed, samples, density)
    elif density in AS_DRAWN:
        log_density = samples.log_q
    else:
        log_density = log_q(model, params, samples, density)
    log_w = -over_batch(action)(samples.x) - log_density
    beyond = margins(samples.y)
    lam = jnp.zeros(beyond.shape[:-1], beyond.dtype)
    if density == "cell":
        start = config.penalty.amplitude
        lam = penalty(
            beyond, start if amplitude is None else amplitude, config.penalty.sharpness
        )
    loss = objective.loss(Batch(log_w, lam, samples.log_p_u, training.gamma))
    log_share, log_z, terms = None, log_mean_exp(log_w), -log_w
    if over_images:
        log_share = samples.log_p_u - jnp.log(training.batch_size)
        log_z = jax.nn.logsumexp(log_share + log_w)
        terms = -jnp.sum(jnp.exp(samples.log_p_u) * log_w, axis=1)
    outside = jnp.zeros(()) if leaked is None else leaked(samples.y)
    metrics = {
        "loss": loss,
        "loss_std": jnp.std(lam + terms),
        "ess": batch_ess(log_w, log_share),
        "log_z": log_z,
        "leak": jnp.mean(outside, dtype=log_w.dtype),
    }
    return loss, metrics


def penalty_amplitude(config: Config, step: Array) -> Array:
    """Return A at a step: from `amplitude` linearly to `final` half way, then constant.

    A large A chooses the cell. Kept on, it presses the density down along the cell's
    border, where the orbit density then misses mass of the target; with none at all,
    cell accounting rewards leaking, by log(1 + leak), which A > 2 outweighs.
    """
    start, end = config.penalty.amplitude, config.penalty.final
    progress = jnp.minimum(2 * step / config.training.steps, 1.0)
    return start + (end - start) * progress

"""Samples of a trained model with all that a report needs to know of them."""

from collections.abc import Callable, Iterator
from functools import partial
from math import isnan
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.config.complete import complete_model
from sesamo_jax.config.schema import Config, EvaluationConfig
from sesamo_jax.core import Array, Key, Model, Params, Symmetry, Target, as_finite
from sesamo_jax.modulation.discrete.heat_bath import image_actions, log_shares
from sesamo_jax.parallel.memory import check_memory
from sesamo_jax.samplers.weighting import AS_DRAWN, log_q
from sesamo_jax.storage.data import read_data
from sesamo_jax.symmetries import Wells

ERROR_SAMPLES = 1000


class Draws(NamedTuple):
    """Evaluated samples of one model, host arrays with n rows.

    Attributes:
        x: configurations.
        u: group elements that were drawn, see `core.Samples`.
        action: f(x).
        log_w: log weights -f - log q in the configured accounting.
        leaked: whether the flow's output lay outside the cell; None without a cell.
        sectors: symmetry sector of x; None without a symmetry.
        heat_bath: the target's probability of each sector on the orbit of x, where no
            exact sector probabilities are known; else None.
        observables: values by name.
        forward_log_w: log weights at exact samples of the target, or at held-out data
            where it has none; None without either.
        integration_error: root mean square error of log q~ where the flow is integrated
            numerically, against an adaptive integration; else None.
        held_out_log_q: exact log q at held-out data; None without them.
    """

    x: np.ndarray
    u: np.ndarray
    action: np.ndarray
    log_w: np.ndarray
    leaked: np.ndarray | None
    sectors: np.ndarray | None
    heat_bath: np.ndarray | None
    observables: dict[str, np.ndarray]
    forward_log_w: np.ndarray | None
    integration_error: float | None
    held_out_log_q: np.ndarray | None = None


def build_draw(
    model: Model, target: Target, config: Config, data: np.ndarray | None = None
) -> Callable[[Params, Key], Draws]:
    """Return `(params, key) -> Draws`; its programs compile once for all seeds.

    Args:
        model: from `build_model`.
        target: what it should sample.
        config: `evaluation` says how much.
        data: what `evaluation.data` holds, where it has been read before; None reads
            it.

    Raises:
        ValueError: if `evaluation.data` does not hold what it should.
    """
    config = complete_model(config, target)
    if data is None:
        data = read_data("evaluation", config, target)
    integrated = model.integrated
    model = model if integrated is None else integrated.accurate
    n = config.evaluation.samples
    batch = min(config.evaluation.batch_size, n)
    symmetry, exact, density = target.symmetry, target.exact, config.density
    action = jax.vmap(target.action)

    @jax.jit
    def evaluate_batch(params: Params, key: Key) -> dict[str, Any]:
        samples = model.sample(params, key, batch)
        x = samples.x
        actions = action(x)
        log_density = samples.log_q
        if density not in AS_DRAWN:
            log_density = log_q(model, params, samples, density)
        out = {
            "x": x,
            "u": samples.u,
            "action": actions,
            "log_w": -actions - log_density,
            "observables": jax.vmap(target.observe)(x),
        }
        if model.leaked is not None:
            out["leaked"] = model.leaked(samples.y)
        if symmetry is not None and target.listed_sectors:
            out["sectors"] = jax.vmap(symmetry.sector)(x)
            if exact.sectors is None and not isinstance(symmetry, Wells):
                out["heat_bath"] = jax.vmap(partial(_orbit_weights, target, symmetry))(
                    x
                )
        return out

    @jax.jit
    def integration_error(params: Params, key: Key) -> Array:
        samples = model.sample(params, key, min(n, ERROR_SAMPLES))
        assert integrated is not None
        adaptive = integrated.adaptive_log_prob(params, samples.y, drawn=True)
        error = samples.log_q - samples.log_p_u - adaptive
        return jnp.sqrt(jnp.mean(error**2))

    @jax.jit
    def forward_batch(params: Params, key: Key) -> Array:
        assert target.sample is not None
        assert model.log_prob is not None
        x = target.sample(key, batch)
        return -action(x) - model.log_prob(params, x)

    @jax.jit
    def data_batch(params: Params, x: Array) -> tuple[Array, Array]:
        assert model.log_prob is not None  # `complete` has refused data without it
        return -action(x), model.log_prob(params, x)

    def at_data(params: Params, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return log weights and log q at held-out data."""
        size = config.evaluation.batch_size
        parts = [
            jax.device_get(data_batch(params, jnp.asarray(x[i : i + size])))
            for i in range(0, len(x), size)
        ]
        log_p, log_density = (
            np.concatenate(column) for column in zip(*parts, strict=True)
        )
        return log_p - log_density, log_density

    def keys(key: Key) -> Iterator[Key]:
        return (jax.random.fold_in(key, i) for i in range(-(-n // batch)))

    def gather(parts: list) -> Any:
        return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:n], *parts)

    compiled: jax.stages.Compiled | None = None

    def draw(params: Params, key: Key) -> Draws:
        nonlocal compiled
        own, forward = jax.random.split(key)
        if compiled is None:
            compiled = evaluate_batch.lower(params, own).compile()
            check_memory(compiled, "the report", "lower evaluation.batch_size")
        error = None
        if integrated is not None:
            error = float(integration_error(params, own))
            _check_integration(error, config.evaluation)
        out = gather([jax.device_get(compiled(params, k)) for k in keys(own)])
        out.setdefault("leaked", None)
        out.setdefault("sectors", None)
        out.setdefault("heat_bath", None)
        forward_log_w, held_out_log_q = None, None
        if data is not None:
            forward_log_w, held_out_log_q = at_data(params, data)
        if target.sample is not None and model.log_prob is not None:
            parts = [np.asarray(forward_batch(params, k)) for k in keys(forward)]
            forward_log_w = gather(parts)
        return Draws(
            **out,
            forward_log_w=forward_log_w,
            integration_error=error,
            held_out_log_q=held_out_log_q,
        )

    return draw


def _check_integration(error: float, evaluation: EvaluationConfig) -> None:
    """Raise ValueError unless log q is integrated well enough to weigh samples."""
    if isnan(error):
        raise ValueError(
            "log q of some samples, or its adaptive integration to evaluation.tolerance"
            f"={evaluation.tolerance}, has no finite value: train with a smaller "
            "training.learning_rate, or raise that tolerance"
        )
    if not error <= evaluation.largest_error:
        raise ValueError(
            f"the integration error {error:.2g} of log q exceeds "
            f"evaluation.largest_error={evaluation.largest_error}: train with more "
            "flow.steps or, if there is one, a smaller flow.slope, or raise that bound"
        )


def _orbit_weights(target: Target, symmetry: Symmetry, x: Array) -> Array:
    """Return the target's probability of each sector on the orbit of x, (|G|,)."""
    y = symmetry.undo(symmetry.sector(x), x)
    return jnp.exp(log_shares(image_actions(target.action, as_finite(symmetry), y)))

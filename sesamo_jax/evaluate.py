"""Judging a trained model: draw, weigh, and estimate everything with its error."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax import estimators
from sesamo_jax.config import Config, EvaluationConfig
from sesamo_jax.core import Array, Key, Model, Params, Symmetry, Target
from sesamo_jax.data import read_data
from sesamo_jax.density import AS_DRAWN, leaked, log_q
from sesamo_jax.estimators import Estimate, number, numbers
from sesamo_jax.memory import check_memory
from sesamo_jax.reference.autocorrelation import gamma_method
from sesamo_jax.reference.independence import independence_chain
from sesamo_jax.validation import complete

ERROR_SAMPLES = 1000


class Draws(NamedTuple):
    """Evaluated samples of one model, host arrays with n rows.

    Attributes:
        x: configurations.
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
    config = complete(config, target)
    if data is None:
        data = read_data("evaluation", config, target)
    training_model, model = model, model.accurate or model
    n = config.evaluation.samples
    batch = min(config.evaluation.batch_size, n)
    symmetry, exact, density = target.symmetry, target.exact, str(config.density)
    action = jax.vmap(target.action)

    @jax.jit
    def evaluate_batch(params: Params, key: Key) -> dict[str, Any]:
        samples = model.sample(params, key, batch)
        x, margins = samples.x, model.margins(samples.y)
        actions = action(x)
        log_density = samples.log_q
        if density not in AS_DRAWN:
            log_density = log_q(model, params, samples, density)
        out = {
            "x": x,
            "action": actions,
            "log_w": -actions - log_density,
            "observables": jax.vmap(target.observe)(x),
        }
        if margins.shape[-1]:
            out["leaked"] = leaked(margins)
        if symmetry is not None and target.listed_sectors:
            out["sectors"] = jax.vmap(symmetry.sector)(x)
            if exact.sectors is None:
                out["heat_bath"] = jax.vmap(partial(_orbit_weights, target, symmetry))(
                    x
                )
        return out

    @jax.jit
    def integration_error(params: Params, key: Key) -> Array:
        samples = model.sample(params, key, min(n, ERROR_SAMPLES))
        assert training_model.adaptive_log_prob is not None
        adaptive = training_model.adaptive_log_prob(params, samples.y)
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
        if training_model.adaptive_log_prob is not None:
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
    if not error <= evaluation.largest_error:
        raise ValueError(
            f"the integration error {error:.2g} of log q exceeds "
            f"evaluation.largest_error={evaluation.largest_error}: train with more "
            "flow.steps or, if there is one, a smaller flow.slope, or raise that bound"
        )


def _orbit_weights(target: Target, symmetry: Symmetry, x: Array) -> Array:
    """Return the target's probability of each sector on the orbit of x, (|G|,)."""
    y = symmetry.undo(symmetry.sector(x), x)
    images = jax.vmap(lambda g: symmetry.act(g, y)[0])(jnp.arange(symmetry.order))
    return jax.nn.softmax(-jax.vmap(target.action)(images))


def report(draws: Draws, target: Target) -> dict[str, Any]:
    """Return the estimates of one seed under the names of `metrics.json`.

    What does not exist (no exact value, no cell, an infinite estimate) is None.
    """
    log_w, exact = draws.log_w, target.exact
    out: dict[str, Any] = {}
    _put(out, "ess", estimators.ess(log_w))
    forward = draws.forward_log_w
    forward_ess = None if forward is None else estimators.forward_ess(forward)
    _put(out, "forward_ess", forward_ess)
    held_out = draws.held_out_log_q
    _put(out, "nll", None if held_out is None else estimators.nll(held_out))
    out["forward_from"] = None
    if forward is not None:
        out["forward_from"] = "data" if target.sample is None else "exact samples"
    _put(out, "log_z", estimators.log_z(log_w))
    elbo = estimators.elbo(log_w)
    _put(out, "elbo", elbo)
    kl = None
    if exact.log_z is not None:
        kl = Estimate(exact.log_z - elbo.mean, elbo.error)
    _put(out, "kl", kl)
    out["leak"] = None if draws.leaked is None else float(draws.leaked.mean())
    out["integration_error"] = draws.integration_error
    out["max_weight_share"] = number(estimators.max_weight_share(log_w))
    out.update(_independence_report(draws))
    out.update(_sector_report(draws, target))
    out["observables"] = _observable_report(draws, target)
    return out


def _independence_report(draws: Draws) -> dict[str, Any]:
    """Return how a Metropolis chain moves with the samples, in order, as proposals.

    Its autocorrelation time, in steps, is that of |M| where the target has it, the
    slowest quantity of a lattice field, and else of the action.
    """
    known = {"action": draws.action, **draws.observables}
    name = "abs_magnetization" if "abs_magnetization" in known else "action"
    out: dict[str, Any] = {"imh_acceptance": None, "imh_tau_int": None}
    out["imh_observable"] = name
    # A fixed seed: the decisions are independent of the samples, whose key varies.
    chain = independence_chain(draws.log_w, np.random.default_rng(0))
    if chain is None:
        return out
    out["imh_acceptance"] = number(chain.acceptance)
    series = known[name][chain.indices]
    if np.ptp(series) > 0:  # a chain that never moves takes longer than can be seen
        out["imh_tau_int"] = gamma_method(series[None]).tau_int
    return out


def _observable_report(draws: Draws, target: Target) -> dict[str, Any]:
    values = {k: v.astype(np.float64) for k, v in draws.observables.items()}
    out: dict[str, Any] = {}
    for name, sample in values.items():
        means, errors = estimators.reweighted_array(sample, draws.log_w)
        out[name] = {"mean": numbers(means), "error": numbers(errors)}
    for name, (inputs, function) in target.derived.items():
        needed = {key: values[key] for key in inputs}
        mean, error = estimators.derived(function, needed, draws.log_w)
        out[name] = {"mean": number(mean), "error": number(error)}
    return out


def _sector_report(draws: Draws, target: Target) -> dict[str, Any]:
    names = ("sectors", "sectors_reweighted", "sectors_expected")
    order = target.listed_sectors
    if draws.sectors is None or order is None:
        return {key: None for name in names for key in (name, f"{name}_error")}
    if target.exact.sectors is not None:
        expected = [Estimate(float(p), 0.0) for p in target.exact.sectors]
    else:
        columns = np.asarray(draws.heat_bath, np.float64).T
        expected = [estimators.reweighted(column, draws.log_w) for column in columns]
    shares = {
        "sectors": estimators.sector_shares(draws.sectors, order),
        "sectors_reweighted": estimators.reweighted_sector_shares(
            draws.sectors, order, draws.log_w
        ),
        "sectors_expected": expected,
    }
    out: dict[str, Any] = {}
    for name, estimates in shares.items():
        out[name] = [number(estimate.mean) for estimate in estimates]
        out[f"{name}_error"] = [number(estimate.error) for estimate in estimates]
    return out


def _put(out: dict[str, Any], name: str, estimate: Estimate | None) -> None:
    out[name] = None if estimate is None else number(estimate.mean)
    out[f"{name}_error"] = None if estimate is None else number(estimate.error)


def evaluate(
    model: Model, target: Target, config: Config, params: Params, key: Key
) -> dict[str, Any]:
    """Draw `config.evaluation.samples` from one trained model and report on them.

    Args:
        model: from `build_model`.
        target: what it should sample.
        config: `density` chooses the accounting, `evaluation` the amount.
        params: of one seed, no leading axis.
        key: for the samples.

    Returns:
        Estimates by name: `ess`, `forward_ess`, `log_z`, `elbo`, `kl`, `nll` (each with
        a `..._error`), `forward_from`, `leak`, `max_weight_share`,
        `integration_error`, `imh_acceptance`, `imh_tau_int`, `sectors`, `observables`.
    """
    return report(build_draw(model, target, config)(params, key), target)

"""Judging a trained model: draw, weigh, and estimate everything with its error."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sesamo_jax import estimators
from sesamo_jax.config.schema import Config
from sesamo_jax.core import Key, Model, Params, Target
from sesamo_jax.estimators.autocorrelation import gamma_method
from sesamo_jax.estimators.independence import chain_through
from sesamo_jax.estimators.weighted import (
    SECTOR_ESTIMATES,
    Estimate,
    number,
    numbers,
    put,
)
from sesamo_jax.evaluation.audit import build_audited
from sesamo_jax.evaluation.sampling import Draws, build_draw


def report(draws: Draws, target: Target) -> dict[str, Any]:
    """Return the estimates of one seed under the names of `metrics.json`.

    What does not exist (no exact value, no cell, an infinite estimate) is None.
    """
    log_w, exact = draws.log_w, target.exact
    out: dict[str, Any] = {}
    put(out, "ess", estimators.ess(log_w))
    log_z = estimators.log_z(log_w)
    known = log_z if exact.log_z is None else Estimate(exact.log_z, 0.0)
    forward = draws.forward_log_w
    forward_ess = None if forward is None else estimators.forward_ess(forward, known)
    put(out, "forward_ess", forward_ess)
    held_out = draws.held_out_log_q
    put(out, "nll", None if held_out is None else estimators.nll(held_out))
    out["forward_from"] = None
    if forward is not None:
        out["forward_from"] = "data" if target.sample is None else "exact samples"
    put(out, "log_z", log_z)
    elbo = estimators.elbo(log_w)
    put(out, "elbo", elbo)
    kl = None
    if exact.log_z is not None:
        kl = Estimate(exact.log_z - elbo.mean, elbo.error)
    put(out, "kl", kl)
    out["leak"] = None if draws.leaked is None else float(draws.leaked.mean())
    out["integration_error"] = draws.integration_error
    out["max_weight_share"] = number(estimators.max_weight_share(log_w))
    out["pareto_k"] = number(estimators.pareto_k(log_w))
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
    chain = chain_through(draws.log_w, np.random.default_rng(0))
    if chain is None:
        return out
    out["imh_acceptance"] = number(chain.acceptance)
    series = known[name][chain.indices]
    out["imh_tau_int"] = number(gamma_method(series[None]).tau_int)
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
    out: dict[str, Any] = {"sectors_expected": None}
    order = target.listed_sectors
    shares: dict[str, list[Estimate]] = {}
    if draws.sectors is not None and order is not None:
        shares["sectors"] = estimators.sector_shares(draws.sectors, order)
        shares["sectors_reweighted"] = estimators.reweighted_sector_shares(
            draws.sectors, order, draws.log_w
        )
    if draws.heat_bath is not None:
        columns = np.asarray(draws.heat_bath, np.float64).T
        shares["sectors_heat_bath"] = [
            estimators.reweighted(column, draws.log_w) for column in columns
        ]
    if shares and target.exact.sectors is not None:
        out["sectors_expected"] = [float(p) for p in target.exact.sectors]
    for name in SECTOR_ESTIMATES:
        estimates = shares.get(name)
        out[name] = estimates and [number(estimate.mean) for estimate in estimates]
        out[f"{name}_error"] = estimates and [number(e.error) for e in estimates]
    return out


def build_evaluate(
    model: Model, target: Target, config: Config
) -> Callable[[Params, Key], dict[str, Any]]:
    """Return `evaluate` of parameters and a key; its programs compile once."""
    draw = build_draw(model, target, config)
    audited = build_audited(model, target, config)

    def evaluate(params: Params, key: Key) -> dict[str, Any]:
        draws = draw(params, key)
        return report(draws, target) | audited(params, draws, key)

    return evaluate


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
        a `..._error`), `forward_from`, `leak`, `max_weight_share`, `pareto_k`,
        `integration_error`, `imh_acceptance`, `imh_tau_int`, `sectors`, `observables`;
        with `evaluation.audit` those of `audit`, first of all `verdict`.
    """
    return build_evaluate(model, target, config)(params, key)

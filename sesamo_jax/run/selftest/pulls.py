"""Pulls of estimates, (estimate - exact) / error, over repeated reports."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from sesamo_jax import estimators
from sesamo_jax.config.build import build_model
from sesamo_jax.core import Key, Target
from sesamo_jax.evaluation.audit import build_audit
from sesamo_jax.evaluation.report import report
from sesamo_jax.evaluation.sampling import build_draw
from sesamo_jax.evaluation.witness import build_witness
from sesamo_jax.reference.hmc import build_hmc
from sesamo_jax.reference.report import chain_report
from sesamo_jax.reference.settings import HMCConfig
from sesamo_jax.run.selftest.cases import Case, draw_cases
from sesamo_jax.training.fit import fit

CHAINS = HMCConfig(chains=8, warmup=150, samples=150, leapfrog_steps=6)


class Pull(NamedTuple):
    """One estimate beside its exact value.

    Attributes:
        quantity: what kind of estimate it is.
        value: (estimate - exact) / error; None where the report marks it as having no
            error to trust.
    """

    quantity: str
    value: float | None


def measure_all(seed: int, cases: int, repeats: int) -> Iterator[list[Pull]]:
    """Yield the pulls of one random target after another, the same for a seed."""
    for index, case in enumerate(draw_cases(seed, cases)):
        yield measure(case, repeats, jax.random.fold_in(jax.random.key(seed), index))


def measure(case: Case, repeats: int, key: Key) -> list[Pull]:
    """Return the pulls of independent reports on one trained model, and of chains.

    Each report has its own samples, and its own chains where it is audited by some.
    The ESS has no exact value: its reference is that of the weights of all reports
    together, which widens its pulls by a share 1 / (2 repeats).
    """
    entries = _reports(case, repeats, key)
    pooled = estimators.ess(np.concatenate([log_w for log_w, _ in entries])).mean
    found = []
    for _, entry in entries:
        found.append(_pull("ESS", entry["ess"], entry["ess_error"], pooled))
        found.extend(_known(entry, case.target, "reweighted means"))
    chains = build_hmc(case.target, CHAINS)
    for index in range(repeats):
        drawn = chains(jax.random.fold_in(key, repeats + index))
        found.extend(_known(chain_report(drawn, case.target), case.target, "chains"))
    return found


def _reports(
    case: Case, repeats: int, key: Key
) -> list[tuple[np.ndarray, dict[str, Any]]]:
    """Return log weights and entries of every report."""
    target, config = case.target, case.config
    model = build_model(target, config)
    fitted = fit(model, target, config, 1)
    params = jax.tree.map(lambda leaf: leaf[0], fitted.params)
    draw = build_draw(model, target, config)
    witness = build_witness(model, target, config)
    audit = build_audit(model, target, config.evaluation.batch_size)
    entries = []
    for index in range(repeats):
        own = jax.random.fold_in(key, index)
        draws = draw(params, own)
        seen = None if witness is None else witness(params, jax.random.fold_in(own, 1))
        entry = report(draws, target) | audit(params, draws, seen)
        entries.append((draws.log_w, entry))
    return entries


def _known(entry: dict[str, Any], target: Target, kind: str) -> Iterator[Pull]:
    """Yield the pulls of whatever is known exactly; `kind` names those of means."""
    exact = target.exact
    names = {"log_z": "log Z", "log_z_from_p": "log Z from p", "bar": "log Z, both"}
    if exact.log_z is not None and entry.get("log_z") is not None:
        for name, quantity in names.items():
            error = entry[f"{name}_error"]
            yield _pull(quantity, entry[name], error, exact.log_z)
    for name, value in exact.observables.items():
        found = entry["observables"][name]
        yield _pull(kind, found["mean"], found["error"], value)
    shares = entry["sectors_reweighted"]
    if shares is not None and exact.sectors is not None:
        error = entry["sectors_reweighted_error"][0]  # all shares together are 1
        yield _pull(f"sectors, {kind}", shares[0], error, float(exact.sectors[0]))


def _pull(quantity: str, mean: float | None, error: float | None, exact: float) -> Pull:
    if mean is None or not error:
        return Pull(quantity, None)
    return Pull(quantity, (mean - exact) / error)

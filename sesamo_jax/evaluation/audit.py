"""The audit: a model's report beside samples of the target that are not the model's.

A model is judged from its own samples, so that a mode that it never visits does not
exist for it. Samples of p are exact ones where the target has them, and else those of
modulated chains, half of which start from the model and half from a Gaussian. They
give a verdict only if they are healthy themselves.
"""

from collections.abc import Callable
from math import sqrt
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax import estimators
from sesamo_jax.config.complete import complete_model
from sesamo_jax.config.schema import Config
from sesamo_jax.core import Array, Key, Model, Params, Target
from sesamo_jax.estimators.autocorrelation import gamma_method
from sesamo_jax.estimators.two_sided import two_sided
from sesamo_jax.estimators.weighted import Estimate, number, put
from sesamo_jax.evaluation.sampling import Draws
from sesamo_jax.evaluation.verdict import (
    inconsistency,
    missed,
    observables_apart,
    sectors_apart,
)
from sesamo_jax.evaluation.witness import Witness, build_witness, disagreement

ENTRIES = ("eubo", "log_z_from_p", "bar", "missing")
OWN = 1000  # samples whose density is compared with itself, and at most of a batch
NOT = "not audited"


def build_audited(
    model: Model, target: Target, config: Config
) -> Callable[[Params, Draws, Key], dict[str, Any]]:
    """Return `(params, draws, key)` to the entries of an audit, for one seed at a time.

    Chains run once, with the parameters that come first. Without `evaluation.audit` the
    entries say so.
    """
    config = complete_model(config, target)
    if not config.evaluation.audit:
        off = _empty() | {"verdict": f"{NOT}: evaluation.audit is false"}
        return lambda params, draws, key: off
    model = model if model.integrated is None else model.integrated.accurate
    build = build_witness(model, target, config)
    audit = build_audit(model, target, config.evaluation.batch_size)
    witness: Witness | None = None

    def audited(params: Params, draws: Draws, key: Key) -> dict[str, Any]:
        nonlocal witness
        if witness is None and build is not None:
            witness = build(params, jax.random.fold_in(key, 0xA0D17))
        return audit(params, draws, witness)

    return audited


def build_audit(
    model: Model, target: Target, batch_size: int
) -> Callable[[Params, Draws, Witness | None], dict[str, Any]]:
    """Return `(params, draws, witness)` to entries of `metrics.json`, of one seed.

    The entries are `verdict`, the estimates of `estimators.two_sided` and the shares of
    sectors by the witness, each with its error; None where they do not exist.
    """
    own = min(OWN, batch_size)
    log_prob = None if model.log_prob is None else jax.jit(model.log_prob)

    @jax.jit
    def own_densities(params: Params, key: Key) -> tuple[Array | None, Array | None]:
        """Return log q~(y) less that of drawing, and log q of drawing less log q(x)."""
        samples = model.sample(params, key, own)
        if model.flow_log_prob is None or model.log_prob is None:
            return None, None  # a mixture counts its components in log q
        of_flow = model.flow_log_prob(params, samples.y, drawn=True)
        of_flow -= samples.log_q - samples.log_p_u
        return of_flow, samples.log_q - model.log_prob(params, samples.x)

    def log_q(params: Params, x: np.ndarray) -> np.ndarray:
        assert log_prob is not None
        flat = x.reshape(-1, *target.event_shape)
        count = min(own, len(flat))
        padded = np.resize(flat, (-(-len(flat) // count) * count, *flat.shape[1:]))
        parts = [
            np.asarray(log_prob(params, jnp.asarray(padded[i : i + count])))
            for i in range(0, len(padded), count)
        ]
        values = np.concatenate(parts)[: len(flat)].astype(np.float64)
        return values.reshape(x.shape[: x.ndim - len(target.event_shape)])

    def audit(params: Params, draws: Draws, witness: Witness | None) -> dict[str, Any]:
        out = _empty()
        doubt = None if witness is None else witness.doubt
        if witness is not None and len(witness.x) == 0:
            return out | {"verdict": f"{NOT}: {doubt}"}
        if witness is not None and doubt is None:
            out |= _sector_entries(witness, target)
        if witness is not None and log_prob is None:
            wrong = sectors_apart(out, draws, target)
            wrong = wrong or observables_apart(witness, draws)
            agrees = f"agrees with {witness.source} on observables"
            return out | {"verdict": _joined(wrong, doubt) or agrees}
        if witness is None:
            assert draws.forward_log_w is not None  # so that there is no witness
            source, log_w = "exact samples", draws.forward_log_w[:, None]
        else:
            source, log_w = witness.source, -witness.action - log_q(params, witness.x)
            doubt = doubt or disagreement("log w", log_w)
        sides = two_sided(draws.log_w, log_w)
        if doubt is None:
            for name in ENTRIES:
                put(out, name, getattr(sides, name))
        # Independent data serve better than chains.
        if doubt is None and witness is not None and draws.forward_log_w is None:
            put(out, "forward_ess", _forward_ess(log_w, draws))
            out["forward_from"] = source
        densities = jax.device_get(own_densities(params, jax.random.key(0)))
        wrong = inconsistency(*densities) or missed(sides, log_w, out, draws, target)
        if wrong is None and witness is not None:
            wrong = observables_apart(witness, draws)
        return out | {"verdict": _joined(wrong, doubt) or f"agrees with {source}"}

    return audit


def _joined(wrong: str | None, doubt: str | None) -> str | None:
    """Return what is said against a model, which is less if chains are in doubt."""
    if doubt is None:
        return wrong
    return f"{NOT}: {doubt}" + (f"; by what there is of them, {wrong}" if wrong else "")


def _empty() -> dict[str, Any]:
    names = (*ENTRIES, "sectors_audit")
    return {key: None for name in names for key in (name, f"{name}_error")}


def _sector_entries(witness: Witness, target: Target) -> dict[str, Any]:
    order = target.listed_sectors
    if witness.sectors is None or order is None:
        return {}
    rows = [gamma_method((witness.sectors == g).astype(float)) for g in range(order)]
    return {
        "sectors_audit": [number(row.mean) for row in rows],
        "sectors_audit_error": [number(row.error) for row in rows],
    }


def _forward_ess(log_w: np.ndarray, draws: Draws) -> Estimate:
    """Return the forward ESS from chains, whose autocorrelation widens its error."""
    estimate = estimators.forward_ess(log_w.ravel(), estimators.log_z(draws.log_w))
    if not np.isfinite(log_w).all():  # q has no mass at some of them: 0
        return estimate
    tau = gamma_method(log_w).tau_int
    return estimate._replace(error=estimate.error * sqrt(2 * tau))

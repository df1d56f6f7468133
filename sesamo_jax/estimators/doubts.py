"""What speaks against a run: sentences for the head of its report, and for warnings."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Exact, Target

RAYS = 64  # on which an action is followed outwards
SCALES = np.geomspace(1, 1e6, 7)
LARGEST_K = 0.7  # beyond which a mean converges too slowly to be of use ...
LEAST_ESS = 0.95  # ... unless the weights all but agree
LARGEST_SHARE = 0.5
LARGEST_PULL = 4.0  # standard errors between an estimate and its exact value
LARGEST_R_HAT = 1.1  # of chains that agree, with some that are short
LARGEST_LEAK = 0.05  # from a cell that training should have kept
# |log Z| per component above which `fit` looks for a lower bound.
SUSPICIOUS = 100.0


def skipped_steps(skipped: int, steps: int) -> str | None:
    """Return a sentence if at least half of the steps changed nothing."""
    if steps == 0 or 2 * skipped < steps:
        return None
    return (
        f"{skipped} of {steps} training steps were skipped, since their loss or "
        "gradient was not finite: the action may be infinite or undefined where the "
        "base has samples"
    )


def lower_bound(target: Target, x: np.ndarray) -> str | None:
    """Return a sentence if the action falls without bound along rays from the origin.

    Args:
        target: whose action it is.
        x: configurations through which rays go, (n, *event_shape); the first are taken.
    """
    starts = jnp.asarray(x[:RAYS], target.dtype)
    if not _fall(target.action, starts):
        return None
    return (
        "the action has no lower bound: along rays from the origin it keeps falling, "
        "so that exp(-f) has no normalisation and no estimate means anything"
    )


def _fall(action: Callable[[Array], Array], starts: Array) -> bool:
    scales = jnp.asarray(SCALES, starts.dtype)

    def along(x: Array) -> Array:
        return jax.vmap(lambda scale: action(scale * x))(scales)

    values = np.asarray(jax.jit(jax.vmap(along))(starts), np.float64)
    here, *outer = values.T
    last = np.array(outer[-3:])
    with np.errstate(invalid="ignore"):
        falling = np.all(np.diff(last, axis=0) < 0, axis=0) | np.isneginf(last[-1])
        deep = last[-1] < here - 1e3 * (1 + np.abs(here))
    return bool(np.any(falling & deep))


def chains(entry: Mapping[str, Any]) -> str | None:
    """Return a sentence if one seed's chains disagree with each other."""
    r_hat = entry.get("r_hat")
    if r_hat is None or r_hat <= LARGEST_R_HAT:
        return None
    rows = entry["observables"].items()
    worst = next(name for name, row in rows if row.get("r_hat") == r_hat)
    return (
        f"the chains disagree (R-hat = {r_hat:.2f} of {worst}): they have not reached "
        "all that there is, and means over them are of where they started"
    )


def far_off(entry: Mapping[str, Any], exact: Exact) -> str | None:
    """Return a sentence if an estimate of one seed is far from its exact value."""
    log_z = {"mean": entry.get("log_z"), "error": entry.get("log_z_error")}
    known = {"log Z": exact.log_z, **exact.observables}
    pulls = {}
    for name, row in {"log Z": log_z, **entry["observables"]}.items():
        reference, error = known.get(name), row["error"]
        if reference is None or not isinstance(error, float) or row["mean"] is None:
            continue
        if error > 1e-12 * abs(reference):
            pulls[name] = (row["mean"] - reference) / error
    worst = max(pulls, key=lambda name: abs(pulls[name]), default=None)
    if worst is None or abs(pulls[worst]) <= LARGEST_PULL:
        return None
    return (
        f"{worst} is {abs(pulls[worst]):.1f} standard errors from its exact value "
        f"{known[worst]:.6g}"
    )


def weights(entry: Mapping[str, Any], samples: int) -> str | None:
    """Return a sentence if one seed's weights determine little.

    Args:
        entry: of `metrics.json`.
        samples: of the report.
    """
    share, k = entry.get("max_weight_share"), entry.get("pareto_k")
    if entry.get("log_z") is None:
        return (
            "the weights have no finite mean: log Z and all that is weighted are gone"
        )
    if share is not None and share > LARGEST_SHARE and samples > 1:
        return (
            f"one sample of {samples:,} carries {share:.0%} of all weight: nothing "
            "that is weighted means anything"
        )
    if k is not None and k > LARGEST_K and entry["ess"] < LEAST_ESS:
        return (
            f"the weights have a heavy tail (Pareto k = {k:.2f}): rare samples decide "
            "log Z and weighted means, which are likely to be off by more than they say"
        )
    return None


def leak(
    entry: Mapping[str, Any], density: str | None, trained: str | None
) -> str | None:
    """Return a sentence if one seed's samples leave the cell that is counted on.

    Args:
        entry: of `metrics.json`.
        density: the accounting of the report.
        trained: that of training.
    """
    share, error = entry.get("leak"), entry.get("log_z_error")
    if not share:
        return None
    if density == "cell" and (error is None or share > error):
        return (
            f"{share:.2g} of the flow's samples leave the cell, and density=cell "
            "counts them several times: log Z is too large by up to that; set "
            "density=orbit"
        )
    if trained == "cell" and share > LARGEST_LEAK:
        return (
            f"{share:.2g} of the flow's samples leave the cell that training counted "
            "on: modes overlap there, and training.density=orbit learns more"
        )
    return None

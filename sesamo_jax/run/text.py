"""Numbers as text: value(error), and means over seeds."""

from collections.abc import Mapping, Sequence
from math import floor, isfinite, log10
from typing import Any

import numpy as np

from sesamo_jax.estimators.weighted import WITH_ERROR, WITHOUT_ERROR

AGGREGATED = (*WITH_ERROR, *WITHOUT_ERROR, "wall_seconds", "samples_drawn")


def value_error(value: float | None, error: float | None) -> str:
    """Return value(error) as in 0.951(3): the error in units of the last digit.

    Two digits of the error are kept if the first is 1. Errors below 1e-9 are written
    out, as in 6e-35 +- 2e-34.
    """
    if value is None:
        return "-"
    # The standard deviation of equal numbers may be a rounding error instead of 0.
    if error is None or not isfinite(error) or error <= 1e-14 * abs(value):
        return f"{value:.6g}" if abs(value) > 1e-9 else f"{value:.1g}"
    if error < 1e-9:
        return f"{value:.1g} +- {error:.1g}"
    digits = -floor(log10(error))
    if round(error * 10**digits) == 10:  # 0.96 rounds up into the next decade
        digits -= 1
    if round(error * 10 ** (digits + 1)) < 20:
        digits += 1
    if digits > 0:
        return f"{value:.{digits}f}({round(error * 10**digits)})"
    return f"{round(value, digits):.0f}({round(error, digits):.0f})"


def estimate_text(value: float | None, error: float | None) -> str:
    """Return value(error), or value? for an estimate whose error cannot be trusted."""
    unknown = value is not None and (error is None or not isfinite(error))
    return value_error(value, error) + ("?" if unknown else "")


def aggregate(seeds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return mean, standard deviation over seeds and text of every scalar estimate.

    The text is mean(std); with one seed the estimate's own error stands in for the
    std, and a ? ends it where that cannot be trusted. A quantity that one seed lacks
    has no aggregate, rather than one of the rest.
    """
    out: dict[str, Any] = {}
    for name in AGGREGATED:
        values = [entry.get(name) for entry in seeds]
        errors = [entry.get(f"{name}_error") for entry in seeds]
        out[name] = spread(values, errors, marked=name in WITH_ERROR)
    for name in scalar_observables(seeds):
        entries = [entry["observables"][name] for entry in seeds]
        out[name] = spread([e["mean"] for e in entries], [e["error"] for e in entries])
    return out


def scalar_observables(seeds: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the observables that are single numbers."""
    observables = seeds[0]["observables"]
    return [
        k for k, entry in observables.items() if not isinstance(entry["mean"], list)
    ]


def spread(
    values: Sequence[Any], errors: Sequence[Any], marked: bool = True
) -> dict[str, Any]:
    """Return mean, standard deviation and text of one quantity over seeds.

    Args:
        values: one for each seed; None where it has none.
        errors: of the values, likewise.
        marked: whether a single value without an error gets a question mark.
    """
    if any(value is None for value in values):
        return {"mean": None, "std": None, "text": "-"}
    mean = float(np.mean(values))
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    write = estimate_text if marked and std is None else value_error
    text = write(mean, errors[0] if std is None else std)
    return {"mean": mean, "std": std, "text": text}

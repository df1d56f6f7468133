"""Numbers as text: value(error), means over seeds, and the report that is printed."""

from collections.abc import Mapping, Sequence
from math import floor, isfinite, log10, sqrt
from typing import Any

import numpy as np

from sesamo_jax.estimators import doubts
from sesamo_jax.estimators.weighted import SECTOR_ESTIMATES, WITH_ERROR, WITHOUT_ERROR

UNKNOWN_ERROR = (
    "? no error that could be trusted: the tail of the weights is too heavy (Pareto k "
    "above 1/2), or the samples never differ"
)
MOST_DOUBTS = 5  # shown of many seeds'
LOG_Z = {"log Z": "log_z", "log Z from target": "log_z_from_p", "log Z, both": "bar"}
SECTORS_OF_CHAINS = "sectors_audit", "sectors_audit_error"  # the same for all seeds
OF_THE_AUDIT = ("log Z from target", "log Z, both", "EUBO", "missing")
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
        out[name] = _spread(values, errors, marked=name in WITH_ERROR)
    for name in scalar_observables(seeds):
        entries = [entry["observables"][name] for entry in seeds]
        out[name] = _spread([e["mean"] for e in entries], [e["error"] for e in entries])
    return out


def scalar_observables(seeds: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the observables that are single numbers."""
    observables = seeds[0]["observables"]
    return [
        k for k, entry in observables.items() if not isinstance(entry["mean"], list)
    ]


def _spread(
    values: Sequence[Any], errors: Sequence[Any], marked: bool = True
) -> dict[str, Any]:
    if any(value is None for value in values):
        return {"mean": None, "std": None, "text": "-"}
    mean = float(np.mean(values))
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    write = estimate_text if marked and std is None else value_error
    text = write(mean, errors[0] if std is None else std)
    return {"mean": mean, "std": std, "text": text}


def format_report(metrics: Mapping[str, Any]) -> str:
    """Return the report of a run as text, quantities beside their exact values."""
    total, exact, seeds = metrics["aggregate"], metrics["exact"], metrics["seeds"]
    laws = f", {metrics['modulation']}" if metrics["modulation"] else ""
    lines = [
        f"{metrics['target']}: {metrics['method']}{laws}, "
        f"density {metrics['density'] or '-'}, preset {metrics['preset']}, "
        f"{len(seeds)} seed(s); "
        + ("mean(std over seeds)" if len(seeds) > 1 else "value(error)"),
        "",
        f"{'':22}{'estimate':>20}  exact, and the distance from it",
    ]
    found = metrics["doubts"]
    cautions = [f"CAUTION: {sentence}." for sentence in found[:MOST_DOUBTS]]
    if len(found) > MOST_DOUBTS:
        cautions.append(f"CAUTION: {len(found) - MOST_DOUBTS} more in metrics.json.")
    notice = metrics.get("sites")  # of runs since there is a choice
    lines[1:1] = [*([notice] if notice else []), *_verdicts(seeds), *cautions]

    texts: list[str] = []
    trained = "steps" in seeds[0]

    def line(name: str, text: str, reference: float | None = None) -> None:
        if text == "-" and (not trained or name in OF_THE_AUDIT):
            return  # chains have no weights, and not every report an audit
        texts.append(text)
        shown = "" if reference is None else f"{reference:.6g}"
        lines.append(f"{name:22}{text:>20}  {shown}".rstrip())

    def compared(
        label: str, name: str, errors: list[Any], reference: float | None
    ) -> None:
        line(label, total[name]["text"], reference)
        away = _pull(total[name], errors, reference)
        if away is not None:
            too_far = ", too far" if abs(away) > doubts.LARGEST_PULL else ""
            lines[-1] += f"  {away:+.1f} sigma{too_far}"

    line("ESS", total["ess"]["text"], 1)
    line("forward ESS", total["forward_ess"]["text"], 1)
    if seeds[0].get("forward_from") == "data":
        lines[-1] += "  from held-out data"
    if seeds[0].get("nll") is not None:
        line("NLL", total["nll"]["text"])
        lines[-1] += "  of held-out data"
    for label, name in LOG_Z.items():
        if name == "log_z" or name in total:
            known = [entry.get(f"{name}_error") for entry in seeds]
            compared(label, name, known, exact["log_z"])
    line("ELBO", total["elbo"]["text"], exact["log_z"])
    if "eubo" in total:
        line("EUBO", total["eubo"]["text"], exact["log_z"])
        line("missing", total["missing"]["text"], 0)
    line("KL", total["kl"]["text"], 0)
    line("leak", total["leak"]["text"])
    line("max weight share", total["max_weight_share"]["text"])
    line("Pareto k of weights", total["pareto_k"]["text"])
    line("integration error", total["integration_error"]["text"])
    line("IMH acceptance", total["imh_acceptance"]["text"])
    line("IMH tau_int", total["imh_tau_int"]["text"])
    if trained and "imh_observable" in seeds[0]:
        lines[-1] += f"  of {seeds[0]['imh_observable']}"
    for name in scalar_observables(seeds):
        known = [entry["observables"][name]["error"] for entry in seeds]
        compared(name, name, known, exact["observables"].get(name))
    if seeds[0]["sectors"] is not None:
        lines += ["", *_sector_lines(seeds)]
    if any(text.endswith("?") for text in texts):
        lines += ["", UNKNOWN_ERROR]
    memory = f"peak memory {metrics['peak_memory_bytes'] / 2**30:.2f} GiB"
    lines.append("")
    if not trained:
        moves = ", ".join(
            f"{name} {rate:.3f}"
            for name, rate in seeds[0].get("move_acceptance", {}).items()
        )
        lines.append(
            f"{metrics['method']}, per seed: {total['wall_seconds']['mean']:.1f} s "
            f"(+ {seeds[0]['compile_seconds']:.1f} s tuning and compilation), "
            f"{seeds[0]['samples_drawn']:,} samples, "
            f"{seeds[0]['gradient_calls']:,} gradients, "
            f"{seeds[0]['energy_calls']:,} energies, "
            f"acceptance {seeds[0]['acceptance']:.3f}"
            + (f", of other moves {moves}" if moves else "")
        )
        if seeds[0].get("r_hat") is not None:
            lines[-1] += f"; largest R-hat {max(e['r_hat'] for e in seeds):.3f}"
        if "temperatures" in seeds[0]:
            lines[-1] += f", {seeds[0]['temperatures']} temperatures"
        return "\n".join([*lines, memory])
    lines.append(
        f"training, per seed: {total['wall_seconds']['mean']:.1f} s "
        f"(+ {seeds[0]['compile_seconds']:.1f} s compilation of the whole run), "
        f"{seeds[0]['samples_drawn']:,} samples in {seeds[0]['steps']:,} steps, "
        f"{max(entry['nonfinite_steps'] for entry in seeds)} skipped as non-finite"
    )
    return "\n".join([*lines, memory])


def _verdicts(seeds: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines of the audit, one for each verdict, with its seeds."""
    found: dict[str, list[int]] = {}
    for entry in seeds:
        if "verdict" in entry:
            found.setdefault(entry["verdict"], []).append(entry["seed"])
    lines = [
        f"audit: {verdict}"
        + (f" (seed {', '.join(map(str, of))})" if len(found) > 1 else "")
        for verdict, of in found.items()
    ]
    if len(lines) > MOST_DOUBTS:
        lines[MOST_DOUBTS:] = [f"audit: {len(lines) - MOST_DOUBTS} more verdicts."]
    return lines


def _pull(
    total: Mapping[str, Any], errors: Sequence[float | None], reference: float | None
) -> float | None:
    """Return the distance of a mean over seeds from its exact value, in its errors.

    The error is that of the mean, from the spread of several seeds.
    """
    if total["mean"] is None or reference is None:
        return None
    error = errors[0] if len(errors) == 1 else total["std"] / sqrt(len(errors))
    # Spreads of equal numbers are rounding errors.
    if error is None or not error > 1e-12 * abs(reference):
        return None
    return (total["mean"] - reference) / error


def _sector_lines(seeds: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the table of sector shares, beside the exact ones if there are any.

    Those of the heat bath come from the orbits of the model's own samples, and know
    nothing of orbits that it never visits.
    """
    exact = seeds[0]["sectors_expected"]
    last = "heat bath" if exact is None else "exact"
    lines = [f"{'sector':>8}{'samples':>14}{'reweighted':>16}{last:>16}"]
    audited = seeds[0].get("sectors_audit") is not None
    if audited:
        lines[0] += f"{'chains':>16}"
    for sector in range(len(seeds[0]["sectors"])):
        texts = []
        for name in SECTOR_ESTIMATES[: 3 if exact is None else 2]:
            if seeds[0][name] is None:
                texts.append("-")
                continue
            values = [entry[name][sector] for entry in seeds]
            errors = [entry[f"{name}_error"][sector] for entry in seeds]
            texts.append(_spread(values, errors)["text"])
        if exact is not None:
            texts.append(f"{exact[sector]:.5f}")
        if audited:
            shares = (seeds[0][name][sector] for name in SECTORS_OF_CHAINS)
            texts.append(estimate_text(*shares))
        first, *others = texts
        cells = "".join(f"{text:>16}" for text in others)
        lines.append(f"{sector:>8}{first:>14}{cells}")
    return lines

"""What a report of a run consists of, whatever shows it, from its `metrics.json`."""

from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from typing import Any, NamedTuple

from sesamo_jax.estimators import doubts
from sesamo_jax.estimators.weighted import SECTOR_ESTIMATES
from sesamo_jax.run.text import estimate_text, scalar_observables, spread

UNKNOWN_ERROR = (
    "? no error that could be trusted: the tail of the weights is too heavy (Pareto k "
    "above 1/2), or the samples never differ"
)
MOST_DOUBTS = 5  # shown of many seeds'
LOG_Z = {"log Z": "log_z", "log Z from target": "log_z_from_p", "log Z, both": "bar"}
SECTORS_OF_CHAINS = "sectors_audit", "sectors_audit_error"  # the same for all seeds


class Row(NamedTuple):
    """One estimate.

    Attributes:
        name: what it is of.
        text: value(error), or mean(std) over seeds.
        reference: what it should be; None where that is not known.
        note: its distance from the reference, or where it comes from.
    """

    name: str
    text: str
    reference: float | None = None
    note: str = ""


def title(metrics: Mapping[str, Any]) -> str:
    """Return what was run, in a line."""
    laws = f", {metrics['modulation']}" if metrics["modulation"] else ""
    return (
        f"{metrics['target']}: {metrics['method']}{laws}, "
        f"density {metrics['density'] or '-'}, preset {metrics['preset']}, "
        f"{len(metrics['seeds'])} seed(s)"
    )


def meaning(metrics: Mapping[str, Any]) -> str:
    """Return what the brackets behind an estimate are."""
    return "mean(std over seeds)" if len(metrics["seeds"]) > 1 else "value(error)"


def notices(metrics: Mapping[str, Any]) -> list[str]:
    """Return what has been chosen for the target, and whether training ended early."""
    sites = metrics.get("sites")  # of runs since there is a choice
    first = metrics["seeds"][0]
    lines = [] if sites is None else [sites]
    if "stopped" in first:
        lines.append(f"training ended at step {first['steps']:,}: {first['stopped']}")
    return lines


def verdicts(metrics: Mapping[str, Any]) -> list[str]:
    """Return those of the audit, each once, with its seeds where they differ."""
    found: dict[str, list[int]] = {}
    for entry in metrics["seeds"]:
        if "verdict" in entry:
            found.setdefault(entry["verdict"], []).append(entry["seed"])
    lines = [
        verdict + (f" (seed {', '.join(map(str, of))})" if len(found) > 1 else "")
        for verdict, of in found.items()
    ]
    if len(lines) > MOST_DOUBTS:
        lines[MOST_DOUBTS:] = [f"{len(lines) - MOST_DOUBTS} more verdicts."]
    return lines


def cautions(metrics: Mapping[str, Any]) -> list[str]:
    """Return what else speaks against the run, a sentence each."""
    found = metrics["doubts"]
    sentences = [f"{sentence}." for sentence in found[:MOST_DOUBTS]]
    if len(found) > MOST_DOUBTS:
        sentences.append(f"{len(found) - MOST_DOUBTS} more in metrics.json.")
    return sentences


def estimates(metrics: Mapping[str, Any]) -> list[Row]:
    """Return all scalar estimates beside their exact values, those that there are.

    Chains have no weights, and not every report an audit: what they lack is left out.
    """
    seeds = metrics["seeds"]
    trained = "steps" in seeds[0]
    rows = [*_of_weights(metrics), *_of_the_sampler(metrics)]
    rows = [row for row in rows if trained or row.text != "-"]
    for name in scalar_observables(seeds):
        known = [entry["observables"][name]["error"] for entry in seeds]
        reference = metrics["exact"]["observables"].get(name)
        row = _compared(name, metrics["aggregate"][name], known, reference)
        rows += [row] if trained or row.text != "-" else []
    return rows


def _of_weights(metrics: Mapping[str, Any]) -> Iterator[Row]:
    """Yield ESS, likelihood, log Z and its bounds."""
    total, seeds = metrics["aggregate"], metrics["seeds"]
    log_z = metrics["exact"]["log_z"]
    from_data = seeds[0].get("forward_from") == "data"
    yield Row("ESS", total["ess"]["text"], 1)
    note = "from held-out data" if from_data else ""
    yield Row("forward ESS", total["forward_ess"]["text"], 1, note)
    if seeds[0].get("nll") is not None:
        yield Row("NLL", total["nll"]["text"], None, "of held-out data")
    for label, name in LOG_Z.items():
        if name == "log_z" or total.get(name, {"text": "-"})["text"] != "-":
            known = [entry.get(f"{name}_error") for entry in seeds]
            yield _compared(label, total[name], known, log_z)
    yield Row("ELBO", total["elbo"]["text"], log_z)
    for label, name, exact in (("EUBO", "eubo", log_z), ("missing", "missing", 0)):
        if total.get(name, {"text": "-"})["text"] != "-":
            yield Row(label, total[name]["text"], exact)
    yield Row("KL", total["kl"]["text"], 0)


def _of_the_sampler(metrics: Mapping[str, Any]) -> Iterator[Row]:
    """Yield leak, tails, integration and what a chain of its samples would do."""
    total, seeds = metrics["aggregate"], metrics["seeds"]
    for label, name in (
        ("leak", "leak"),
        ("max weight share", "max_weight_share"),
        ("Pareto k of weights", "pareto_k"),
        ("integration error", "integration_error"),
        ("IMH acceptance", "imh_acceptance"),
    ):
        yield Row(label, total[name]["text"])
    observable = seeds[0].get("imh_observable")
    note = f"of {observable}" if observable else ""
    yield Row("IMH tau_int", total["imh_tau_int"]["text"], None, note)


def _compared(
    label: str,
    total: Mapping[str, Any],
    errors: Sequence[float | None],
    reference: float | None,
) -> Row:
    """Return an estimate with its distance from a reference."""
    away = pull(total, errors, reference)
    note = "" if away is None else f"{away:+.1f} sigma"
    if away is not None and abs(away) > doubts.LARGEST_PULL:
        note += ", too far"
    return Row(label, total["text"], reference, note)


def pull(
    total: Mapping[str, Any], errors: Sequence[float | None], reference: float | None
) -> float | None:
    """Return the distance of a mean over seeds from its exact value, in its errors.

    The error is that of the mean, from the spread of several seeds. None where there is
    no such error, or nothing to compare with.
    """
    if total["mean"] is None or reference is None:
        return None
    error = errors[0] if len(errors) == 1 else total["std"] / sqrt(len(errors))
    # Spreads of equal numbers are rounding errors.
    if error is None or not error > 1e-12 * abs(reference):
        return None
    return (total["mean"] - reference) / error


def sectors(metrics: Mapping[str, Any]) -> list[list[str]]:
    """Return the table of sector shares, its head first; nothing without sectors.

    Beside the exact ones if there are any. Those of the heat bath come from the orbits
    of the model's own samples, and know nothing of orbits that it never visits.
    """
    seeds = metrics["seeds"]
    if seeds[0]["sectors"] is None:
        return []
    exact = seeds[0]["sectors_expected"]
    audited = seeds[0].get("sectors_audit") is not None
    head = [
        "sector",
        "samples",
        "reweighted",
        "heat bath" if exact is None else "exact",
    ]
    rows = [head + ["chains"] * audited]
    for sector in range(len(seeds[0]["sectors"])):
        texts = [str(sector)]
        for name in SECTOR_ESTIMATES[: 3 if exact is None else 2]:
            if seeds[0][name] is None:
                texts.append("-")
                continue
            values = [entry[name][sector] for entry in seeds]
            errors = [entry[f"{name}_error"][sector] for entry in seeds]
            texts.append(spread(values, errors)["text"])
        if exact is not None:
            texts.append(f"{exact[sector]:.5f}")
        if audited:
            shares = (seeds[0][name][sector] for name in SECTORS_OF_CHAINS)
            texts.append(estimate_text(*shares))
        rows.append(texts)
    return rows


def marks(rows: Sequence[Row]) -> str | None:
    """Return what a question mark stands for, if a row has one."""
    return UNKNOWN_ERROR if any(row.text.endswith("?") for row in rows) else None


def cost(metrics: Mapping[str, Any]) -> list[str]:
    """Return what the run took, a line each: time and samples, and memory."""
    total, seeds = metrics["aggregate"], metrics["seeds"]
    seconds, first = total["wall_seconds"]["mean"], seeds[0]
    memory = f"peak memory {metrics['peak_memory_bytes'] / 2**30:.2f} GiB"
    if "steps" in first:
        skipped = max(entry["nonfinite_steps"] for entry in seeds)
        line = (
            f"training, per seed: {seconds:.1f} s "
            f"(+ {first['compile_seconds']:.1f} s compilation of the whole run), "
            f"{first['samples_drawn']:,} samples in {first['steps']:,} steps, "
            f"{skipped} skipped as non-finite"
        )
        if "energy_calls" in first:
            line += (
                f"; its chains: {first['gradient_calls']:,} gradients, "
                f"{first['energy_calls']:,} energies"
            )
        return [line, memory]
    moves = ", ".join(
        f"{name} {rate:.3f}" for name, rate in first.get("move_acceptance", {}).items()
    )
    line = (
        f"{metrics['method']}, per seed: {seconds:.1f} s "
        f"(+ {first['compile_seconds']:.1f} s tuning and compilation), "
        f"{first['samples_drawn']:,} samples, {first['gradient_calls']:,} gradients, "
        f"{first['energy_calls']:,} energies, acceptance {first['acceptance']:.3f}"
    )
    line += f", of other moves {moves}" if moves else ""
    if first.get("r_hat") is not None:
        line += f"; largest R-hat {max(entry['r_hat'] for entry in seeds):.3f}"
    if "temperatures" in first:
        line += f", {first['temperatures']} temperatures"
    return [line, memory]

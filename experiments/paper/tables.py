"""The tables of `docs/results.md`, published values beside ours."""

from collections.abc import Iterable
from functools import partial

import numpy as np
import reading
from reading import ROOT, Run

from paper import published
from paper.runs import (
    FIELD_STEPS,
    FIELDS,
    FULL,
    FULL_STEPS,
    ITEMS,
    PROTOCOLS,
    TARGETS,
    field_pieces,
    full_pieces,
    ours,
    pieces,
)
from sesamo_jax.run.pages import markdown
from sesamo_jax.run.text import value_error

PAGES = (ROOT / "docs" / "results.md",)
LABELS = {
    "realnvp": "RealNVP",
    "canonicalization": "canonicalization",
    "sesamo": "SESaMo, 2025 objective",
    "reinforce": "SESaMo, 2026 objective",
    "vmonf": "VMoNF",
    "fab": "FAB, not run",
    "ours": "ours: heat bath, orbit density",
}
FIELD_LABELS = LABELS | {"ours": "ours", "ours_aligned": "ours, aligned"}
ALIGNED = ("sesamo", "reinforce", "ours_aligned")
# The chains of each complex field.
CHAINS = {
    "phi4_complex": "phi4/complex_hmc",
    "phi4_complex_broken": "phi4/complex_broken_hmc",
}
COMPARED = {"abs_magnetization": "abs. M", "action_density": "f/V"}


def full_name(name: str) -> str:
    """Return STUDY/RUN, where this study's own runs go without its name."""
    return name if "/" in name else f"paper/{name}"


def finished(names: Iterable[str]) -> list[Run]:
    """Return the results of those runs that there are."""
    found = [reading.metrics(full_name(name)) for name in names]
    return [run for run in found if run is not None]


def seeds_of(names: Iterable[str]) -> list[dict]:
    """Return the finished seeds of several runs."""
    return [seed for run in finished(names) for seed in run["seeds"]]


def mean_std(seeds: list[dict], name: str) -> str:
    """Return mean(std) over seeds, the error of a single one, or a dash."""
    values = [seed[name] for seed in seeds]
    if None in values:
        return "-"
    std = (
        float(np.std(values, ddof=1)) if len(values) > 1 else seeds[0][f"{name}_error"]
    )
    return value_error(float(np.mean(values)), std)


def average(seeds: list[dict], name: str, digits: str) -> str:
    """Return a plain mean over seeds, or a dash."""
    values = [seed.get(name) for seed in seeds]
    return "-" if None in values else f"{np.mean(values):{digits}}"


def sector_error(target: str, seeds: list[dict]) -> str:
    """Return the largest deviation of a sector's share from its exact probability."""
    [run] = finished(ours(target))
    exact = run["exact"]["sectors"]
    shares = np.mean([seed["sectors"] for seed in seeds], axis=0)
    return f"{np.abs(shares - exact).max():.4f}"


def table(target: str) -> str:
    """Return the rows of one target, published values beside."""
    runs = [("ours", LABELS["ours"], ours(target))]
    runs += [(row, LABELS[row], pieces(target, row)) for row in PROTOCOLS]
    for row in FULL.get(target, ()):
        label = f"{LABELS[row]}, {FULL_STEPS[target]} steps"
        runs.append((row, label, full_pieces(target, row)))
    rows = []
    for row, label, names in runs:
        seeds = seeds_of(names)
        if not seeds:
            continue
        rows.append(
            [
                label,
                published.ESS[target].get(row, "-"),
                *(mean_std(seeds, name) for name in ("ess", "forward_ess", "log_z")),
                sector_error(target, seeds),
                average(seeds, "leak", ".2g"),
                published.KL[target].get(row, "-"),
                mean_std(seeds, "kl"),
                average(seeds, "wall_seconds", ".0f"),
                str(len(seeds)),
                average(seeds, "samples_drawn", ".1e"),
                average(seeds, "parameters", ".0f"),
            ]
        )
    head = [
        "method",
        "ESS, published 2025 ; 2026",
        "ESS",
        "forward ESS",
        "log Z",
        "sectors, largest error",
    ]
    head += ["leak", "KL, published 2026", "KL", "s / seed", "seeds"]
    fab = [LABELS["fab"], published.ESS[target]["fab"], *["-"] * 5]
    rows.append([*fab, published.KL[target]["fab"], *["-"] * 5])
    return markdown([*head, "samples drawn", "parameters"], rows)


def field_table(target: str) -> str:
    """Return the rows of a complex field, HMC and published values beside."""
    chains = seeds_of([CHAINS[target]])
    rows = [["HMC", "", *["-"] * 3, *observed(chains), *["-"] * 5]]
    for row in FIELD_STEPS:
        seeds = seeds_of(field_pieces(target, row))
        if not seeds:
            continue
        rows.append(
            [
                FIELD_LABELS[row],
                "aligned" if row in ALIGNED else "full",
                published.ESS[target].get(row, "-"),
                *(mean_std(seeds, name) for name in ("ess", "log_z")),
                *observed(seeds),
                average(seeds, "max_weight_share", ".1g"),
                average(seeds, "wall_seconds", ".0f"),
                average(seeds, "samples_drawn", ".1e"),
                average(seeds, "parameters", ".0f"),
                str(len(seeds)),
            ]
        )
    fab = [LABELS["fab"], "full", published.ESS[target]["fab"]]
    rows.append([*fab, *["-"] * 9])
    head = ["method", "space", "ESS, published 2025 ; 2026", "ESS", "log Z"]
    head += [*COMPARED.values(), "max weight share", "s / seed", "samples drawn"]
    return markdown([*head, "parameters", "seeds"], rows, names=2)


def observed(seeds: list[dict]) -> list[str]:
    """Return the observables of a first seed, with the errors of its samples."""
    entries = [seeds[0]["observables"][name] for name in COMPARED]
    return [value_error(entry["mean"], entry["error"]) for entry in entries]


def swings_table() -> str:
    """Return how the ESS of training's batches moves over the last quarter of all."""
    rows = []
    for target, found in FULL.items():
        for row in found:
            for name in full_pieces(target, row):
                for curve in reading.curves(full_name(name)):
                    ess = curve[-(len(curve) // 4) :, 1]
                    numbers = (ess.min(), np.median(ess), ess.max())
                    texts = [f"{number:.4f}" for number in numbers]
                    rows.append([f"{target}, {LABELS[row]}", *texts])
    return markdown(
        ["row, one line for each seed", "smallest", "median", "largest"], rows
    )


def progress_table() -> str:
    """Return how much of every item has been run, and the hours that took."""
    rows = []
    own = {"our rows of the two-dimensional targets": ours(*TARGETS)}
    for item, runs in (ITEMS | own).items():
        done = finished(runs)
        seconds = sum(seed["wall_seconds"] for run in done for seed in run["seeds"])
        rows.append([item, f"{len(done)} of {len(runs)}", f"{seconds / 3600:.2f}"])
    return markdown(["item", "runs finished", "hours of training"], rows)


TABLES = {target: partial(table, target) for target in TARGETS}
TABLES |= {target: partial(field_table, target) for target in FIELDS}
TABLES |= {"swings": swings_table, "progress": progress_table}

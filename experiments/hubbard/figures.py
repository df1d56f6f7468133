"""The figures of the Hubbard study; runs that are missing are left out."""

from collections.abc import Callable

import numpy as np
from drawing import FLOW, HMC, LINE, OTHER, plain_numbers, row_of_panels
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from reading import ROOT, Run, mean_error, step_seconds

from hubbard.reading import metrics, trace
from hubbard.runs import BETAS, COST_SIZES, COUPLINGS

PICTURES = ROOT / "docs" / "hubbard"
KINDS = (("", FLOW, "worldlines"), ("_flow", OTHER, "flow, heat bath"))


def found(pattern: str, values: tuple) -> list[tuple[float, Run]]:
    """Return the runs there are of a scan, each with its value."""
    runs = [(value, metrics(pattern.format(value))) for value in values]
    return [(value, run) for value, run in runs if run is not None]


def plot(panel: Axes, runs: list[tuple[float, Run]], name: str, **style: str) -> None:
    """Draw a quantity of runs with its errors."""
    for x, run in runs:
        mean, error = mean_error(run, name)
        panel.errorbar(x, mean, error, fmt="o", **style)
        style["label"] = "_" + style["label"]


def scan_figure() -> Figure:
    """ESS, R and log Z of two sites and one slice against beta (Fig. 10)."""
    figure, (left, middle, right) = row_of_panels(3, (12, 3.6))
    ours = found("beta_{}", BETAS)
    style = {"color": FLOW, "label": "SESaMo, heat bath"}
    folded = {"color": OTHER, "label": "canonicalization"}
    canonical = found("beta_{}_canonicalization", BETAS)
    plot(left, ours, "ess", **style)
    plot(left, canonical, "ess", **folded)
    plot(middle, ours, "breaking_ratio", **style)
    chains = found("beta_{}_hmc_one", BETAS)
    plot(middle, chains, "breaking_ratio", color=HMC, label="HMC from one start")
    moved = found("beta_{}_modulated", BETAS)
    plot(middle, moved, "breaking_ratio", color=OTHER, label="modulated HMC, one start")
    betas = [beta for beta, _ in ours]
    exact = [run["exact"] for _, run in ours]
    ratios = np.array([e["observables"]["breaking_ratio"] for e in exact])
    left.plot(betas, 1 / (1 + ratios**2), ":", color=OTHER, label="1 / (1 + R^2)")
    middle.plot(betas, ratios, color=LINE, label="exact")
    for (beta, run), values in zip(ours, exact, strict=True):
        mean, error = mean_error(run, "log_z")
        right.errorbar(beta, mean - values["log_z"], error, fmt="o", color=FLOW)
    right.axhline(0, color=LINE)
    left.set(xlabel="beta", ylabel="ESS", ylim=(0, 1.05))
    middle.set(xlabel="beta", ylabel="R")
    right.set(xlabel="beta", ylabel="log Z - exact, 1 sigma")
    left.legend(fontsize=8)
    middle.legend(fontsize=8)
    return figure


def coupling_figure() -> Figure:
    """ESS and log Z of the ring of four against U, and what its fields look like."""
    figure, (left, middle, right) = row_of_panels(3, (12, 3.6))
    for kind, colour, label in KINDS:
        runs = found("coupling_{}" + kind, COUPLINGS)
        plot(left, runs, "ess", color=colour, label=label)
        for u, run in runs:
            mean, error = mean_error(run, "log_z")
            exact = trace(f"coupling_{u}").log_z
            middle.plot(u, (mean - exact) / error, "o", color=colour)
    for u, run in found("coupling_{}", COUPLINGS):
        shares = mean_error(run, "staggered_sectors")[0]
        right.plot(u, shares[0] + shares[-1], "o", color=FLOW)
    middle.axhline(0, color=LINE)
    middle.axhspan(-3, 3, color="0.92")
    left.set(ylabel="ESS", ylim=(0, 1.05))
    middle.set(ylabel="log Z - exact, in sigma")
    right.set(ylabel="antiferromagnetic sectors", ylim=(0, 0.2))
    for panel in (left, middle, right):
        panel.set(xlabel="U", xscale="log")
        plain_numbers(panel.xaxis, list(COUPLINGS))
    left.legend(fontsize=8)
    return figure


def sector_figure() -> Figure:
    """Which sectors worldlines and Markov chains visit, for few and more slices."""
    figure, panels = row_of_panels(2, (10, 3.4))
    kinds = (
        ("", FLOW, "worldlines"),
        ("_modulated", LINE, "modulated HMC"),
        ("_hmc", HMC, "HMC, independent starts"),
        ("_hmc_one", OTHER, "HMC, one start"),
    )
    systems = ("pair_2", "two sites, 2 slices"), ("ring4", "ring of four, 8 slices")
    for panel, (system, title) in zip(panels, systems, strict=True):
        for place, (kind, colour, label) in enumerate(kinds):
            run = metrics(system + kind)
            if run is None:
                continue
            mean, error = mean_error(run, "staggered_sectors")
            at = np.arange(len(mean)) + 0.2 * (place - 1.5)
            panel.bar(at, mean, 0.19, yerr=error, color=colour, label=label)
        panel.set(xlabel="sites with the sublattices' sign", title=title)
        panel.set_xticks(np.arange(len(mean)))
    panels[0].set_ylabel("probability")
    panels[1].legend(fontsize=8)
    return figure


def cost_figure() -> Figure:
    """Seconds a training step against the numbers of sites and of slices."""
    figure, panels = row_of_panels(2, (8, 3.4))
    for sites, slices in COST_SIZES:
        run = metrics(f"cost_{sites}_{slices}")
        if run is None:
            continue
        if slices == 32:
            panels[0].plot(sites, step_seconds(run), "o", color=FLOW)
        if sites == 8:
            panels[1].plot(slices, step_seconds(run), "o", color=FLOW)
    titles = "sites, at 32 slices", "slices, at 8 sites"
    sizes = [4, 8, 16, 32], [8, 16, 32, 64, 128]
    for panel, title, values in zip(panels, titles, sizes, strict=True):
        panel.set(xlabel=title, xscale="log", yscale="log")
        plain_numbers(panel.xaxis, values)
        plain_numbers(panel.yaxis)
    panels[0].set_ylabel("seconds a step of 128")
    return figure


FIGURES: dict[str, Callable[[], Figure]] = {
    "scan.png": scan_figure,
    "couplings.png": coupling_figure,
    "sectors.png": sector_figure,
    "cost.png": cost_figure,
}

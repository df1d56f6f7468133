"""The figures of the particle study, those of its analyses included.

Energies need samples, which are not committed. Runs that are missing are left out.
"""

from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from drawing import FLOW, HMC, LINE, OTHER, row_of_panels
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from reading import ROOT, measured, samples

from particles import divergence, profile, solvers
from particles.files import SIZES
from particles.reading import FLOORS, PRIORS, data, metrics, observed, training_nll

PICTURES = ROOT / "docs" / "particles"
KINDS = {
    "kernel": ("kernel flow", FLOW),
    "black_box": ("black box", HMC),
    "augmented": ("black box, augmented", OTHER),
}
PAIRS = np.array(list(combinations(range(4), 2))).T  # of four particles
ENERGIES = np.linspace(-27, 5, 97)


def size_panel(panel: Axes, target: str) -> None:
    """Draw train and test NLL against the number of data."""
    for kind, (label, colour) in KINDS.items():
        known = [n for n in SIZES if metrics(f"{target}_{kind}_{n}") is not None]
        test, train = [], []
        for size in known:
            run = metrics(f"{target}_{kind}_{size}")
            assert run is not None
            test.append(run["aggregate"]["nll"]["mean"])
            train.append(np.mean(training_nll(f"{target}_{kind}_{size}")))
        for values, style, words in ((test, "o-", "test"), (train, "o:", "train")):
            panel.plot(known, values, style, color=colour, label=f"{label}, {words}")
    panel.axhline(FLOORS[target], color=LINE, lw=1)
    panel.axhline(PRIORS[target], color=LINE, lw=1, ls=":")
    panel.set(xlabel="data", ylabel="NLL", xscale="log", title=target)
    top, width = PRIORS[target], PRIORS[target] - FLOORS[target]
    panel.set_ylim(FLOORS[target] - 0.4 * width, top + 0.4 * width)


def size_figure() -> Figure | None:
    """Density estimation against the number of data (Fig. 5)."""
    if metrics(f"lj13_kernel_{SIZES[-1]}") is None:
        return None
    figure, panels = row_of_panels(2, (10, 3.8))
    for panel, target in zip(panels, ("dw4", "lj13"), strict=True):
        size_panel(panel, target)
    panels[0].legend(fontsize=6)
    return figure


def energy_figure() -> Figure | None:
    """Energies of samples of three flows, reweighted, beside the target's (Fig. 6)."""
    names = ("dw4_black_box_mixed", "dw4_augmented_mixed", "dw4_mixed")
    if samples(f"particles/{names[-1]}") is None:
        return None
    figure, panels = row_of_panels(3, (12, 3.4))
    kinds = ("black_box", "augmented", "kernel")
    truth = observed("dw4", "energy", data("dw4", "test").x)
    for panel, name, kind in zip(panels, names, kinds, strict=True):
        drawn, (label, colour) = samples(f"particles/{name}"), KINDS[kind]
        histogram = partial(panel.hist, bins=ENERGIES, density=True)
        histogram(truth, color=LINE, alpha=0.3, label="reference samples")
        if drawn is not None:
            energies = observed("dw4", "energy", drawn.x)
            outline = partial(histogram, energies, histtype="step")
            outline(color=colour, ls=":", label="as drawn")
            outline(color=colour, weights=drawn.w, label="reweighted")
        panel.set(xlabel="energy", title=label, ylim=(0, 0.45))
        panel.legend(fontsize=7)
    panels[0].set_ylabel("density")
    return figure


def state_figure() -> Figure | None:
    """The states of four particles: where they sit, lowest energy first (Fig. 7 a)."""
    found = measured("particles/minima")
    if found is None:
        return None
    shapes, energies = found["dw4_positions"], found["dw4"][0]["energies"]
    figure, panels = row_of_panels(len(shapes), (2 * len(shapes), 2.2))
    for panel, shape, energy in zip(panels, shapes, energies, strict=True):
        x, y = principal(np.array(shape)).T
        panel.plot(x[PAIRS], y[PAIRS], color=OTHER, lw=1)
        panel.plot(x, y, "o", color=FLOW, ms=9)
        panel.set(xlim=(-4.5, 4.5), ylim=(-4.5, 4.5), aspect="equal")
        panel.set_title(f"{energy:.3f}")
        panel.axis("off")
    return figure


def principal(x: np.ndarray) -> np.ndarray:
    """Return positions, (N, D), turned to extend most along the first axis."""
    return x @ np.linalg.svd(x)[2].T


def of_analysis(
    name: str, draw: Callable[[dict[str, Any]], Figure]
) -> Callable[[], Figure | None]:
    """Return what draws the figure of an analysis, once that has been measured."""

    def figure() -> Figure | None:
        found = measured(f"particles/{name}")
        return None if found is None else draw(found)

    return figure


FIGURES: dict[str, Callable[[], Figure | None]] = {
    "data_size.png": size_figure,
    "energies.png": energy_figure,
    "states.png": state_figure,
    "divergence.png": of_analysis(
        "divergence", lambda found: divergence.figure(found["rows"])
    ),
    "free_energy.png": of_analysis(
        "profile", lambda found: profile.figure(found["rows"])
    ),
    "solvers.png": of_analysis("solvers", solvers.figure),
}

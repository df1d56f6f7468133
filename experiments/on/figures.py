"""The figure of the study of O(N) fields; runs that are missing are left out."""

import numpy as np
from drawing import FLOW, HMC, LINE, OTHER, plain_numbers, row_of_panels
from matplotlib.figure import Figure
from reading import ROOT, mean_error, metrics

from on.runs import COMPONENTS, PHASES, SCAN

PICTURES = ROOT / "docs" / "on"
COLOURS = dict(zip(PHASES, (OTHER, FLOW, HMC), strict=True))
EXTENT = 8


def goldstone_figure() -> Figure:
    """The order parameter against h, and the inverse spectrum across M."""
    figure, (left, right) = row_of_panels(2, (9, 3.8))
    for phase, kappa in PHASES.items():
        style = {"fmt": "o", "ms": 4, "capsize": 2, "color": COLOURS[phase]}
        runs = [(h, metrics(f"on/sigma_{phase}_{h}")) for h in SCAN]
        found = [(h, *mean_error(run, "magnetization")) for h, run in runs if run]
        if found:
            label = rf"{phase}, $\kappa$ = {kappa}"
            left.errorbar(*np.transpose(found), **style, label=label)
    left.set(xlabel="h", ylabel=r"$\langle M_1 \rangle$", xscale="log", yscale="log")
    plain_numbers(left.xaxis)
    plain_numbers(left.yaxis)
    left.legend(fontsize=8)
    momenta = 4 * np.sin(np.pi * np.arange(1, EXTENT // 2 + 1) / EXTENT) ** 2
    for phase in PHASES:
        for components, marker, offset in zip(
            COMPONENTS, "os", (-0.02, 0.02), strict=True
        ):
            run = metrics(f"on/o{components}_{phase}_0.0")
            if run is None:
                continue
            mean, error = mean_error(run, "spectrum_across")
            right.errorbar(
                momenta + offset,
                1 / mean,
                error / mean**2,
                fmt=marker,
                ms=4,
                color=COLOURS[phase],
                label=f"O({components}), {phase}",
            )
    right.axline((0, 0), slope=2 * PHASES["broken"], color=LINE, ls=":", lw=1)
    right.set(xlabel=r"$\hat k^2$", ylabel=r"$1 / S_\perp(k)$", xlim=(0, None))
    right.set_ylim(0)
    right.legend(fontsize=8)
    return figure


FIGURES = {"goldstone.png": goldstone_figure}

"""Figs. 3, 4, 9 and 14 of the paper.

The densities need samples, which are not committed; without them the committed figures
stay.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import reading
from drawing import FLOW, HMC, LINE, OTHER, row_of_panels
from matplotlib.figure import Figure
from reading import ROOT

from paper.runs import FIELDS, FIRST, field_pieces, ours, pieces
from paper.tables import LABELS, full_name

PICTURES = ROOT / "docs" / "paper"
COLOURS = {"ours": FLOW, "sesamo": HMC, "canonicalization": OTHER, "realnvp": LINE}
LOWEST = 1e-4  # densities below so much of the largest are drawn white


class Style(NamedTuple):
    """How a row's curve looks."""

    label: str
    colour: str
    line: str = "-"


def densities(target: str) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return label, axis and log density of the target and of what was trained."""
    names = {row: next(iter(pieces(target, row))) for row in FIRST}
    names["ours"] = next(iter(ours(target)))
    found = []
    for row, name in names.items():
        results, run = reading.place(full_name(name))
        if arrays := results.arrays(run):
            axis, log_p = arrays["grid_axis"], arrays["grid_log_p"]
            found.append((LABELS[row], axis, arrays["grid_log_q"][0]))
    return [("exact", axis, log_p), *found] if found else []


def density_figure(target: str) -> Figure | None:
    """Densities side by side, on one scale (Figs. 3 and 4)."""
    shown = densities(target)
    if len(shown) < 5:
        return None
    figure, panels = row_of_panels(len(shown), (3.2 * len(shown), 3.6))
    top = np.exp(shown[0][2].max())
    for panel, (label, axis, log_q) in zip(panels, shown, strict=True):
        density = np.exp(log_q).T
        density = np.where(density < LOWEST * top, np.nan, density)
        panel.pcolormesh(axis, axis, density, vmin=0, vmax=top, rasterized=True)
        panel.set(title=label.split(":")[0], xlabel="x1", aspect="equal")
    panels[0].set_ylabel("x2")
    return figure


def curves_figure(
    targets: tuple[str, ...], rows: dict[str, Style], runs: Callable[[str, str], list]
) -> Figure:
    """ESS of training batches against seconds, mean and std over seeds, by target.

    Args:
        targets: one panel each.
        rows: their styles.
        runs: the names of a target's row.
    """
    figure, panels = row_of_panels(len(targets), (10, 3.8))
    for panel, target in zip(panels, targets, strict=True):
        for row, style in rows.items():
            names = map(full_name, runs(target, row))
            curves = [curve for name in names for curve in reading.curves(name)]
            if not curves:
                continue
            shortest = min(len(curve) for curve in curves)
            stack = np.stack([curve[:shortest] for curve in curves])
            seconds, ess = stack[:, :, 0].mean(axis=0), stack[:, :, 1]
            mean, std = np.nanmean(ess, axis=0), np.nanstd(ess, axis=0)
            panel.plot(seconds, mean, style.line, color=style.colour, label=style.label)
            panel.fill_between(
                seconds, mean - std, mean + std, color=style.colour, alpha=0.2
            )
        panel.set(xlabel="seconds of training per model", xscale="log", title=target)
        panel.set_ylim(0, 1.02)
    panels[0].set_ylabel("ESS")
    lines, labels = panels[0].get_legend_handles_labels()
    columns = -(-len(lines) // 2)
    figure.legend(lines, labels, loc="outside lower center", ncols=columns, fontsize=8)
    return figure


def time_figure() -> Figure:
    """The two-dimensional targets of Fig. 9."""
    rows = {row: Style(LABELS[row], COLOURS[row]) for row in ("ours", *FIRST)}

    def runs(target: str, row: str) -> list[str]:
        return list(ours(target) if row == "ours" else pieces(target, row))

    return curves_figure(("gmm", "hubbard"), rows, runs)


def field_figure() -> Figure:
    """The complex field of Fig. 14; what is on the paper's subspace is dashed."""
    rows = {
        "ours": Style("ours, full", FLOW),
        "realnvp": Style("RealNVP, full", LINE),
        "vmonf": Style("VMoNF, full", OTHER),
        "ours_aligned": Style("ours, aligned", FLOW, "--"),
        "sesamo": Style("SESaMo, 2025 objective, aligned", HMC, "--"),
        "reinforce": Style("SESaMo, 2026 objective, aligned", HMC, ":"),
    }
    figure = curves_figure(FIELDS, rows, lambda *row: list(field_pieces(*row)))
    for panel in figure.axes:  # what no linear scale would show
        panel.set(yscale="log", ylim=(1e-4, 1.3))
    return figure


FIGURES: dict[str, Callable[[], Figure | None]] = {
    "fig3.png": partial(density_figure, "gmm"),
    "fig4.png": partial(density_figure, "hubbard"),
    "fig9.png": time_figure,
    "fig14.png": field_figure,
}

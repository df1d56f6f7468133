"""The effective sample size in the course of training."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sesamo_jax.run.figures.panels import COLOURS, panels, title

WINDOWS = 60  # of the course of training, at most
LEAST = 1e-8  # what an ESS of 1, to rounding, is drawn at


def ess_figure(
    history: Mapping[str, np.ndarray], metrics: Mapping[str, Any], accounting: str
) -> Figure:
    """1 - ESS of the training batches against time and samples, all seeds (Fig. 9).

    In `cell` accounting single leaked samples carry large weights: the spikes.
    """
    figure, axes = panels(1, 2, (9, 3.8), sharey=True)
    for panel, (label, column) in zip(axes, costs(history).items(), strict=True):
        draw_gap(panel, column, 1 - history["ess"], COLOURS["model"], "median")
        panel.set(yscale="log", xlabel=label)
        panel.grid(alpha=0.3)
    axes[0].set_ylabel(f"1 - ESS of training batches ({accounting})")
    axes[1].legend(fontsize=8)
    figure.suptitle(
        f"{title(metrics)}, {history['ess'].shape[1]} seed(s); "
        f"final ESS ({metrics['density']}) {metrics['aggregate']['ess']['text']}"
    )
    return figure


def costs(history: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what one seed has cost at each line of the history, by what it is."""
    seeds = history["ess"].shape[1]
    return {
        "seconds per seed, without compilation": history["seconds"][:, 0] / seeds,
        "samples drawn per seed": history["samples_drawn"][:, 0],
    }


def draw_gap(
    panel: Axes, cost: np.ndarray, gap: np.ndarray, colour: str, label: str
) -> None:
    """Draw median and band, from the 16th to the 84th percentile, over windows.

    Args:
        panel: where to.
        cost: at each line of the history, (rows,).
        gap: 1 - ESS, (rows, seeds); a window pools its rows and all seeds.
        colour: of both.
        label: of the median.
    """
    windows = np.array_split(np.arange(len(cost)), min(WINDOWS, len(cost)))
    middle = [cost[rows].mean() for rows in windows]
    low, median, high = np.array([_percentiles(gap[rows]) for rows in windows], float).T
    panel.fill_between(
        middle, low, high, color=colour, alpha=0.25, lw=0, label="16 to 84 %"
    )
    panel.plot(middle, median, color=colour, lw=1.8, label=label)


def _percentiles(values: np.ndarray) -> np.ndarray:
    """Return the 16th, 50th and 84th percentile of those that are numbers."""
    known = np.maximum(values[np.isfinite(values)], LEAST)
    return np.percentile(known, (16, 50, 84)) if known.size else np.full(3, np.nan)

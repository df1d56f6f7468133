"""How the weights of the samples spread."""

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sesamo_jax.run.figures.panels import COLOURS, SERIES, panels, title

WIDEST = 10.0  # of log (w / Z); what lies beyond is counted in the last bin
BINS = 100


def weights_figure(
    arrays: Mapping[str, np.ndarray], metrics: Mapping[str, Any]
) -> Figure:
    """Histogram of log(w / Z-hat); a perfect model has all of it at 0.

    All seeds on one axis, which ends at the smallest and largest of them or at
    `WIDEST`.
    """
    figure, panel = panels(1, 1, (6, 4))
    draw_weights(panel, {title(metrics): normalised(arrays, metrics)})
    panel.set_ylabel("density, one line per seed")
    total = metrics["aggregate"]
    share = total["max_weight_share"]["mean"]
    largest = "-" if share is None else f"{share:.1g}"
    panel.set_title(
        f"{title(metrics)}\nESS {total['ess']['text']}, largest share {largest}"
    )
    return figure


def normalised(
    arrays: Mapping[str, np.ndarray], metrics: Mapping[str, Any]
) -> list[np.ndarray]:
    """Return log(w / Z-hat) of each seed, of the samples that have a weight."""
    found = []
    for log_w, entry in zip(arrays["log_w"], metrics["seeds"], strict=True):
        finite = log_w[np.isfinite(log_w)]
        if entry["log_z"] is not None and finite.size:
            found.append(finite - entry["log_z"])
    return found


def draw_weights(panel: Axes, runs: Mapping[str, list[np.ndarray]]) -> None:
    """Draw histograms of several runs' seeds on common bins, each run in its colour."""
    every = [values for seeds in runs.values() for values in seeds]
    name = r"$\log (w / \hat Z)$"
    if every:
        pooled = np.clip(np.concatenate(every), -WIDEST, WIDEST)
        margin = 0.02 * max(np.ptp(pooled), 1e-3)
        ends = pooled.min() - margin, pooled.max() + margin
        bins = np.linspace(*ends, BINS + 1).tolist()
        for (label, seeds), colour in zip(runs.items(), cycle(SERIES), strict=False):
            for values in seeds:
                panel.hist(
                    np.clip(values, -WIDEST, WIDEST),
                    bins,
                    histtype="step",
                    alpha=0.7,
                    density=True,
                    color=colour,
                    label=label,
                )
                label = f"_{label}"
        if np.abs(np.concatenate(every)).max() > WIDEST:
            name += rf", cut at $\pm${WIDEST:g}"
    panel.axvline(0, color=COLOURS["exact"], lw=1)
    panel.set_yscale("log")
    panel.set_xlabel(name)

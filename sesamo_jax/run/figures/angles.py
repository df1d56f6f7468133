"""How samples fill the orbit of a continuous symmetry."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from sesamo_jax.run.figures.panels import COLOURS, histogram, panels, title

BINS = 24


def angles_figure(
    arrays: Mapping[str, np.ndarray], metrics: Mapping[str, Any]
) -> Figure:
    """Histograms of the angle theta of all seeds, as drawn and reweighted.

    Errors take the samples as independent, those of chains, too.
    """
    angles = arrays["angles"].ravel() / np.pi
    edges = np.linspace(0, 2, BINS + 1)
    middle, width = (edges[1:] + edges[:-1]) / 2, edges[1]
    figure, panel = panels(1, 1, (6, 4))
    panel.axhline(0.5, color=COLOURS["edge"], ls=":", label="uniform")
    kinds = {"as drawn": np.ones(len(angles))}
    if "log_w" in arrays:  # chains have no weights
        kinds["reweighted"] = np.exp(_centred(arrays["log_w"])).ravel()
    for (label, w), colour, shift in zip(
        kinds.items(), (COLOURS["model"], COLOURS["exact"]), (-0.1, 0.1), strict=False
    ):
        density, error = histogram(angles, w, edges)
        style = {"fmt": "o", "ms": 4, "capsize": 3, "color": colour, "label": label}
        panel.errorbar(middle + shift * width, density, error, **style)
    panel.set(xlabel=r"angle $\theta / \pi$", ylabel="density", xlim=(0, 2))
    panel.set_ylim(0, 1.25 * panel.get_ylim()[1])
    panel.legend(loc="upper center", ncols=3)
    panel.set_title(title(metrics))
    return figure


def _centred(log_w: np.ndarray) -> np.ndarray:
    """Return log weights with each seed's largest at 0, and those unknown at -inf."""
    known = np.where(np.isfinite(log_w), log_w, -np.inf)
    top = known.max(axis=1, keepdims=True, initial=-np.inf)
    return known - np.where(np.isfinite(top), top, 0.0)

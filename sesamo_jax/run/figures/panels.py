"""What the figures of runs share: panels, colours, titles, the field's notation."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

COLOURS = {
    "model": "#0b6e8a",
    "exact": "#d1495b",
    "reference": "#e9ecef",
    "edge": "#adb5bd",
}
SERIES = (COLOURS["model"], *(f"C{index}" for index in range(1, 10)))  # of runs
NOTATION = {
    "abs_magnetization": r"$|M|$",
    "action": r"$f$",
    "action_density": r"$f / V$",
    "breaking_ratio": r"$R$",
    "cos_angle": r"$\cos\theta$",
    "distance": r"$d$",
    "double_occupancy": r"$\langle n_\uparrow n_\downarrow \rangle$",
    "energy": r"$E$",
    "magnetization": r"$M$",
    "magnetization_squared": r"$M^2$",
    "magnetization_fourth": r"$M^4$",
    "mean_x1": r"$x_1$",
    "mean_x2": r"$x_2$",
    "phi2": r"$|\phi|^2$",
    "staggered_structure_factor": r"$S(\pi)$",
    "structure_factor": r"$\tilde G(k_{\min})$",
    "susceptibility": r"$\chi$",
}


def panels(rows: int, columns: int, size: tuple, **shared: Any) -> tuple:
    """Return a figure and its axes, without pyplot and its global state."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, **shared)


def title(metrics: Mapping[str, Any]) -> str:
    """Return what a figure is of."""
    law = f" ({metrics['modulation']})" if metrics["modulation"] else ""
    return f"{metrics['target']}, {metrics['method']}{law}".replace("_", " ")


def notation(name: str) -> str:
    """Return an observable's symbol, or its name in words where it has none here."""
    return NOTATION.get(name, name.replace("_", " "))


def histogram(
    values: np.ndarray, w: np.ndarray, edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the density of weighted samples in each bin, and its error.

    That of the share p = sum_i w_i 1_i / sum_i w_i of independent samples: the square
    root of sum_i w_i^2 (1_i - p)^2 over the sum of weights.

    Args:
        values: of samples, (n,).
        w: their weights, (n,).
        edges: of the bins, (bins + 1,).
    """
    w = w / max(w.sum(), np.finfo(float).tiny)
    share = np.histogram(values, edges, weights=w)[0]
    square = np.histogram(values, edges, weights=w**2)[0]
    variance = (1 - 2 * share) * square + share**2 * (w**2).sum()
    width = np.diff(edges)
    return share / width, np.sqrt(np.maximum(variance, 0)) / width

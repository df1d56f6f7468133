"""What the studies' figures share: colours, a row of panels, axes."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from sesamo_jax.run.figures.panels import histogram

FLOW, HMC, OTHER, LINE = "#0b6e8a", "#d1495b", "#edae49", "#444444"


def row_of_panels(columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """Return a figure of `size` in inches, with its panels."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, list(np.atleast_1d(figure.subplots(1, columns)))


def points(
    panel: Axes, drawn: tuple, edges: np.ndarray, colour: str, label: str, shift: float
) -> None:
    """Draw the density of weighted samples as points with errors.

    Args:
        panel: where to.
        drawn: values and weights, (n,) each.
        edges: of the bins.
        colour: of the points.
        label: of them.
        shift: along the axis, in bins, so that errors of two do not cover each other.
    """
    density, error = histogram(*drawn, edges)
    middle = (edges[1:] + edges[:-1]) / 2 + shift * np.diff(edges)
    style = {"fmt": "o", "ms": 2.5, "lw": 1, "color": colour, "label": label}
    panel.errorbar(middle, density, error, **style)


def plain_numbers(axis: Axis, values: list[float] | None = None) -> None:
    """Label a logarithmic axis with numbers, at 1, 2, 5 of each decade or at values."""
    if values is None:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    else:
        axis.set_ticks(values)
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())

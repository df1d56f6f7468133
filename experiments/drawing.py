"""What the studies' figures share: colours, a row of panels, axes."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

FLOW, HMC, OTHER, LINE = "#0b6e8a", "#d1495b", "#edae49", "#444444"


def row_of_panels(columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """Return a figure of `size` in inches, with its panels."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, list(np.atleast_1d(figure.subplots(1, columns)))


def plain_numbers(axis: Axis, values: list[float] | None = None) -> None:
    """Label a logarithmic axis with numbers, at 1, 2, 5 of each decade or at values."""
    if values is None:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    else:
        axis.set_ticks(values)
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())

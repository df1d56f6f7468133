"""What the studies' figures share: colours, a row of panels, and saving."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

FLOW, HMC, OTHER, LINE = "#0b6e8a", "#d1495b", "#edae49", "#444444"


def row_of_panels(columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """Return a figure of `size` in inches, with its panels."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, list(np.atleast_1d(figure.subplots(1, columns)))


def save_all(figures: dict[str, Callable[[], Figure]], folder: Path) -> None:
    """Draw figures into a folder, by file name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in figures.items():
        draw().savefig(folder / name, dpi=150)

"""What the studies' figures share: colours, a row of panels, and saving."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from sesamo_jax.run.folder import RunFolder

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


def save_all(figures: dict[str, Callable[[], Figure | None]], folder: Path) -> None:
    """Draw figures into a folder, by file name; leave those that come out None."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in figures.items():
        figure = draw()
        if figure is not None:
            figure.savefig(folder / name, dpi=150)


def histories(folder: Path) -> list[np.ndarray]:
    """Return (seconds per model, ESS) of every seed of a run, (rows, 2) each.

    Seeds train together in one program: each has its share of the time.
    """
    run = RunFolder(folder)
    if not run.history_path.exists():
        return []
    history = run.read_history()
    share = np.array([1 / history["ess"].shape[1], 1.0])
    columns = zip(history["seconds"].T, history["ess"].T, strict=True)
    return [share * np.stack(column, axis=-1) for column in columns]

"""Figures of a run, from the files in its folder."""

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from sesamo_jax.run.figures.angles import angles_figure
from sesamo_jax.run.figures.chains import chains_figure
from sesamo_jax.run.figures.density import density_figure
from sesamo_jax.run.figures.sectors import sectors_figure
from sesamo_jax.run.figures.training import ess_figure
from sesamo_jax.run.figures.weights import weights_figure
from sesamo_jax.run.folder import CONFIG, LINES, METRICS, REMEDIES, SAMPLES, RunFolder
from sesamo_jax.storage.files import reading

CAPTIONS = {
    "density.png": "The target's density, the model's, their difference, and samples.",
    "sectors.png": (
        "How samples fill the sectors of the symmetry and, where it is known what to "
        "expect, how far they are from it, in errors (the band is one error)."
    ),
    "angles.png": "How samples fill the orbit of the continuous symmetry.",
    "chains.png": "The chains of the first seed, by their slowest observable.",
    "weights.png": (
        "Weights of the samples: a perfect model has all of them at 0. What decides "
        "is the right end, where the target is and the model hardly."
    ),
    "ess.png": (
        "The course of training: median of the batches' 1 - ESS, and the band between "
        "the 16th and the 84th percentile, over windows and all seeds."
    ),
}


def make_figures(folder: RunFolder) -> list[str]:
    """Draw every figure that the run's files allow and return the file names."""
    metrics, arrays = folder.read(METRICS), folder.read_arrays()
    # Each with the file that it shows, in which the fault is where it cannot.
    figures: dict[str, tuple[str, Callable[[], Figure]]] = {}
    if "grid_axis" in arrays:
        figures["density.png"] = SAMPLES, lambda: density_figure(arrays, metrics)
    if metrics["seeds"][0]["sectors"] is not None:
        figures["sectors.png"] = METRICS, lambda: sectors_figure(metrics)
    if "angles" in arrays:
        figures["angles.png"] = SAMPLES, lambda: angles_figure(arrays, metrics)
    if "slowest" in arrays:
        figures["chains.png"] = SAMPLES, lambda: chains_figure(arrays, metrics)
    if "log_w" in arrays:
        figures["weights.png"] = SAMPLES, lambda: weights_figure(arrays, metrics)
    if folder.history_path.exists():
        history = folder.read_history()
        accounting = folder.read(CONFIG)["training"]["density"]
        # A likelihood of data alone needs no samples of the model in training.
        if not np.isnan(history["ess"]).all():
            figures["ess.png"] = LINES, lambda: ess_figure(history, metrics, accounting)
    for name, (source, draw) in figures.items():
        with reading(folder.path / source, REMEDIES[source]):
            figure = draw()
        figure.savefig(folder.path / name, dpi=150)
    return list(figures)

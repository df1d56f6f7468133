"""The picture at the head of the README, and the self-test's."""

import reading
from matplotlib.figure import Figure
from reading import ROOT

from readme.coverage import coverage_drawn
from sesamo_jax.run.figures import density_figure

PICTURES = ROOT / "docs" / "readme"


def density() -> Figure | None:
    """The Hubbard model: exact density, the model's, and samples, which it needs."""
    results, run = reading.place("readme/hubbard")
    arrays, metrics = results.arrays(run), results.metrics(run)
    return density_figure(arrays, metrics) if arrays and metrics else None


FIGURES = {"density.png": density, "coverage.png": coverage_drawn}

"""How samples fill the sectors of a discrete symmetry."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sesamo_jax.run.figures.panels import COLOURS, panels, title

REFERENCES = {
    "sectors_expected": "exact",
    "sectors_audit": "Markov chains",
    "sectors_heat_bath": "heat bath on the model's orbits",
}
ROWS = {"sectors": ("samples", -0.15), "sectors_reweighted": ("reweighted", 0.15)}
FARTHEST = 8.0  # pulls beyond are drawn there, as triangles


def sectors_figure(metrics: Mapping[str, Any]) -> Figure:
    """Shares of the sectors, beside the best reference there is and their pulls."""
    seeds = metrics["seeds"]
    order = len(seeds[0]["sectors"])
    position, width = np.arange(order), float(np.clip(0.7 * order + 2, 5.0, 14.0))
    reference = next((r for r in REFERENCES if seeds[0].get(r) is not None), None)
    if reference is None:
        figure, lower = panels(1, 1, (width, 3.8))
        shares = lower
    else:
        figure, (shares, lower) = panels(
            2, 1, (width, 5.2), sharex=True, height_ratios=(3, 1.4)
        )
        expected = mean_and_error(seeds, reference)
        shares.bar(
            position, expected[0], color=COLOURS["reference"], ec=COLOURS["edge"],
            label=REFERENCES[reference],
        )  # fmt: skip
        lower.set_ylabel(f"pull from\n{REFERENCES[reference].split(' on ')[0]}")
    for name, (label, offset) in ROWS.items():
        found = mean_and_error(seeds, name)
        colour = COLOURS["model"] if name == "sectors" else COLOURS["exact"]
        style = {"fmt": "o", "ms": 4, "capsize": 3, "label": label, "color": colour}
        shares.errorbar(position + offset, *found, **style)
        if reference is not None:
            draw_pulls(lower, position + offset, found, expected, colour)
    shares.set_ylabel("probability")
    shares.set_ylim(0, 1.25 * shares.get_ylim()[1])
    shares.legend(loc="upper center", ncols=3)
    leak = metrics["aggregate"]["leak"]["text"]
    shares.set_title(f"{title(metrics)}, leak {leak}")
    lower.set_xlabel("symmetry sector")
    if order <= 32:  # more numbers would run into each other
        lower.set_xticks(position)
    return figure


def mean_and_error(seeds: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """Return the mean of shares over seeds and the error of that mean, (2, order).

    What is exact has no error of its own, and what one seed lacks no mean.
    """
    values = np.array([entry[name] for entry in seeds], float)
    own = seeds[0].get(f"{name}_error") or [0.0] * values.shape[1]
    error = np.array(own, float)
    if len(seeds) > 1:
        spread = values.std(axis=0, ddof=1) / np.sqrt(len(seeds))
        # Chains of an audit are the same for all seeds.
        error = np.where(spread > 0, spread, error)
    return np.array([values.mean(axis=0), error])


def draw_pulls(
    panel: Axes,
    position: np.ndarray,
    found: np.ndarray,
    expected: np.ndarray,
    colour: str,
) -> None:
    """Draw distances from what is expected in units of their joint errors.

    Args:
        panel: where to.
        position: on its axis, (n,).
        found: values and errors, (2, n).
        expected: likewise.
        colour: of the points.
    """
    error = np.hypot(found[1], expected[1])
    off = (found[0] - expected[0]) / np.where(error > 0, error, np.nan)
    beyond = np.abs(off) > FARTHEST
    panel.plot(position[~beyond], off[~beyond], "o", ms=4, color=colour)
    for side, marker in ((1, "^"), (-1, "v")):
        far = beyond & (np.sign(off) == side)
        height = np.full(far.sum(), side * FARTHEST)
        panel.plot(position[far], height, marker, ms=6, color=colour)
    panel.axhspan(-1, 1, color=COLOURS["reference"], zorder=0)
    panel.axhline(0, color="0.6", lw=0.8)
    panel.set_ylim(-FARTHEST - 1, FARTHEST + 1)

"""The figure of docs/benchmarks.md."""

from typing import Any

import numpy as np
from drawing import FLOW, HMC, plain_numbers
from matplotlib.figure import Figure

COLOURS = {"ours": FLOW, "peer": HMC}
COLUMNS = 3
LEVELS = (0.0, 0.9, 0.99, 0.999)
BEST = 1e-4  # of 1 - ESS: what is closer to 1 is drawn there


def ess_time(parts: dict[str, dict[str, Any]]) -> Figure:
    """Return ESS against seconds of training, a panel a task and a line a seed.

    Args:
        parts: measured curves by name of the task.
    """
    rows = -(-len(parts) // COLUMNS)
    figure = Figure(figsize=(10, 3.2 * rows), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, squeeze=False)
    for panel in panels.ravel()[len(parts) :]:
        panel.axis("off")
    for panel, (name, part) in zip(panels.flat, parts.items(), strict=False):
        seen = set()
        for run in part["runs"]:
            seconds = [point["seconds"] for point in run["points"]]
            missing = [max(1 - (point["ess"] or 0.0), BEST) for point in run["points"]]
            who = run["who"]
            label = None if who in seen else who
            panel.plot(seconds, missing, ".-", color=COLOURS[who], label=label, ms=3)
            seen.add(who)
        panel.set(title=name, xlabel="seconds of training", xscale="log")
        plain_numbers(panel.xaxis)
        panel.tick_params(axis="x", labelsize=7)
        panel.set(yscale="log", ylim=(1.2, BEST))
        panel.set_yticks(1 - np.array(LEVELS), [str(level) for level in LEVELS])
        panel.set_yticks([], minor=True)
        panel.grid(axis="y", alpha=0.3)
        panel.legend(fontsize=8)
    for panel in panels[:, 0]:
        panel.set(ylabel="ESS")
    return figure

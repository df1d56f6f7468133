"""The figure of docs/benchmarks.md."""

from typing import Any

import numpy as np
from drawing import FLOW, HMC, row_of_panels
from matplotlib.figure import Figure

COLOURS = {"ours": FLOW, "peer": HMC}
LEVELS = (0.0, 0.9, 0.99, 0.999)
BEST = 1e-4  # of 1 - ESS: what is closer to 1 is drawn there


def ess_time(parts: dict[str, dict[str, Any]]) -> Figure:
    """Return ESS against seconds of training, a panel a task and a line a seed.

    Args:
        parts: measured curves by name of the task.
    """
    figure, panels = row_of_panels(len(parts), (3.2 * len(parts), 3.2))
    for panel, (name, part) in zip(panels, parts.items(), strict=True):
        seen = set()
        for run in part["runs"]:
            seconds = [point["seconds"] for point in run["points"]]
            missing = [max(1 - (point["ess"] or 0.0), BEST) for point in run["points"]]
            who = run["who"]
            label = None if who in seen else who
            panel.plot(seconds, missing, ".-", color=COLOURS[who], label=label, ms=3)
            seen.add(who)
        panel.set(title=name, xlabel="seconds of training", xscale="log")
        panel.set(yscale="log", ylim=(1.2, BEST))
        panel.set_yticks(1 - np.array(LEVELS), [str(level) for level in LEVELS])
        panel.set_yticks([], minor=True)
        panel.grid(axis="y", alpha=0.3)
        panel.legend(fontsize=8)
    panels[0].set(ylabel="ESS")
    return figure

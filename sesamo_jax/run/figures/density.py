"""The density of a target of two components beside its model's."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from sesamo_jax.run.figures.panels import COLOURS, panels, title


def density_figure(
    arrays: Mapping[str, np.ndarray], metrics: Mapping[str, Any]
) -> Figure:
    """Exact density, the model's, their difference, samples; first seed (Figs. 3, 4).

    The difference is in units of the largest exact density.
    """
    axis = arrays["grid_axis"]
    exact, model = np.exp(arrays["grid_log_p"]), np.exp(arrays["grid_log_q"][0])
    x = arrays["x"][0].reshape(-1, 2)
    figure, axes = panels(2, 2, (8.2, 7.2), sharex=True, sharey=True)
    top = float(exact.max())
    for panel, density, name in (
        (axes[0, 0], exact, "exact density $p(x)$"),
        (axes[0, 1], model, "model density $q(x)$"),
    ):
        image = panel.pcolormesh(
            axis, axis, density.T, cmap="magma_r", vmin=0, vmax=top
        )
        panel.set_title(name)
    figure.colorbar(image, ax=axes[0], label="density", shrink=0.9)
    off = (model - exact) / top
    largest = float(np.nanmax(np.abs(off), initial=1e-12))
    image = axes[1, 0].pcolormesh(
        axis, axis, off.T, cmap="RdBu_r", vmin=-largest, vmax=largest
    )
    figure.colorbar(image, ax=axes[1], label=r"$(q - p) / \max p$", shrink=0.9)
    axes[1, 0].set_title("difference $q - p$")
    axes[1, 1].plot(x[:, 0], x[:, 1], ",", color=COLOURS["model"], alpha=0.6)
    axes[1, 1].set_title(f"{len(x):,} samples")
    for panel in axes.flat:
        panel.set(aspect="equal", xlim=axis[[0, -1]], ylim=axis[[0, -1]])
    for panel in axes[1]:
        panel.set_xlabel("$x_1$")
    for panel in axes[:, 0]:
        panel.set_ylabel("$x_2$")
    figure.suptitle(f"{title(metrics)}, seed {metrics['seeds'][0]['seed']}")
    return figure

"""Markov chains: traces, sectors, autocorrelation."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sesamo_jax.estimators.autocorrelation import autocorrelation
from sesamo_jax.run.figures.panels import COLOURS, notation, panels, title

SHOWN = 8


def chains_figure(
    arrays: Mapping[str, np.ndarray], metrics: Mapping[str, Any]
) -> Figure:
    """Chains of the first seed: their slowest observable, sectors, autocorrelation."""
    entry, series = metrics["seeds"][0], arrays["slowest"]
    name = entry["slowest"]
    sectors = arrays.get("chain_sectors")
    count = 2 if sectors is None else 3
    figure, axes = panels(1, count, (4.2 * count, 3.8))
    for chain in series[:SHOWN]:
        axes[0].plot(chain, lw=0.6, alpha=0.7)
    axes[0].set(xlabel="stored sample", ylabel=notation(name), title="traces")
    if sectors is not None:
        for chain in sectors[:SHOWN]:
            axes[1].plot(chain, ".", ms=2, alpha=0.5)
        axes[1].set(xlabel="stored sample", ylabel="symmetry sector", title="sectors")
        axes[1].yaxis.set_major_locator(MaxNLocator(integer=True))
    row = entry["observables"][name]
    lags = min(series.shape[1] - 1, max(10, int(8 * row["tau_int"])))
    rho = autocorrelation(series)[: lags + 1]
    axes[-1].plot(np.arange(lags + 1), rho, color=COLOURS["model"])
    axes[-1].axhline(0, color="0.6", lw=0.8)
    mixing = rf"$\tau_\mathrm{{int}} = {row['tau_int']:.2f}$"
    if row["r_hat"] is not None:
        mixing += rf", $\hat R = {row['r_hat']:.3f}$"
    axes[-1].set(
        xlabel="lag, stored samples",
        ylabel=f"autocorrelation of {notation(name)}",
        title=mixing,
    )
    figure.suptitle(
        f"{title(metrics)}, {min(SHOWN, len(series))} of {len(series)} chains, "
        f"seed {entry['seed']}"
    )
    return figure

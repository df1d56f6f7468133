"""Figures of a run, from the files in its folder."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from sesamo_jax.estimators.autocorrelation import autocorrelation
from sesamo_jax.run.folder import CONFIG, LINES, METRICS, REMEDIES, SAMPLES, RunFolder
from sesamo_jax.storage.files import reading

SHOWN_CHAINS = 8
COLOURS = {"model": "#0b6e8a", "exact": "#d1495b"}


def make_figures(folder: RunFolder) -> list[str]:
    """Draw every figure that the run's files allow and return the file names."""
    metrics, arrays = folder.read(METRICS), folder.read_arrays()
    # Each with the file that it shows, in which the fault is where it cannot.
    figures: dict[str, tuple[str, Callable[[], Figure]]] = {}
    if "log_w" in arrays:
        figures["weights.png"] = SAMPLES, lambda: weights_figure(arrays, metrics)
    if folder.history_path.exists():
        history = folder.read_history()
        accounting = folder.read(CONFIG)["training"]["density"]
        # A likelihood of data alone needs no samples of the model in training.
        if not np.isnan(history["ess"]).all():
            figures["ess.png"] = LINES, lambda: ess_figure(history, metrics, accounting)
    if "grid_axis" in arrays:
        figures["density.png"] = SAMPLES, lambda: density_figure(arrays, metrics)
    if "slowest" in arrays:
        figures["chains.png"] = SAMPLES, lambda: chains_figure(arrays, metrics)
    if metrics["seeds"][0]["sectors"] is not None:
        figures["sectors.png"] = METRICS, lambda: sectors_figure(metrics)
    for name, (source, draw) in figures.items():
        with reading(folder.path / source, REMEDIES[source]):
            figure = draw()
        figure.savefig(folder.path / name, dpi=150)
    return list(figures)


def _panels(rows: int, columns: int, size: tuple, **shared: Any) -> tuple:
    """Return a figure and its axes, without pyplot and its global state."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, **shared)


def _title(metrics: Mapping[str, Any]) -> str:
    law = f" ({metrics['modulation']})" if metrics["modulation"] else ""
    return f"{metrics['target']}, {metrics['method']}{law}"


def density_figure(
    arrays: Mapping[str, np.ndarray], metrics: Mapping[str, Any]
) -> Figure:
    """Exact density, model density and samples of the first seed (Figs. 3, 4)."""
    axis = arrays["grid_axis"]
    exact, model = arrays["grid_log_p"], arrays["grid_log_q"][0]
    x = arrays["x"][0].reshape(-1, 2)
    figure, axes = _panels(1, 3, (10.5, 3.8), sharex=True, sharey=True)
    top = float(np.exp(exact.max()))
    for panel, log_density, name in (
        (axes[0], exact, "exact"),
        (axes[1], model, "model"),
    ):
        image = panel.pcolormesh(
            axis, axis, np.exp(log_density).T, cmap="magma_r", vmin=0, vmax=top
        )
        panel.set_title(f"{name} density")
    figure.colorbar(image, ax=axes[:2], shrink=0.85)
    axes[2].plot(x[:, 0], x[:, 1], ",", color=COLOURS["model"], alpha=0.6)
    axes[2].set_title(f"{len(x):,} samples")
    for panel in axes:
        panel.set_aspect("equal")
        panel.set_xlabel("$x_1$")
    axes[0].set_ylabel("$x_2$")
    axes[2].set_xlim(axis[0], axis[-1])
    axes[2].set_ylim(axis[0], axis[-1])
    figure.suptitle(f"{_title(metrics)}, seed {metrics['seeds'][0]['seed']}")
    return figure


def ess_figure(
    history: Mapping[str, np.ndarray], metrics: Mapping[str, Any], accounting: str
) -> Figure:
    """1 - ESS of the training batches against time and samples, all seeds (Fig. 9).

    In `cell` accounting single leaked samples carry large weights: the spikes.
    """
    figure, axes = _panels(1, 2, (9, 3.8), sharey=True)
    seeds = history["ess"].shape[1]
    columns = {
        "seconds per seed, without compilation": history["seconds"] / seeds,
        "samples drawn per seed": history["samples_drawn"],
    }
    for panel, (label, column) in zip(axes, columns.items(), strict=True):
        gap = 1 - history["ess"]
        panel.plot(column, gap, color=COLOURS["model"], alpha=0.25, lw=0.8)
        panel.plot(column[:, 0], gap.mean(axis=1), color=COLOURS["model"], lw=2)
        panel.set_yscale("log")
        panel.set_xlabel(label)
        panel.grid(alpha=0.3)
    axes[0].set_ylabel(f"1 - ESS of training batches ({accounting})")
    figure.suptitle(
        f"{_title(metrics)}, {seeds} seed(s) and their mean; "
        f"final ESS ({metrics['density']}) {metrics['aggregate']['ess']['text']}"
    )
    return figure


def weights_figure(
    arrays: Mapping[str, np.ndarray], metrics: Mapping[str, Any]
) -> Figure:
    """Histogram of log(w / Z-hat); a perfect model has all of it at 0."""
    figure, panel = _panels(1, 1, (5.5, 3.8))
    for log_w, entry in zip(arrays["log_w"], metrics["seeds"], strict=True):
        finite = log_w[np.isfinite(log_w)]
        if entry["log_z"] is None or finite.size == 0:
            continue
        panel.hist(
            finite - entry["log_z"], bins=120, histtype="step", alpha=0.7, density=True
        )
    panel.axvline(0, color=COLOURS["exact"], lw=1)
    panel.set_yscale("log")
    panel.set_xlabel(r"$\log (w / \hat Z)$")
    panel.set_ylabel("density, one line per seed")
    panel.set_title(_title(metrics))
    return figure


def chains_figure(
    arrays: Mapping[str, np.ndarray], metrics: Mapping[str, Any]
) -> Figure:
    """Chains of the first seed: their slowest observable, sectors, autocorrelation."""
    entry, series = metrics["seeds"][0], arrays["slowest"]
    name = entry["slowest"]
    sectors = arrays.get("chain_sectors")
    panels = 2 if sectors is None else 3
    figure, axes = _panels(1, panels, (4.2 * panels, 3.8))
    for chain in series[:SHOWN_CHAINS]:
        axes[0].plot(chain, lw=0.6, alpha=0.7)
    axes[0].set(xlabel="stored sample", ylabel=name, title="traces")
    if sectors is not None:
        for chain in sectors[:SHOWN_CHAINS]:
            axes[1].plot(chain, ".", ms=2, alpha=0.5)
        axes[1].set(xlabel="stored sample", ylabel="symmetry sector", title="sectors")
    row = entry["observables"][name]
    lags = min(series.shape[1] - 1, max(10, int(8 * row["tau_int"])))
    rho = autocorrelation(series)[: lags + 1]
    axes[-1].plot(np.arange(lags + 1), rho, color=COLOURS["model"])
    axes[-1].axhline(0, color="0.6", lw=0.8)
    axes[-1].set(
        xlabel="lag, stored samples",
        ylabel=f"autocorrelation of {name}",
        title=f"tau_int {row['tau_int']:.2f}, R-hat {row['r_hat'] or np.nan:.3f}",
    )
    figure.suptitle(
        f"{_title(metrics)}, {min(SHOWN_CHAINS, len(series))} of {len(series)} chains, "
        f"seed {entry['seed']}"
    )
    return figure


def sectors_figure(metrics: Mapping[str, Any]) -> Figure:
    """Sector occupation, model and reweighted, against the expected one."""
    seeds = metrics["seeds"]
    order = len(seeds[0]["sectors"])
    position = np.arange(order)
    figure, panel = _panels(1, 1, (max(5.0, 0.7 * order + 2), 3.8))
    for name, label in (
        ("sectors_expected", "exact"),
        ("sectors_heat_bath", "heat bath on the model's orbits"),
    ):
        if seeds[0].get(name) is not None:
            shares = np.array([entry[name] for entry in seeds], float).mean(axis=0)
            panel.bar(position, shares, color="#e9ecef", ec="#adb5bd", label=label)
    rows = {"sectors": ("samples", -0.15), "sectors_reweighted": ("reweighted", 0.15)}
    for name, (label, offset) in rows.items():
        values = np.array([entry[name] for entry in seeds], float)
        errors = np.array([entry[f"{name}_error"] for entry in seeds], float)
        error = values.std(axis=0, ddof=1) if len(seeds) > 1 else errors[0]
        panel.errorbar(
            position + offset,
            values.mean(axis=0),
            error,
            fmt="o",
            ms=4,
            capsize=3,
            label=label,
            color=COLOURS["model"] if name == "sectors" else COLOURS["exact"],
        )
    panel.set_xticks(position)
    panel.set_xlabel("symmetry sector")
    panel.set_ylabel("probability")
    panel.set_ylim(0, 1.2 * panel.get_ylim()[1])
    panel.legend(loc="upper center", ncols=3)
    leak = metrics["aggregate"]["leak"]["text"]
    panel.set_title(f"{_title(metrics)}, leak {leak}")
    return figure

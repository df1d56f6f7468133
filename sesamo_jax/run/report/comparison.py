"""One page for several runs: verdicts, estimates, settings that differ, figures."""

import io
import json
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from sesamo_jax.config.record import flatten
from sesamo_jax.run.figures.panels import SERIES, panels
from sesamo_jax.run.figures.training import costs, draw_gap
from sesamo_jax.run.figures.weights import draw_weights, normalised
from sesamo_jax.run.folder import CONFIG, METRICS, REMEDIES, RunFolder
from sesamo_jax.run.report import parts
from sesamo_jax.run.report.html import Html, figure, page, table, tag
from sesamo_jax.run.report.page import judgement
from sesamo_jax.storage.files import reading


class Compared(NamedTuple):
    """What a page of several runs needs of each.

    Attributes:
        label: what the page calls it.
        metrics: content of its `metrics.json`.
        settings: its configuration, by dotted names.
        history: columns of its training; None where it has none.
        arrays: samples and weights.
    """

    label: str
    metrics: dict[str, Any]
    settings: dict[str, Any]
    history: dict[str, np.ndarray] | None
    arrays: dict[str, np.ndarray]


def read_run(path: Path, label: str) -> Compared:
    """Return a finished run.

    Raises:
        ValueError: if the folder holds none, or cannot be read; one sentence.
    """
    folder = RunFolder(path)
    metrics = folder.read(METRICS)
    if metrics is None:
        raise ValueError(f"{path} holds no finished run: {METRICS} is not there")
    with reading(path / METRICS, REMEDIES[METRICS]):
        parts.estimates(metrics)  # which takes all that it should have
    history = folder.read_history() if folder.history_path.exists() else None
    settings = flatten(folder.read(CONFIG) or {})
    return Compared(label, metrics, settings, history, folder.read_arrays())


def labels(paths: Sequence[Path]) -> list[str]:
    """Return what tells folders apart: their names, or their paths where those agree.

    Raises:
        ValueError: unless there are two folders or more, all different.
    """
    known = [path.resolve() for path in paths]
    if len(set(known)) < len(known) or len(known) < 2:
        raise ValueError("name two or more different folders of finished runs")
    names = [path.name for path in known]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def comparison(runs: Sequence[Compared]) -> str:
    """Return the page."""
    title = f"{len(runs)} runs compared"
    content = [tag("h1", title)]
    for run in runs:
        content.append(tag("h2", run.label))
        content.append(tag("p", parts.title(run.metrics), class_="soft"))
        content += judgement(run.metrics)
    content += [tag("h2", "Estimates"), _estimates(runs)]
    content += [tag("h2", "Settings that differ"), _differences(runs)]
    pictures = {
        "Weights on common axes.": _weights(runs),
        "The course of training: median of 1 - ESS, and the band from the 16th to the "
        "84th percentile.": _training(runs),
    }
    content.append(tag("h2", "Figures"))
    for caption, drawn in pictures.items():
        if drawn is not None:
            file = io.BytesIO()
            drawn.savefig(file, dpi=150, format="png")
            content.append(figure(file.getvalue(), caption))
    return page(title, *content)


def _estimates(runs: Sequence[Compared]) -> Html:
    """Return every estimate that a run has, a column for each run."""
    found = [{row.name: row for row in parts.estimates(run.metrics)} for run in runs]
    names = list(dict.fromkeys(name for rows in found for name in rows))
    cells = []
    for name in names:
        row = [name]
        for rows in found:
            known = rows.get(name, parts.Row(name, ""))
            row.append(known.text + (f" ({known.note})" if known.note else ""))
        cells.append(row)
    means = [run.metrics["aggregate"]["wall_seconds"]["mean"] for run in runs]
    cells.append(["seconds per seed", *(f"{mean:.1f}" for mean in means)])
    return table(["quantity", *(run.label for run in runs)], cells)


def _differences(runs: Sequence[Compared]) -> Html:
    """Return the settings in which the runs are not all alike."""
    names = dict.fromkeys(name for run in runs for name in run.settings)
    rows = []
    for name in names:
        texts = [
            json.dumps(run.settings[name]) if name in run.settings else "-"
            for run in runs
        ]
        if len(set(texts)) > 1:
            rows.append([name, *texts])
    if not rows:
        return tag("p", "None: they are the same run.")
    return table(["setting", *(run.label for run in runs)], rows)


def _weights(runs: Sequence[Compared]) -> Figure | None:
    """Return histograms of the weights of those runs that have some."""
    known = {
        run.label: normalised(run.arrays, run.metrics)
        for run in runs
        if "log_w" in run.arrays
    }
    if not known:
        return None
    drawn, panel = panels(1, 1, (7, 4))
    draw_weights(panel, known)
    panel.set_ylabel("density, one line per seed")
    panel.legend(fontsize=8)
    return drawn


def _training(runs: Sequence[Compared]) -> Figure | None:
    """Return the course of training of those runs that were trained by samples."""
    known = [
        (run.label, run.history)
        for run in runs
        if run.history is not None and not np.isnan(run.history["ess"]).all()
    ]
    if not known:
        return None
    drawn, axes = panels(1, 2, (10, 4), sharey=True)
    for (label, history), colour in zip(known, cycle(SERIES), strict=False):
        for panel, (name, column) in zip(axes, costs(history).items(), strict=True):
            draw_gap(panel, column, 1 - history["ess"], colour, label)
            panel.set(yscale="log", xlabel=name)
            panel.grid(alpha=0.3)
    axes[0].set_ylabel("1 - ESS of training batches")
    axes[1].legend(axes[0].lines, [label for label, _ in known], fontsize=8)
    return drawn

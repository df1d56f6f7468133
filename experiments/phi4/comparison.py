"""The table and the figure of `opponents`: errors at equal seconds."""

from math import inf, sqrt

import numpy as np
from drawing import FLOW, HMC, OTHER, plain_numbers, row_of_panels
from matplotlib.figure import Figure
from reading import measured

from sesamo_jax.run.pages import markdown
from sesamo_jax.run.text import value_error

Row = dict[str, float]
FIELDS = ("8x8", "16x16", "32x32", "20x20")
COLOURS = {"flow": FLOW, "SMC": HMC, "AIS": OTHER}
TIMES = (60.0, 600.0)


def rows_of(field: str) -> dict[str, Row]:
    """Return the rows of a field by sampler."""
    rows = (measured("phi4/opponents") or {"rows": {}})["rows"]
    starts = f"{field}/"
    return {k.removeprefix(starts): v for k, v in rows.items() if k.startswith(starts)}


def error_after(row: Row, name: str, seconds: float) -> float:
    """Return the error of a quantity after so many seconds.

    Independent populations, batches or chains for longer; a flow trains first, and
    until then there is none.
    """
    drawing = row.get("sampling", row["seconds"])
    left = seconds - (row["seconds"] - drawing)
    return row[f"{name}_error"] * sqrt(drawing / left) if left > 0 else inf


def opponents_table() -> str:
    """Return what every sampler found, and its errors after equal seconds."""
    head = ["field", "sampler", "seconds", "log Z"]
    head += [f"error in {time:.0f} s" for time in TIMES]
    head += ["abs. M", *(f"its error in {time:.0f} s" for time in TIMES)]
    rows = []
    for field in FIELDS:
        for sampler, row in rows_of(field).items():
            cells = [field, sampler, f"{row['seconds']:.1f}"]
            for name in ("log_z", "modulus"):
                if name not in row:
                    cells += ["-"] * 3
                    continue
                cells.append(value_error(row[name], row[f"{name}_error"]))
                errors = [error_after(row, name, time) for time in TIMES]
                cells += [f"{e:.2g}" if e < inf else "-" for e in errors]
            rows.append(cells)
    return markdown(head, rows, shown=6)


def opponents_figure() -> Figure | None:
    """Draw the error of log Z against seconds, field by field."""
    fields = [field for field in FIELDS if rows_of(field)]
    if not fields:
        return None
    figure, panels = row_of_panels(len(fields), (3.3 * len(fields), 3.3))
    times = np.geomspace(1, 2000, 200)
    for panel, field in zip(panels, fields, strict=True):
        for sampler, row in rows_of(field).items():
            kind = sampler.split(",")[0]
            if "log_z" not in row:
                continue
            errors = [error_after(row, "log_z", time) for time in times]
            known = kind in [line.get_label() for line in panel.lines]
            label = f"_{kind}" if known else kind
            panel.plot(times, errors, color=COLOURS[kind], label=label, lw=1.3)
        panel.set(xscale="log", yscale="log", xlabel="seconds", title=field)
        plain_numbers(panel.xaxis, [1, 10, 100, 1000])
    panels[0].set_ylabel("error of log Z")
    panels[0].legend(fontsize=8)
    return figure

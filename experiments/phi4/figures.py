"""The figures of the phi^4 study.

The histograms need samples, which are not committed; without them the committed figures
stay.
"""

from collections.abc import Callable

import numpy as np
from drawing import FLOW, HMC, LINE, OTHER, plain_numbers, points, row_of_panels
from matplotlib.figure import Figure
from reading import ROOT, curves, mean_error, samples, step_seconds

from phi4.comparison import opponents_figure
from phi4.reading import exact_ratio, metrics, paper_ratio
from phi4.runs import ALPHAS

PICTURES = ROOT / "docs" / "phi4"


def magnetization_figure() -> Figure | None:
    """Histograms of the magnetisation per site (Fig. 11)."""
    figure, panels = row_of_panels(2, (9, 3.4))
    reference = samples("phi4/real_0.0_hmc")
    bins = np.linspace(-2.8, 2.8, 85)
    for panel, alpha in zip(panels, (0.0, 0.001), strict=True):
        drawn = samples(f"phi4/real_{alpha}")
        if drawn is None or reference is None:
            return None
        m = drawn.x.mean(axis=(1, 2))
        points(panel, (m, drawn.w), bins, FLOW, "flow, reweighted", -0.15)
        # HMC at alpha = 0 with both signs, reweighted: see `exact_ratio`.
        m = reference.x.mean(axis=(1, 2))
        m = np.concatenate([m, -m])
        tilt = np.exp(-alpha * 128 * m)
        label = "HMC at alpha = 0, both signs, reweighted"
        points(panel, (m, tilt), bins, HMC, label, 0.15)
        panel.set_xlabel("magnetization per site")
        panel.set_title(f"alpha = {alpha}")
    panels[0].set_ylabel("density")
    panels[0].legend(fontsize=7, loc="upper center")
    return figure


def breaking_figure() -> Figure:
    """ESS and breaking ratio against alpha (Fig. 12)."""
    figure, (left, right, off) = row_of_panels(3, (13, 3.8))
    fine = np.linspace(0, 0.0105, 43)
    exact = [exact_ratio(alpha) for alpha in fine]
    for suffix, colour, label, shift in (
        ("", FLOW, "SESaMo, heat bath", 0),
        ("_canonicalization", OTHER, "canonicalization", 1.5e-4),
    ):
        for alpha in ALPHAS:
            run = metrics(f"real_{alpha}{suffix}")
            if run is None:
                continue
            ess = run["aggregate"]["ess"]
            ratio, error = mean_error(run, "breaking_ratio")
            style = {"fmt": "o", "color": colour, "label": label}
            left.errorbar(alpha, ess["mean"], ess["std"], **style)
            right.errorbar(alpha, ratio, **style)
            off.errorbar(alpha + shift, ratio - exact_ratio(alpha)[0], error, **style)
            label = "_" + label
    ratios = np.array([ratio for ratio, _ in exact])
    left.plot(fine, 1 / (1 + ratios**2), ":", color=OTHER, label="1 / (1 + R^2)")
    right.plot(fine, ratios, color=HMC, label="exact, from HMC at alpha = 0")
    paper = np.array([paper_ratio(alpha) for alpha in fine])
    right.plot(fine, paper, "--", color=LINE, label="eq. 56 with the paper's fit")
    off.plot(fine, 0 * fine, color=HMC)
    off.plot(fine, paper - ratios, "--", color=LINE)
    left.set(xlabel="alpha", ylabel="ESS", ylim=(0, 1.05))
    right.set(xlabel="alpha", ylabel="R")
    off.set(xlabel="alpha", ylabel="R - exact, 1 sigma")
    for panel in (left, right):
        panel.legend(fontsize=7)
    return figure


def ring_figure() -> Figure | None:
    """Density of the mean field in the complex plane, and its angle (Fig. 13)."""
    figure, panels = row_of_panels(4, (14, 3.4))
    bins = np.linspace(-2.7, 2.7, 61)
    for panel, name, title in (
        (panels[0], "complex_realnvp", "RealNVP, alpha = 0"),
        (panels[1], "complex", "SESaMo, alpha = 0"),
        (panels[2], "complex_broken", "SESaMo, alpha = 0.005"),
    ):
        drawn = samples(f"phi4/{name}")
        if drawn is None:
            return None
        panel.set_aspect("equal")
        panel.set_title(title, fontsize=9)
        panel.set_xlabel("Re M")
        mean = drawn.x.mean(axis=(1, 2))
        # As drawn, without weights: what the model learned.
        panel.hist2d(mean[:, 0], mean[:, 1], bins, density=True, cmap="viridis")
    panels[0].set_ylabel("Im M")
    edges = np.linspace(-1, 1, 25)
    for name, colour, label, shift in (
        ("complex_broken", FLOW, "flow, reweighted", -0.1),
        ("complex_broken_hmc", HMC, "HMC", 0.1),
    ):
        drawn = samples(f"phi4/{name}")
        if drawn is None:
            return None
        mean = drawn.x.mean(axis=(1, 2))
        angle = np.arctan2(mean[:, 1], mean[:, 0]) / np.pi
        points(panels[3], (angle, drawn.w), edges, colour, label, shift)
    panels[3].set(xlabel=r"angle of $M$, in units of $\pi$", ylim=(0, None))
    panels[3].set_title("alpha = 0.005", fontsize=9)
    panels[3].legend(fontsize=8, loc="lower center")
    return figure


def time_figure() -> Figure:
    """ESS of training batches against training time (Fig. 14)."""
    figure, (panel,) = row_of_panels(1, (6, 3.6))
    for name, colour, label in (
        ("even_complex", FLOW, "SESaMo, alpha = 0"),
        ("even_complex_broken", HMC, "SESaMo, alpha = 0.005"),
        ("complex_realnvp", OTHER, "RealNVP, alpha = 0"),
    ):
        if metrics(name) is None:
            continue
        for curve in curves(f"phi4/{name}"):
            panel.plot(*curve.T, color=colour, label=label, lw=1.2)
            label = "_" + label
    panel.axhline(0.951, color=LINE, ls=":", lw=1)
    panel.text(
        0.02, 0.955, "paper, aligned subspace", fontsize=7, color=LINE, va="bottom",
        transform=panel.get_yaxis_transform(),
    )  # fmt: skip
    panel.set(xlabel="seconds of training per model", ylabel="ESS", ylim=(0, 1.02))
    panel.set_xscale("log")
    panel.legend(fontsize=8)
    return figure


def scaling_figure() -> Figure:
    """Seconds a step, memory and ESS against the volume, equal samples."""
    figure, panels = row_of_panels(3, (11, 3.4))
    for field, colour in (("real", FLOW), ("complex", HMC)):
        points = []
        for extent in (8, 12, 16, 24, 32):
            run = metrics(f"scaling_{field}_{extent}")
            if run is not None:
                seed = run["seeds"][0]
                step = step_seconds(run)
                memory = run["peak_memory_bytes"] / 2**30
                points.append((extent**2, step, memory, seed["ess"]))
        if points:
            columns = list(zip(*points, strict=True))
            for panel, values in zip(panels, columns[1:], strict=True):
                panel.plot(columns[0], values, "o-", color=colour, label=field)
    titles = ("seconds a step of 64", "peak memory, GiB", "ESS after 200 steps of 64")
    for panel, title in zip(panels, titles, strict=True):
        panel.set(xlabel="sites", title=title, xscale="log")
        plain_numbers(panel.xaxis, [64, 144, 256, 576, 1024])
    panels[0].set_yscale("log")
    plain_numbers(panels[0].yaxis)
    if panels[0].lines:
        panels[0].legend()
    return figure


FIGURES: dict[str, Callable[[], Figure | None]] = {
    "magnetization.png": magnetization_figure,
    "breaking_ratio.png": breaking_figure,
    "ring.png": ring_figure,
    "ess_time.png": time_figure,
    "scaling.png": scaling_figure,
    "opponents.png": opponents_figure,
}

"""Draw the figures of the particle study, `docs/particles/*.png`.

`python experiments/particles_figures.py`, after `experiments/particles.py`: it needs
the runs' `samples.npz`, which are not committed. Runs that are missing are left out.
"""

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
import numpy as np
from drawing import FLOW, HMC, LINE, OTHER, row_of_panels, save_all
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from particles_files import DATA, SIZES
from particles_results import (
    FLOORS,
    PRIORS,
    Drawn,
    metrics,
    observed,
    samples,
    training_nll,
)
from studies import ROOT

from sesamo_jax.particles import helmert
from sesamo_jax.targets import TARGETS
from sesamo_jax.targets.double_well import DoubleWell

KINDS = {
    "kernel": ("kernel flow", FLOW),
    "black_box": ("black box", HMC),
    "augmented": ("black box, augmented", OTHER),
}
DISTANCES = np.linspace(0.5, 7.2, 68)
ENERGIES = np.linspace(-27, 5, 97)
LEAST = 10  # samples in a bin that is drawn


def exact_free_energy(d: np.ndarray, system: DoubleWell) -> np.ndarray:
    """Return -log p(d), p(d) ~ d^(D-1) exp(-u(d) / T) normalised, of two particles."""
    fine = np.linspace(1e-3, 9, 20_001)

    def log_mass(d: np.ndarray) -> np.ndarray:
        energies = system.pair_energy(d) / system.temperature
        return (system.dimension - 1) * np.log(d) - energies

    mass = np.exp(log_mass(fine))
    z = np.sum((mass[1:] + mass[:-1]) / 2 * np.diff(fine))
    return np.log(z) - log_mass(d)


def free_energy(
    distances: np.ndarray, w: np.ndarray, edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return -log p(d) in bins and its error, NaN where there are too few samples.

    Args:
        distances: of samples, (n,).
        w: normalised weights, (n,).
        edges: of the bins, (bins + 1,).
    """
    counts = np.histogram(distances, edges)[0]
    mass = np.histogram(distances, edges, weights=w)[0]
    squares = np.histogram(distances, edges, weights=w**2)[0]
    enough = counts >= LEAST
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(enough, -np.log(mass / np.diff(edges)), np.nan)
        # Of a share p of the weight: var p = sum (w (1_bin - p))^2.
        rest = np.sum(w**2) - squares
        error = np.sqrt(squares * (1 - mass) ** 2 + rest * mass**2) / mass
    return value, np.where(enough, error, np.nan)


def profile_figure() -> Figure | None:
    """Free energy of two particles along their distance (Fig. 3 b)."""
    seeds = [samples("dw2_reverse", seed) for seed in range(3)]
    found = [drawn for drawn in seeds if drawn is not None]
    if not found:
        return None
    w = np.concatenate([drawn.w for drawn in found]) / len(found)
    d = observed("dw2", "distance", np.concatenate([drawn.x for drawn in found]))
    system = TARGETS["dw2"]
    assert isinstance(system, DoubleWell)
    figure, (profile, off) = row_of_panels(2, (9, 3.6))
    centres = (DISTANCES[1:] + DISTANCES[:-1]) / 2
    # The mean density of a bin, by ten points in each.
    parts = np.linspace(0.05, 0.95, 10)
    inner = DISTANCES[:-1, None] + parts * np.diff(DISTANCES)[:, None]
    binned = -np.log(np.exp(-exact_free_energy(inner, system)).mean(axis=1))
    profile.plot(centres, exact_free_energy(centres, system), color=LINE, label="exact")
    equal = np.full(len(d), 1 / len(d))
    for weights, colour, label in (
        (equal, OTHER, "flow"),
        (w, FLOW, "flow, reweighted"),
    ):
        value, error = free_energy(d, weights, DISTANCES)
        for panel, base in ((profile, 0), (off, binned)):
            panel.errorbar(
                centres, value - base, error, fmt=".", color=colour, label=label
            )
    off.axhline(0, color=LINE)
    profile.set(xlabel="distance", ylabel="free energy", ylim=(-0.3, 9))
    off.set(xlabel="distance", ylabel="less the exact one", ylim=(-0.5, 0.5))
    profile.legend(fontsize=8)
    return figure


def size_panel(panel: Axes, target: str) -> None:
    """Draw train and test NLL against the number of data."""
    for kind, (label, colour) in KINDS.items():
        known = [n for n in SIZES if metrics(f"{target}_{kind}_{n}") is not None]
        test, train = [], []
        for size in known:
            run = metrics(f"{target}_{kind}_{size}")
            assert run is not None
            test.append(run["aggregate"]["nll"]["mean"])
            train.append(np.mean(training_nll(f"{target}_{kind}_{size}")))
        for values, style, words in ((test, "o-", "test"), (train, "o:", "train")):
            panel.plot(known, values, style, color=colour, label=f"{label}, {words}")
    panel.axhline(FLOORS[target], color=LINE, lw=1)
    panel.axhline(PRIORS[target], color=LINE, lw=1, ls=":")
    panel.set(xlabel="data", ylabel="NLL", xscale="log", title=target)
    top, width = PRIORS[target], PRIORS[target] - FLOORS[target]
    panel.set_ylim(FLOORS[target] - 0.4 * width, top + 0.4 * width)


def size_figure() -> Figure | None:
    """Density estimation against the number of data (Fig. 5)."""
    if metrics(f"lj13_kernel_{SIZES[-1]}") is None:
        return None
    figure, panels = row_of_panels(2, (10, 3.8))
    for panel, target in zip(panels, ("dw4", "lj13"), strict=True):
        size_panel(panel, target)
    panels[0].legend(fontsize=6)
    return figure


def reference(target: str) -> Drawn:
    """Return the test set of a target, in coordinates."""
    x = np.load(ROOT / DATA / f"{target}_test.npy")
    return Drawn(helmert(x.shape[1]) @ x, np.full(len(x), 1 / len(x)))


def energy_figure() -> Figure | None:
    """Energies of samples of three flows, reweighted, beside the target's (Fig. 6)."""
    names = ("dw4_black_box_mixed", "dw4_augmented_mixed", "dw4_mixed")
    if samples(names[-1]) is None:
        return None
    figure, panels = row_of_panels(3, (12, 3.4))
    kinds = ("black_box", "augmented", "kernel")
    truth = observed("dw4", "energy", jnp.asarray(reference("dw4").x))
    for panel, name, kind in zip(panels, names, kinds, strict=True):
        drawn, (label, colour) = samples(name), KINDS[kind]
        histogram = partial(panel.hist, bins=ENERGIES, density=True)
        histogram(truth, color=LINE, alpha=0.3, label="reference samples")
        if drawn is not None:
            energies = observed("dw4", "energy", drawn.x)
            outline = partial(histogram, energies, histtype="step")
            outline(color=colour, ls=":", label="as drawn")
            outline(color=colour, weights=drawn.w, label="reweighted")
        panel.set(xlabel="energy", title=label)
        panel.legend(fontsize=7)
    panels[0].set_ylabel("density")
    return figure


FIGURES: dict[str, Callable[[], Figure | None]] = {
    "free_energy.png": profile_figure,
    "data_size.png": size_figure,
    "energies.png": energy_figure,
}


if __name__ == "__main__":
    save_all(FIGURES, ROOT / "docs" / "particles")

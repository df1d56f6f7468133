"""Metastable states of particles, found by quenching samples (7.5, Fig. 7, Table 1).

`sesamo-jax study particles --analysis minima`, after the runs, whose samples it needs.
The count of states alone tells little: quenching noise finds as many. Reference samples
and samples of the flow's own Gaussian stand beside every model, and for four particles
the weight of every state.
"""

import json
from collections.abc import Iterator

import jax
import numpy as np
from reading import Drawn, samples, write_measured

from particles.quench import Minima, distinct, quench, shares
from particles.reading import data
from sesamo_jax import build_target
from sesamo_jax.core import Target
from sesamo_jax.geometry.particles import helmert

ROUND = 1000
ROUNDS = 3
# Sums of |differences| of the distances of pairs i < j: the first tells states apart
# that differ at all, the second is that of the authors, who count every pair twice.
THRESHOLDS = {"tight": 1e-2, "loose": 1.5}
WINDOWS = ((-70.0, -60.0), (-80.0, -70.0), (-np.inf, -80.0))
FLOWS = {"dw4": ("dw4_likelihood", "dw4_reverse"), "lj13": ("lj13_kernel_1000",)}
ONE_MINIMUM = ("dw4_kernel_minimum", "dw4_black_box_minimum")


def round_(index: int) -> slice:
    """Return the rows of one round of data."""
    return slice(index * ROUND, (index + 1) * ROUND)


def noise(target: Target, index: int) -> Drawn:
    """Return one round of the flow's base, N(0, 1)."""
    y = np.random.default_rng(index).normal(size=(ROUND, *target.event_shape))
    return Drawn(y, np.full(ROUND, 1 / ROUND))


def sources(name: str, target: Target) -> Iterator[tuple[str, list[Drawn]]]:
    """Return sources of samples by name, some rounds of each."""
    yield "reference samples", [data(name, "test", round_(i)) for i in range(ROUNDS)]
    yield "noise N(0, 1)", [noise(target, i) for i in range(ROUNDS)]
    for run in FLOWS[name]:
        rounds = [samples(f"particles/{run}", seed) for seed in range(ROUNDS)]
        yield run, [Drawn(one.x[:ROUND], one.w[:ROUND]) for one in rounds if one]
    if name == "dw4":
        yield "one minimum, with noise", [data(name, "train_minimum", round_(0))]
        for run in ONE_MINIMUM:
            drawn = samples(f"particles/{run}")
            yield run, [] if drawn is None else [Drawn(*(a[:ROUND] for a in drawn))]


def counts(minima: Minima, windows: tuple, threshold: float) -> list[int]:
    """Return the number of states in each window of energy."""
    energies = minima.energies[distinct(minima, threshold)]
    return [int(np.sum((energies > low) & (energies <= high))) for low, high in windows]


def double_wells(target: Target) -> tuple[list[dict], list]:
    """Return states found and weights of all of them, by source and round.

    And, second, the positions of the particles in each, lowest first.
    """
    rows, levels, shapes = [], None, []
    for source, rounds in sources("dw4", target):
        for drawn in rounds:
            minima = quench(target, drawn.x)
            if levels is None:  # the reference visits all of them
                lowest_first = distinct(minima, THRESHOLDS["tight"])
                levels = minima.energies[lowest_first]
                shapes = (helmert(4).T @ minima.y[lowest_first]).tolist()
            rows.append(
                {
                    "source": source,
                    "states": len(distinct(minima, THRESHOLDS["tight"])),
                    "not minima": int((~minima.found).sum()),
                    "energies": levels.tolist(),
                    "shares": shares(minima, levels).tolist(),
                    "reweighted": shares(minima, levels, drawn.w).tolist(),
                }
            )
            print(json.dumps(rows[-1]), flush=True)
    return rows, shapes


def cluster(target: Target) -> list[dict]:
    """Return states found in the paper's windows of energy, by source and round."""
    rows = []
    for source, rounds in sources("lj13", target):
        for drawn in rounds:
            minima = quench(target, drawn.x)
            row = {"source": source, "lowest": float(minima.energies.min())}
            row["not minima"] = int((~minima.found).sum())
            for name, threshold in THRESHOLDS.items():
                row[name] = counts(minima, WINDOWS, threshold)
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


def main() -> None:
    """Quench everything and write what was found."""
    jax.config.update("jax_enable_x64", True)
    rows, shapes = double_wells(build_target("dw4", dtype="float64"))
    content = {
        "dw4": rows,
        "dw4_positions": shapes,
        "lj13": cluster(build_target("lj13", dtype="float64")),
    }
    write_measured("particles/minima", content)

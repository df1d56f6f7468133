"""What the particle study has to reach, beside what it did."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from reading import measured

from particles.reading import metrics
from sesamo_jax.run.pages import markdown
from sesamo_jax.run.text import value_error

ROUNDING = 1e-9


class Check(NamedTuple):
    """One figure to reach.

    Attributes:
        label: what it is.
        target: in words.
        values: measured, one per seed or round; none where nothing was measured.
        reached: whether one of them is good.
    """

    label: str
    target: str
    values: list[float]
    reached: Callable[[float], bool]


def at_most(bound: float) -> Callable[[float], bool]:
    """Return whether a value is no larger."""
    return lambda value: value <= bound


def at_least(bound: float) -> Callable[[float], bool]:
    """Return whether a value is no smaller."""
    return lambda value: value >= bound


def within(allowed: float, expected: float) -> Callable[[float], bool]:
    """Return whether a value is so close."""
    return lambda value: abs(value - expected) <= allowed


def of(run: str, name: str) -> list[float]:
    """Return an estimate of every seed of a run."""
    found = metrics(run)
    return [] if found is None else [seed[name] for seed in found["seeds"]]


def observable(run: str, name: str) -> list[float]:
    """Return a reweighted mean of every seed of a run."""
    return [known[name]["mean"] for known in of(run, "observables")]  # type: ignore


def found(system: str, source: str) -> list[dict]:
    """Return what quenching the samples of a source has found, by round."""
    rows = (measured("particles/minima") or {}).get(system, [])
    return [row for row in rows if row["source"] == source]


def divergence() -> list[float]:
    """Return the relative error of the closed form, for every number of particles."""
    rows = (measured("particles/divergence") or {"rows": []})["rows"]
    return [row["closed form"]["error"] for row in rows]


def steps_error() -> list[float]:
    """Return the integration error of 20 steps along training."""
    known = (measured("particles/solvers") or {}).get(
        "Runge-Kutta, 20 steps", {"rows": []}
    )
    return [row["integration_error"] for row in known["rows"]]


def loss_by_estimate() -> list[float]:
    """Return by how much estimated log-determinants lower the ESS of two particles."""
    rows = (measured("particles/profile") or {"rows": []})["rows"]
    return [row["exact"]["ess"][0] - row["hutchinson"]["ess"][0] for row in rows]


def advantage() -> list[float]:
    """Return by how much 1,000 augmented data help less than equivariance and 100."""
    black_box = of("dw4_augmented_1000", "nll")
    kernel = of("dw4_kernel_100", "nll")
    return [other - own for other, own in zip(black_box, kernel, strict=False)]


def checks() -> list[Check]:
    """Return all checks, with what is known."""
    states = found("dw4", "dw4_kernel_minimum")
    cluster = found("lj13", "lj13_kernel_1000")
    data = "dw4_likelihood"
    return [
        Check("div v, closed form", "<= 1e-12", divergence(), at_most(1e-12)),
        Check(
            "`dw2`, log Z, energy alone", "7.2604 +- 0.02",
            of("dw2_reverse", "log_z"), within(0.02, 7.2604),
        ),
        Check(
            "`dw2`, test NLL, data", "<= 3.49",
            of("dw2_likelihood", "nll"), at_most(3.49),
        ),
        Check(
            "`dw2`, P(d < 4)", "0.3246 +- 0.01",
            observable("dw2_reverse", "left_well"), within(0.01, 0.3246),
        ),
        Check(
            "`dw2`, ESS with exact weights less that with Hutchinson's", "> 0",
            loss_by_estimate(), lambda value: value > 0,
        ),
        Check("`dw4`, NLL, 10,000 data", "<= 8.50", of(data, "nll"), at_most(8.50)),
        Check(
            "`dw4`, NLL, 1,000 data", "<= 8.85",
            of("dw4_kernel_1000", "nll"), at_most(8.85),
        ),
        Check("`dw4`, ESS, data", ">= 0.10", of(data, "ess"), at_least(0.10)),
        Check("`dw4`, log Z", "29.67 +- 0.05", of(data, "log_z"), within(0.05, 29.67)),
        Check(
            "`dw4`, mean energy", "-22.54 +- 0.1",
            observable(data, "energy"), within(0.1, -22.54),
        ),
        Check(
            "`lj13`, NLL, data", "<= 20.7",
            of("lj13_likelihood", "nll"), at_most(20.7),
        ),
        Check(
            "NLL of black box, augmented, 1,000 data, less kernel's, 100 data", "> 0",
            advantage(), lambda value: value > 0,
        ),
        Check("log q in 20 steps, error", "<= 1e-3", steps_error(), at_most(1e-3)),
        Check(
            "`dw4`, states found from one", "5",
            [row["states"] for row in states], at_least(5),
        ),
        Check(
            "`lj13`, lowest state", "-83.0900 +- 0.001",
            [row["lowest"] for row in cluster], within(1e-3, -83.09),
        ),
        Check(
            "`lj13`, states in (-80, -70), loose", ">= 35",
            [row["loose"][1] for row in cluster], at_least(35),
        ),
        Check(
            "`lj13`, states in (-70, -60), loose", ">= 20",
            [row["loose"][0] for row in cluster], at_least(20),
        ),
    ]  # fmt: skip


def acceptance_table() -> str:
    """Return every check with its mean(std), and whether all seeds passed."""
    rows = []
    for check in checks():
        if not check.values:
            rows.append([check.label, check.target, "-", "not measured"])
            continue
        values = np.array(check.values)
        error = float(values.std(ddof=1)) if len(values) > 1 else None
        if error is not None and error < ROUNDING * abs(values.mean()):
            error = None  # the same in all rounds
        good = sum(map(check.reached, check.values))
        verdict = "yes" if good == len(values) else f"{good} of {len(values)}"
        text = value_error(float(values.mean()), error)
        rows.append([check.label, check.target, text, verdict])
    return markdown(["figure", "to reach", "measured", "reached"], rows)

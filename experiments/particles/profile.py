"""The free energy of two particles, by exact weights and by estimated ones (Fig. 3 b).

`sesamo-jax study particles --analysis profile` trains the kernel flow of `dw2` by
energy alone, as `dw2_reverse`, and draws samples whose log-determinant is integrated
twice along the same way: in closed form, and from Hutchinson's estimate with one probe
per sample.
"""

import json
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from drawing import FLOW, HMC, LINE, OTHER, row_of_panels
from matplotlib.figure import Figure
from reading import write_measured

from particles.files import prepare
from particles.runs import RUNS
from sesamo_jax import build_model, build_target, estimators, fit
from sesamo_jax.config import resolve
from sesamo_jax.core import Array, Key, Params, Target
from sesamo_jax.flows import KernelConfig
from sesamo_jax.flows.continuous.divergence import hutchinson
from sesamo_jax.flows.continuous.integrate import CLASSICAL, runge_kutta
from sesamo_jax.targets import TARGETS
from sesamo_jax.targets.particles.double_well import DoubleWell

RUN = RUNS["dw2_reverse"]
SAMPLES = 20_000
STEPS = 80
DISTANCES = np.linspace(0.5, 7.2, 68)
LEAST = 10  # samples in a bin that is drawn
WAYS = {"equal": OTHER, "hutchinson": HMC, "exact": FLOW}


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


def draw(
    target: Target, flow: KernelConfig, params: Params, samples: int, key: Key
) -> dict[str, Array]:
    """Return samples of one flow on N(0, 1), with both kinds of weights.

    Args:
        target: two particles.
        flow: sizes of the kernel flow.
        params: its parameters.
        samples: how many.
        key: of base samples and probes.

    Returns:
        `d`, the distance of the two particles, and `exact` and `hutchinson`, log
        weights; (samples,) each.
    """
    shape, dtype = target.event_shape, target.dtype
    module = flow.build(shape, dtype)
    base, signs = jax.random.split(key)
    z = jax.random.normal(base, (samples, *shape), dtype)
    probes = jax.random.rademacher(signs, z.shape, dtype)
    integrate = partial(runge_kutta, start=0.0, end=1.0, steps=STEPS, method=CLASSICAL)

    def one(z: Array, probe: Array) -> dict[str, Array]:
        velocity = partial(module.apply, params, method="velocity")
        field = partial(module.apply, params, method="field")
        y, log_det = integrate(velocity, z)
        _, estimate = integrate(hutchinson(field, probe), z)
        log_base = -jnp.sum(z**2) / 2 - z.size / 2 * jnp.log(2 * jnp.pi)
        excess = -target.action(y) - log_base
        d = target.observables["distance"](y)
        return {"d": d, "exact": excess + log_det, "hutchinson": excess + estimate}

    return jax.jit(jax.vmap(one))(z, probes)


def measured(log_w: np.ndarray, d: np.ndarray) -> dict[str, Any]:
    """Return ESS, log Z, P(d < 4) and the profile of one seed, with errors."""
    w = np.exp(log_w - log_w.max())
    values, errors = free_energy(d, w / w.sum(), DISTANCES)
    estimates = {
        "ess": estimators.ess(log_w),
        "log_z": estimators.log_z(log_w),
        "left_well": estimators.reweighted(d < 4, log_w),
    }
    return {
        **{name: list(found) for name, found in estimates.items()},
        "free_energy": estimators.numbers(values),
        "free_energy_error": estimators.numbers(errors),
    }


def measure() -> list[dict[str, Any]]:
    """Return what each seed's samples give, by the kind of weights."""
    settings = {name: str(value) for name, value in RUN.settings.items()}
    config = resolve("dw2", settings=settings).config
    target = build_target("dw2")
    result = fit(build_model(target, config), target, config, RUN.seeds)
    assert isinstance(config.flow, KernelConfig)
    rows = []
    for seed in range(RUN.seeds):
        params = jax.tree.map(lambda leaf, seed=seed: leaf[seed], result.params)
        own = {"params": params["flow"]["params"]["bijection"]}
        drawn = draw(target, config.flow, own, SAMPLES, jax.random.key(seed))
        found = {name: np.asarray(value, float) for name, value in drawn.items()}
        weights = {"equal": np.zeros(SAMPLES), **found}
        rows.append({way: measured(weights[way], found["d"]) for way in WAYS})
    return rows


def binned(system: DoubleWell) -> np.ndarray:
    """Return the exact free energy of a bin's mean density, by ten points in each."""
    parts = np.linspace(0.05, 0.95, 10)
    inner = DISTANCES[:-1, None] + parts * np.diff(DISTANCES)[:, None]
    return -np.log(np.exp(-exact_free_energy(inner, system)).mean(axis=1))


def figure(rows: list[dict[str, Any]]) -> Figure:
    """Return the profiles, means over seeds, beside the exact one."""
    system = TARGETS["dw2"]
    assert isinstance(system, DoubleWell)
    drawn, (profile, off) = row_of_panels(2, (9, 3.6))
    centres = (DISTANCES[1:] + DISTANCES[:-1]) / 2
    profile.plot(centres, exact_free_energy(centres, system), color=LINE, label="exact")
    labels = {
        "equal": "as drawn",
        "hutchinson": "weights with Hutchinson's estimate",
        "exact": "exact weights",
    }
    for way, colour in WAYS.items():
        seeds = [row[way] for row in rows]
        value = np.mean(np.array([s["free_energy"] for s in seeds], float), axis=0)
        errors = np.array([s["free_energy_error"] for s in seeds], float)
        error = np.sqrt((errors**2).sum(axis=0)) / len(seeds)
        for panel, base in ((profile, 0), (off, binned(system))):
            panel.errorbar(
                centres, value - base, error, fmt=".", ms=4, color=colour,
                label=labels[way],
            )  # fmt: skip
    off.axhline(0, color=LINE)
    profile.set(
        xlabel="distance", ylabel="free energy", xlim=(1.4, 6.8), ylim=(-0.5, 12)
    )
    off.set(xlabel="distance", ylabel="less the exact one", ylim=(-0.5, 0.5))
    profile.legend(fontsize=8)
    return drawn


def main() -> None:
    """Train, measure and write the result."""
    prepare()
    rows = measure()
    for row in rows:
        print(json.dumps({way: row[way]["ess"] for way in WAYS}))
    write_measured("particles/profile", {"samples": SAMPLES, "rows": rows})

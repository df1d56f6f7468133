"""Ours beside samplers that need no training: errors of log Z and |M| against seconds.

`sesamo-jax study phi4 --analysis opponents` runs, one after the other, annealed
importance sampling and tempered SMC, which start from the nearest Gaussian field and
move by Fourier-accelerated trajectories and flips of the sign, modulated HMC, which
knows no log Z, and flows on the even sites. Compilation does not count. Rows that are
there with the same settings stay.
"""

import time
from collections.abc import Callable
from math import nan
from typing import Any

import jax
import numpy as np
from reading import measured, write_measured

from phi4.runs import FASTER, MORE_MODES
from sesamo_jax import Config, estimators, train
from sesamo_jax.config import complete, resolve
from sesamo_jax.core import Target
from sesamo_jax.estimators.autocorrelation import gamma_method
from sesamo_jax.reference.hmc import build_hmc
from sesamo_jax.reference.smc import build_smc

CRITICAL = {"target.mass2": -4.0}
FIELDS: dict[str, dict[str, Any]] = {
    "8x8": CRITICAL | {"target.shape": "8,8", "target.lam": 6.008},
    "16x16": CRITICAL | {"target.shape": "16,16", "target.lam": 4.99},
    "32x32": CRITICAL | {"target.shape": "32,32", "target.lam": 4.572},
    "20x20": {"target.shape": "20,20", "target.mass2": -1.0, "target.lam": 0.9},
}
# The effective samples that a step in temperature leaves; with few leapfrog steps the
# trajectories between them are the shortest that still move the slow waves.
LEFT = (0.8, 0.95, 0.99)
PARTICLES = {"smc.populations": 10, "smc.particles": 1000, "smc.leapfrog_steps": 5}
CHAINS = {"method": "hmc", "hmc.samples": 4000}
FLOW = {"method": "flow", "base.mean": 0.0, "sites": "even"}
LARGE = {"training.batch_size": 64} | FASTER
FLOWS: dict[str, list[dict[str, Any]]] = {
    "8x8": [MORE_MODES | {"training.steps": steps} for steps in (150, 400, 1000)],
    "16x16": [LARGE | {"training.steps": steps} for steps in (300, 1000)],
    "20x20": [{"training.batch_size": 64, "training.steps": 300}],
}
SAMPLES, AT_ONCE = 100_000, 2000
MODULUS = "abs_magnetization"


def annealed(target: Target, config: Config) -> dict[str, float]:
    """Run SMC or annealed importance sampling; the pilot population counts."""
    run = build_smc(target, config.smc)
    run(jax.random.key(1))  # compiles
    start = time.perf_counter()
    populations = run(jax.random.key(0))
    seconds = time.perf_counter() - start
    means = populations.observables[MODULUS].astype(float).mean(axis=1)
    log_z = estimators.log_z(populations.log_z)
    modulus = estimators.reweighted(means, populations.log_z)
    return _row(seconds, log_z, modulus) | {"temperatures": populations.temperatures}


def chains(target: Target, config: Config) -> dict[str, float]:
    """Run modulated HMC, tuning included."""
    run = build_hmc(target, config.hmc)
    run(jax.random.key(1))
    start = time.perf_counter()
    drawn = run(jax.random.key(0))
    seconds = time.perf_counter() - start
    found = gamma_method(drawn.observables[MODULUS].astype(float))
    return _row(seconds, (nan, nan), (found.mean, found.error))


def flow(target: Target, config: Config) -> dict[str, float]:
    """Train a flow, and sample it with the weights of its reports."""
    result = train(target, config, progress=False)
    sampler = result.samplers[0]
    sampler.weighted(jax.random.key(1), AT_ONCE)
    start = time.perf_counter()
    keys = jax.random.split(jax.random.key(2), SAMPLES // AT_ONCE)
    drawn = [jax.device_get(sampler.weighted(key, AT_ONCE)) for key in keys]
    sampling = time.perf_counter() - start
    log_w = np.concatenate([batch.log_w for batch in drawn])
    modulus = np.concatenate([batch.observables[MODULUS] for batch in drawn])
    means = estimators.log_z(log_w), estimators.reweighted(modulus, log_w)
    row = _row(result.wall_seconds + sampling, *means)
    return row | {"sampling": sampling, "ess": estimators.ess(log_w).mean}


def _row(seconds: float, log_z: Any, modulus: Any) -> dict[str, float]:
    names = ("log_z", "log_z_error", "modulus", "modulus_error")
    values = [float(value) for value in (*log_z, *modulus)]
    finite = {k: v for k, v in zip(names, values, strict=True) if np.isfinite(v)}
    return {"seconds": seconds} | finite


def contests() -> dict[str, tuple[Callable, dict[str, Any]]]:
    """Return what is run, by name, FIELD/METHOD."""
    out: dict[str, tuple[Callable, dict[str, Any]]] = {}
    for field, fields in FIELDS.items():
        for method, resampling in (("SMC", True), ("AIS", False)):
            for left in LEFT:
                settings = {"method": "smc", "smc.resampling": resampling}
                settings |= {"smc.target_ess": left} | PARTICLES | fields
                out[f"{field}/{method}, {left}"] = annealed, settings
        out[f"{field}/HMC"] = chains, CHAINS | fields
        for settings in FLOWS.get(field, []):
            name = f"{field}/flow, {settings['training.steps']} steps"
            out[name] = flow, FLOW | settings | fields
    return out


def main() -> None:
    """Run and write all rows."""
    rows = (measured("phi4/opponents") or {"rows": {}})["rows"]
    for name, (method, settings) in contests().items():
        if rows.get(name, {}).get("settings") == settings:
            continue
        run = resolve("phi4_real", settings=settings)
        target = run.target.build("phi4_real")
        found = method(target, complete(run.config, target))
        rows[name] = found | {"settings": settings}
        print(name, found, flush=True)
        write_measured("phi4/opponents", {"rows": rows})

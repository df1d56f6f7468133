"""Real phi^4 on 8x8: our flow, that of bijx, HMC and SMC, by effective samples of |M|.

An effective sample is a share of the variance: N_eff = Var |M| / error^2, with the
error that each method states, so that weights, autocorrelation and the spread of
populations count alike. The other flow trains for as many seconds as ours did.
"""

import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.ours import build
from benchmarks.serving import serve
from benchmarks.weighing import effective_samples, weigh
from benchmarks.workers import Worker
from sesamo_jax.config import Config, complete, resolve
from sesamo_jax.core import Target
from sesamo_jax.estimators.autocorrelation import gamma_method
from sesamo_jax.estimators.weighted import reweighted
from sesamo_jax.reference.hmc import run_hmc
from sesamo_jax.reference.smc import run_smc
from sesamo_jax.samplers.weighting import log_q
from sesamo_jax.training.fit import fit

TARGET = "phi4_real"
LATTICE = {"target.shape": "8,8"}
SAMPLES, AT_ONCE = 20_000, 2000


def measure(peer: Path) -> dict[str, Any]:
    """Return one entry a method.

    Args:
        peer: interpreter with bijx.
    """
    out = {}
    with Worker("lattice_samplers") as worker:
        out["flow"] = worker.ask("flow", steps=None)
        for name in ("hmc", "smc"):
            out[name] = worker.ask(name)
    with Worker("bijx_driver", peer) as worker:
        seconds = out["flow"]["train_seconds"]
        out["bijx"] = worker.ask("flow", seconds=seconds, samples=SAMPLES)
    return {"methods": out}


def flow(*, steps: int | None) -> dict[str, Any]:
    """Train the default flow and sample it, |M| weighed by the exact density."""
    settings = LATTICE if steps is None else {**LATTICE, "training.steps": steps}
    sampler = build(TARGET, settings=settings)
    trained, target, config = sampler
    result = fit(*sampler, 1)
    params = jax.tree.map(lambda leaf: leaf[0], result.params)
    integrated = trained.integrated
    model = trained if integrated is None else integrated.accurate

    @jax.jit
    def batch(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        drawn = model.sample(params, key, AT_ONCE)
        log_density = log_q(model, params, drawn, str(config.density))
        log_w = -jax.vmap(target.action)(drawn.x) - log_density
        return jnp.abs(jnp.mean(drawn.x, axis=(1, 2))), log_w

    keys = jax.random.split(jax.random.key(1), SAMPLES // AT_ONCE)
    start = time.perf_counter()
    jax.block_until_ready(batch(keys[0]))
    compile_seconds = time.perf_counter() - start
    start = time.perf_counter()
    parts = [jax.device_get(batch(key)) for key in keys]
    seconds = time.perf_counter() - start
    modulus, log_w = (np.concatenate(column) for column in zip(*parts, strict=True))
    mean, error = reweighted(modulus.astype(float), log_w)
    return {
        "setup_seconds": result.compile_seconds + compile_seconds,
        "train_seconds": result.wall_seconds,
        "sample_seconds": seconds,
        "modulus": mean,
        "modulus_error": error,
        "effective": effective_samples(modulus, log_w),
        **weigh(log_w),
    }


def hmc() -> dict[str, Any]:
    """Run HMC with its default configuration; tuning and compilation are set-up."""
    target, config = _reference("hmc")
    chains = run_hmc(target, config.hmc, jax.random.key(0))
    values = chains.observables["abs_magnetization"].astype(float)
    estimate = gamma_method(values)
    return {
        "setup_seconds": chains.tuning_seconds,
        "train_seconds": 0.0,
        "sample_seconds": chains.seconds,
        "modulus": estimate.mean,
        "modulus_error": estimate.error,
        "effective": float(values.var() / estimate.error**2),
        "tau_int": estimate.tau_int,
    }


def smc() -> dict[str, Any]:
    """Run tempered SMC with its default configuration, errors by its populations."""
    target, config = _reference("smc")
    populations = run_smc(target, config.smc, jax.random.key(0))
    values = populations.observables["abs_magnetization"].astype(float)
    mean, error = reweighted(values.mean(axis=1), populations.log_z)
    return {
        "setup_seconds": populations.tuning_seconds,
        "train_seconds": 0.0,
        "sample_seconds": populations.seconds,
        "modulus": mean,
        "modulus_error": error,
        "effective": float(values.var() / error**2),
        "log_z": float(np.logaddexp.reduce(populations.log_z) - np.log(len(values))),
        "log_z_error": weigh(populations.log_z)["log_z_error"],
    }


def _reference(method: str) -> tuple[Target, Config]:
    run = resolve(TARGET, settings={**LATTICE, "method": method})
    target = run.target.build(TARGET)
    return target, complete(run.config, target)


if __name__ == "__main__":
    serve({"flow": flow, "hmc": hmc, "smc": smc})

"""The methods `hmc` and `smc`: samplers without a model, which know no density."""

from sesamo_jax.core import Target
from sesamo_jax.core.method import Config, Method
from sesamo_jax.parallel.memory import (
    device_memory_bytes,
    host_memory_bytes,
    require_memory,
)
from sesamo_jax.reference.hmc import build_hmc
from sesamo_jax.reference.report import chain_report, population_report
from sesamo_jax.reference.smc import build_smc
from sesamo_jax.samplers.sizes import event_bytes
from sesamo_jax.samplers.symmetry_checks import check_whole_space


def _complete(config: Config, target: Target) -> Config:
    check_whole_space(config, target)
    return config


def _lacks_density(config: Config, target: Target, name: str) -> str | None:
    return (
        f"method {config.method!r} has no density, which {name} needs: use 'flow', "
        "'sesamo' or 'vmonf'"
    )


def _check_chains(config: Config, target: Target) -> None:
    hmc = config.hmc
    stored = int(hmc.chains) * int(hmc.samples) * event_bytes(target)
    require_memory(
        stored, device_memory_bytes(), "hmc", "lower hmc.chains or hmc.samples"
    )


def _check_populations(config: Config, target: Target) -> None:
    smc = config.smc
    population = int(smc.particles) * event_bytes(target)
    require_memory(2 * population, device_memory_bytes(), "smc", "lower smc.particles")
    stored = int(smc.populations) * population
    require_memory(
        stored, host_memory_bytes(), "smc", "lower smc.populations or smc.particles"
    )


HMC = Method(
    _complete,
    lambda target, config: build_hmc(target, config.hmc),
    _check_chains,
    uses=("hmc",),
    lacks_density=_lacks_density,
    report=chain_report,
)
SMC = Method(
    _complete,
    lambda target, config: build_smc(target, config.smc),
    _check_populations,
    uses=("smc",),
    lacks_density=_lacks_density,
    report=population_report,
)

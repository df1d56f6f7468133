"""The methods `hmc` and `smc`: samplers without a model, which know no density."""

from sesamo_jax.core import Target
from sesamo_jax.core.method import Config, Method
from sesamo_jax.parallel.memory import (
    device_memory_bytes,
    host_memory_bytes,
    require_memory,
)
from sesamo_jax.reference.hmc import Chains, build_hmc
from sesamo_jax.reference.moves import build_moves
from sesamo_jax.reference.report import chain_report, chain_series, population_report
from sesamo_jax.reference.smc import build_smc
from sesamo_jax.samplers.sizes import event_bytes
from sesamo_jax.samplers.symmetry_checks import check_whole_space


def _complete_hmc(config: Config, target: Target) -> Config:
    check_whole_space(config, target)
    build_moves(target, config.hmc.modulation)  # refuses what there are none for
    return config


def _complete_smc(config: Config, target: Target) -> Config:
    check_whole_space(config, target)
    build_moves(target, config.smc.modulation)
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


def _report_chains(chains: Chains, target: Target) -> tuple[dict, dict]:
    report = chain_report(chains, target)
    return report, chain_series(chains, report)


HMC = Method(
    _complete_hmc,
    lambda target, config: build_hmc(target, config.hmc),
    _check_chains,
    uses=("hmc",),
    lacks_density=_lacks_density,
    report=_report_chains,
)
SMC = Method(
    _complete_smc,
    lambda target, config: build_smc(target, config.smc),
    _check_populations,
    uses=("smc",),
    lacks_density=_lacks_density,
    report=lambda populations, target: (population_report(populations, target), {}),
)

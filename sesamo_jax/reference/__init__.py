"""What flows are measured against: chains, populations, integrals; no networks.

From Python, on any `Target`: `run_hmc(target, HMCConfig(), key)`, `run_smc(target,
SMCConfig(), key)`, and `independence_chain(model, target, params, key, steps)` with a
trained model as the proposal.
"""

from sesamo_jax.reference.hmc import run_hmc
from sesamo_jax.reference.independence import independence_chain
from sesamo_jax.reference.settings import HMCConfig, SMCConfig
from sesamo_jax.reference.smc import run_smc

__all__ = ["HMCConfig", "SMCConfig", "independence_chain", "run_hmc", "run_smc"]

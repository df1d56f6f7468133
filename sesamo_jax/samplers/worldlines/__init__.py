"""A sampler of the Hubbard model: Gaussian noise around worldlines of local moments."""

from sesamo_jax.samplers.worldlines.assemble import build_worldlines

__all__ = ["build_worldlines"]

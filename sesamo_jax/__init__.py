"""Symmetry-enforcing samplers for Boltzmann densities, in JAX and Flax."""

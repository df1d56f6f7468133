"""Particles in double wells and Lennard-Jones clusters."""

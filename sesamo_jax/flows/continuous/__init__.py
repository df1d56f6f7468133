"""Flows made of velocities, integrated over unit time."""

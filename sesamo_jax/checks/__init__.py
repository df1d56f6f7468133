"""Checks of what users bring along, at a few points: targets, symmetries and flows.

Each raises ValueError with one sentence that names the point. `build_model` runs them.
"""

from sesamo_jax.checks.flow import check_flow
from sesamo_jax.checks.symmetry import check_symmetry
from sesamo_jax.checks.target import check_target

__all__ = ["check_flow", "check_symmetry", "check_target"]

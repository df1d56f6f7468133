"""Targets in Python, each with another kind of symmetry."""

from dataclasses import replace
from itertools import permutations
from math import log, pi

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax import Target, build_target
from sesamo_jax.core import Array, Exact, Symmetry
from sesamo_jax.geometry.lattice import Lattice
from sesamo_jax.reference.quadrature import quadrature
from sesamo_jax.symmetries import U1, find_wells, symmetric

CENTRES = np.array([[0, 0], [6, 1], [-5, 3], [1, -6], [-5, -4], [5, 7], [-1, 8]])
DEPTHS = np.array([0.0, 1.2, 0.7, 0.2, 1.6, 0.5, 1.0])
ANGLES = np.array([0.3, 2.1, 1.2, 2.8, 0.9, 1.7, 0.1])
LONG = np.array([0.8, 2.0, 1.0, 0.7, 1.5, 1.2, 2.4])  # curvatures along and across
WIDE = np.array([3.0, 2.5, 5.0, 1.2, 4.0, 2.0, 6.0])
BENDS = np.array([0.15, -0.1, 0.2, -0.2, 0.0, 0.1, -0.15])


def uneven_wells(x: Array) -> Array:
    """Bent, anharmonic wells of different depths, widths and directions."""
    constants = (CENTRES, DEPTHS, np.cos(ANGLES), np.sin(ANGLES), LONG, WIDE, BENDS)
    centres, depths, cos, sin, long, wide, bends = (
        jnp.asarray(values, x.dtype) for values in constants
    )
    away = x - centres
    along = cos * away[:, 0] + sin * away[:, 1]
    across = cos * away[:, 1] - sin * away[:, 0] - bends * along**2
    wells = long * along**2 / 2 + wide * across**2 / 2 + 0.02 * along**4 + depths
    return -jax.nn.logsumexp(-wells)


def seven_wells(symmetry: Symmetry | None = None) -> Target:
    """Return the wells, by maps onto each of them where no group is given."""
    if symmetry is None:
        starts = np.random.default_rng(0).normal(0, 5, (200, 2))
        symmetry = find_wells(uneven_wells, starts)
    target = Target("wells", (2,), uneven_wells, symmetry, prior_variance=25.0)
    exact = quadrature(target, half_width=16.0, panels=80)
    return replace(target, exact=Exact(exact.log_z, exact.sectors, source="quadrature"))


MODE = np.array([3.0, -2.0, 9.0, -10.0])
TILT = np.array([0.05, -0.03, 0.02, 0.0])


def exchanged_modes() -> Target:
    """Return 24 modes, the permutations of one, whose weights a tilt makes unequal."""
    modes = np.array(list(permutations(MODE)))

    def action(x: Array) -> Array:
        squares = jnp.sum((x - jnp.asarray(modes, x.dtype)) ** 2, axis=1)
        tilt = jnp.sum(jnp.asarray(TILT, x.dtype) * x)
        return tilt - jax.nn.logsumexp(-squares / 2)

    log_weights = TILT @ TILT / 2 - modes @ TILT
    log_z = 2 * log(2 * pi) + float(np.log(np.sum(np.exp(log_weights))))
    group = symmetric(4, broken=True, reference=MODE)
    return Target(
        "modes",
        (4,),
        action,
        group,
        exact=Exact(log_z, source="closed form"),
    )


def clock() -> Target:
    """Return soft XY spins on 8 x 8 that prefer five directions, in a field along one.

    Of U(1) with a law on a grid of angles: what the flow has to learn, the folded
    action, is invariant under all phases, whatever the action itself prefers.
    """
    spins = build_target("phi4_complex")

    def action(x: Array) -> Array:
        first, second = x[..., 0], x[..., 1]
        fivefold = first**5 - 10 * first**3 * second**2 + 5 * first * second**4
        anisotropy = 0.05 * fivefold / (1 + first**2 + second**2) ** 2.5
        return spins.action(x) + jnp.sum(anisotropy - 0.005 * first)

    def fivefold_order(x: Array) -> Array:
        mean = jnp.mean(x, axis=(0, 1))
        return jnp.cos(5 * jnp.arctan2(mean[1], mean[0]))

    return Target(
        "clock",
        spins.event_shape,
        action,
        U1(broken=True),
        geometry=Lattice((8, 8)),
        observables={"fivefold_order": fivefold_order},
    )

"""Equivariant flow matching of particles (Klein, Kraemer, Noe 2023).

A velocity that takes the base q_0 to the data is the mean of x_1 - x_0 over all pairs
whose path x_t = (1 - t) x_0 + t x_1 goes through a point: a regression, which needs no
integration (Lipman et al. 2023). Paths are short, and the velocity varies little, where
the particles of x_1 are permuted, and x_1 is rotated and reflected, so that it is as
near to x_0 as can be. If the law of x_0 is invariant, x_1 then follows that of the data
over all of their images: the flow learns a density with these symmetries, whatever the
data have.

Pairs are drawn independently but for this; there is no optimal transport between the
events of a batch.
"""

from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.bases import BASES
from sesamo_jax.core import Array, Key, Model, Params, Target
from sesamo_jax.core.method import Config
from sesamo_jax.flows.continuous.particle_flow import IntegratedFlow
from sesamo_jax.geometry.particles import Particles, coordinates, positions
from sesamo_jax.parallel.devices import over_batch

LARGEST_LISTED = 5  # particles, of whose 120 permutations there is a list
PLANE = 2


def aligned(y: Array, towards: Array) -> Array:
    """Return the image of y that is nearest to another configuration.

    Over all permutations, rotations and reflections of particles in the plane: it lists
    the N! permutations and their mirror images, whose best rotation is known.

    Args:
        y: coordinates, (N - 1, 2).
        towards: likewise.
    """
    x, goal = positions(y), positions(towards)
    images = x[np.array(list(permutations(range(len(x)))))]
    images = jnp.concatenate([images, images * jnp.array([1, -1], y.dtype)])
    # The rotation by an angle a overlaps by dot cos(a) + cross sin(a).
    dot = jnp.sum(images * goal, axis=(1, 2))
    cross = jnp.sum(images[..., 0] * goal[:, 1] - images[..., 1] * goal[:, 0], axis=1)
    overlap = jnp.hypot(dot, cross)
    best = jnp.argmax(overlap)
    cos, sin = dot[best] / overlap[best], cross[best] / overlap[best]
    rotation = jnp.array([[cos, sin], [-sin, cos]])  # of rows
    return coordinates(images[best] @ rotation)


def squared_errors(
    model: Model,
    params: Params,
    key: Key,
    x: Array,
) -> Array:
    """Return |v(x_t, t) - (x_1 - x_0)|^2 of a batch of pairs, (n,).

    Args:
        model: with `transport`.
        params: of the model.
        key: of the step.
        x: a batch of data, (n, N - 1, 2).
    """
    assert model.transport is not None  # `check_matching` has refused models without
    size = len(x)
    start_key, time_key = jax.random.split(key)
    start = model.transport.prior(params, start_key, size)
    end = over_batch(aligned)(x, start)
    # One time in each of as many intervals: less noise than independent ones.
    t = (jnp.arange(size) + jax.random.uniform(time_key, (size,), start.dtype)) / size
    share = t[:, None, None]
    v = model.transport.velocity(params, t, (1 - share) * start + share * end)
    return jnp.sum((v - (end - start)) ** 2, axis=(1, 2))


def check_matching(config: Config, target: Target) -> None:
    """Raise ValueError for what flow matching cannot do."""
    objective = "objective 'flow_matching'"
    if config.method != "flow":
        raise ValueError(
            f"{objective} trains a flow alone, which method {config.method!r} is not: "
            "use method 'flow'"
        )
    found = target.geometry
    known = isinstance(found, Particles)
    if not known or found.number > LARGEST_LISTED or found.dimension != PLANE:
        system = f"{found.number} in {found.dimension} dimensions" if known else "none"
        raise ValueError(
            f"{objective} turns at most {LARGEST_LISTED} particles in {PLANE} "
            f"dimensions towards each other, and {target.name!r} has {system}: use "
            "'maximum_likelihood'"
        )
    flow = config.flow.build(target.event_shape, target.dtype)
    if not isinstance(flow, IntegratedFlow):
        raise ValueError(
            f"{objective} is the regression of a velocity of particles, which flow "
            f"{type(flow).__name__} does not have: use flow.name=equivariant_graph"
        )
    if not BASES[config.base.kind].takes_variance or config.base.mean:
        raise ValueError(
            f"{objective} needs a base that permutations and rotations leave "
            f"invariant, not base.kind={config.base.kind!r} with base.mean="
            f"{config.base.mean}: leave both out"
        )
    if config.training.augment:
        raise ValueError(
            f"training.augment=True does nothing for {objective}, which chooses the "
            "images of its data: leave it out"
        )

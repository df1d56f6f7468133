"""Starting a lattice run from a trained one, also from a smaller lattice.

Couplings with convolutions have the same parameters on every lattice. Kernels of
continuous flows keep their values at each displacement; spectra of bases are read off
at the new momenta.
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.interpolate import RegularGridInterpolator

from sesamo_jax.bases.variational import PER_MOMENTUM
from sesamo_jax.core import Params
from sesamo_jax.flows.continuous.lattice import PER_DISPLACEMENT
from sesamo_jax.geometry.lattice import displacement_classes
from sesamo_jax.run.restore import restore
from sesamo_jax.training.state import TrainState


def warm_start(states: TrainState, shape: tuple[int, ...], source: str) -> TrainState:
    """Return initial states with the parameters of a trained run.

    Args:
        states: initial states of the new run.
        shape: its lattice.
        source: the folder of the other run; its seeds are taken in turn.

    Raises:
        ValueError: if the folder holds no trained run, or one whose parameters do not
            fit this model even on another lattice.
    """
    name = f"training.warm_start={source!r}"
    run, _, _, trained = restore(Path(source), name, "start from another run")
    old_shape = getattr(run.target, "shape", ())
    params = [
        enlarge(
            jax.tree.map(lambda leaf, i=i: leaf[i % run.seeds], trained.params),
            jax.tree.map(lambda leaf, i=i: leaf[i], states.params),
            old_shape,
            shape,
        )
        for i in range(len(states.step))
    ]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *params)
    return states._replace(params=stacked)


def enlarge(
    old: Params, new: Params, old_shape: tuple[int, ...], new_shape: tuple[int, ...]
) -> Params:
    """Return parameters of the structure of `new` with the values of `old`.

    Args:
        old: parameters of one seed on a lattice of shape `old_shape`.
        new: of one seed on a lattice of shape `new_shape`, no smaller in any direction.
        old_shape: extents.
        new_shape: extents.

    Raises:
        ValueError: if one does not fit, naming it.
    """
    rules = {PER_DISPLACEMENT: _enlarge_kernel, PER_MOMENTUM: _enlarge_spectrum}
    values = dict(jax.tree_util.tree_leaves_with_path(old))
    larger = len(old_shape) == len(new_shape) and all(
        b >= a for a, b in zip(old_shape, new_shape, strict=True)
    )

    def convert(path: Any, leaf: jax.Array) -> jax.Array:
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        value = values.get(path)
        if value is None:
            raise ValueError(f"warm start: the other run has no parameter {name}")
        rule = rules.get(path[-1].key)
        # A dense layer's matrix is a kernel too; that of a continuous flow ends on the
        # classes of displacements.
        classes = displacement_classes(old_shape)[1].size if old_shape else 0
        if rule and larger and old_shape != new_shape and value.shape[-1] == classes:
            value = jnp.asarray(rule(np.asarray(value), old_shape, new_shape))
        if value.shape != leaf.shape:
            raise ValueError(
                f"warm start: parameter {name} has shape {value.shape}, and here "
                f"{leaf.shape}: use the same flow and base, on no smaller a lattice"
            )
        return value.astype(leaf.dtype)

    return jax.tree_util.tree_map_with_path(convert, new)


def _nearest(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return per class its nearest displacement (classes, axes), and its members."""
    classes, first = displacement_classes(shape)
    positions = np.stack(np.unravel_index(first, shape), axis=-1)
    nearest = np.minimum(positions, np.array(shape) - positions)
    return classes, nearest, np.bincount(classes.ravel())


def _enlarge_kernel(
    old: np.ndarray, old_shape: tuple[int, ...], new_shape: tuple[int, ...]
) -> np.ndarray:
    """Return the kernel, (..., classes), with the same values, and 0 farther away.

    Parameters are kernels times the members of a class. Half an extent away the two
    directions are one site on the old lattice, and two on a larger one.
    """
    classes, _, old_members = _nearest(old_shape)
    _, nearest, new_members = _nearest(new_shape)
    out = np.zeros((*old.shape[:-1], len(nearest)), old.dtype)
    half = np.array(old_shape) / 2
    grown = np.array(new_shape) > np.array(old_shape)
    for index, displacement in enumerate(nearest):
        if np.all(displacement <= half):
            source = classes[tuple(displacement)]
            shared = np.sum((displacement == half) & grown)
            share = new_members[index] / old_members[source] / 2**shared
            out[..., index] = old[..., source] * share
    return out


def _enlarge_spectrum(
    old: np.ndarray, old_shape: tuple[int, ...], new_shape: tuple[int, ...]
) -> np.ndarray:
    """Return log variances, (..., classes), interpolated at the new momenta."""
    classes, _, _ = _nearest(old_shape)
    _, nearest, _ = _nearest(new_shape)
    quadrant = classes[tuple(slice(extent // 2 + 1) for extent in old_shape)]
    axes = [np.arange(extent // 2 + 1) for extent in old_shape]
    momenta = nearest * np.array(old_shape) / np.array(new_shape)
    momenta = np.minimum(momenta, [axis[-1] for axis in axes])  # odd extents
    parts = old.ndim - 1  # of a complex field, leading
    values = np.moveaxis(old[..., quadrant], range(parts), range(-parts, 0))
    interpolated = RegularGridInterpolator(axes, values)(momenta)
    return np.moveaxis(interpolated, 0, -1)

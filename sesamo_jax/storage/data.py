"""Configurations from files, for training on data and for held-out likelihoods."""

import sys

import numpy as np

from sesamo_jax.config.schema import CHAINS, Config
from sesamo_jax.core import Target
from sesamo_jax.geometry.particles import Particles, helmert, pair_matrix
from sesamo_jax.storage.files import CONTENT

# Of the particles' root mean square distance from 0: more than rounding in float32.
CENTRED = 1e-5
COINCIDING = 1e-6  # likewise, closer than which particles of a sample never come
LEAST_HELD_OUT = 2  # for an error


def read_data(section: str, config: Config, target: Target) -> np.ndarray | None:
    """Return the configurations of `training.data` or `evaluation.data`.

    Positions of particles whose centre of mass is not at 0 are centred, with a notice
    on stderr.

    Args:
        section: `training` or `evaluation`.
        config: names the file, and how many configurations it takes.
        target: whose configurations they are.

    Returns:
        (n, *event_shape) in the target's type; None where no file is named, or chains
        that training moves itself.

    Raises:
        ValueError: if the file cannot be read, is of another shape, holds what is not
            finite, particles that coincide, or less than a batch; one sentence.
    """
    path = getattr(config, section).data
    if path is None or (section, path) == ("training", CHAINS):
        return None
    name = f"{section}.data={path!r}"
    values = _load(name, path)
    _check_shape(name, values.shape, target)
    _check_entries(name, values, target)
    needed, remedy = LEAST_HELD_OUT, "supply more"
    if section == "training":
        needed = config.training.batch_size
        remedy = "supply more, or lower training.batch_size"
    if len(values) < needed:
        raise ValueError(
            f"{name} holds {len(values)} configurations where {needed} are needed: "
            f"{remedy}"
        )
    if values.shape[1:] != target.event_shape:
        values = _coordinates(name, values.astype(np.float64))
    if isinstance(target.geometry, Particles):
        _check_distances(name, values)
    return values.astype(target.dtype)


def _load(name: str, path: str) -> np.ndarray:
    """Return the array of a file."""
    try:
        with open(path, "rb") as file:
            values = np.load(file, allow_pickle=False)
    except OSError as error:
        raise ValueError(
            f"{name} cannot be read ({error.strerror or error}): give the path of a "
            ".npy file of configurations"
        ) from error
    except CONTENT as error:
        raise ValueError(
            f"{name} is not a .npy file of numbers: write one with numpy.save"
        ) from error
    if not isinstance(values, np.ndarray):
        values.close()
        raise ValueError(
            f"{name} holds several arrays: write one alone with numpy.save"
        )
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{name} holds {values.dtype}: it must hold real numbers")
    return values


def _check_shape(name: str, shape: tuple[int, ...], target: Target) -> None:
    """Raise ValueError unless an array holds configurations, or positions."""
    known = [target.event_shape]
    if isinstance(target.geometry, Particles):
        known.append(tuple(target.geometry))
    if shape[1:] not in known:
        shapes = " or ".join(f"(n, {', '.join(map(str, event))})" for event in known)
        raise ValueError(
            f"{name} has the shape {shape} where target {target.name!r} takes "
            f"{shapes}: reshape it"
        )


def _check_entries(name: str, values: np.ndarray, target: Target) -> None:
    """Raise ValueError unless all entries are finite in the target's type."""
    dtype = np.dtype(target.dtype)
    with np.errstate(over="ignore"):
        finite = np.isfinite(values.astype(dtype))
    wrong = int(np.sum(~finite.all(axis=tuple(range(1, values.ndim)))))
    if wrong:
        raise ValueError(
            f"{name} has {wrong} of {len(values)} configurations with entries that are "
            f"not finite in {dtype}: leave them out"
        )


def _coordinates(name: str, x: np.ndarray) -> np.ndarray:
    """Return the coordinates of positions (n, N, D), wherever their centres are."""
    offset = np.linalg.norm(x.mean(axis=1), axis=-1)
    moved = int(np.sum(offset > CENTRED * np.sqrt(np.mean(x**2))))
    if moved:
        print(
            f"{name}: {moved} of {len(x)} configurations had their centre of mass "
            f"elsewhere, up to {offset.max():.2g} from 0, and were centred",
            file=sys.stderr,
        )
    return helmert(x.shape[1]) @ x


def _check_distances(name: str, y: np.ndarray) -> None:
    """Raise ValueError where particles of one configuration coincide."""
    closest = np.full(len(y), np.inf)
    for pair in pair_matrix(y.shape[1] + 1):
        closest = np.minimum(closest, np.linalg.norm(pair @ y, axis=-1))
    wrong = int(np.sum(closest <= COINCIDING * np.sqrt(np.mean(y**2))))
    if wrong:
        raise ValueError(
            f"{name} has {wrong} of {len(y)} configurations in which particles coincide"
            ", where neither forces nor flows have a direction: leave them out"
        )

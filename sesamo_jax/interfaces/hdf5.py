"""Weighted samples in an HDF5 file, which other languages read too."""

from pathlib import Path

import jax
import numpy as np

from sesamo_jax.interfaces.optional import needed
from sesamo_jax.trained.samples import WeightedSamples

OBSERVABLES = "observables"


def to_hdf5(path: str | Path, samples: WeightedSamples) -> None:
    """Write samples to a new file: `x`, `log_w`, `u`, and a group `observables`.

    Raises:
        ImportError: without h5py.
        ValueError: if the file exists.
    """
    h5py = needed("h5py")
    if Path(path).exists():
        raise ValueError(f"{path} exists: choose another file")
    arrays = jax.device_get(samples)
    with h5py.File(path, "x") as file:
        for name in ("x", "log_w", "u"):
            if getattr(arrays, name) is not None:
                file[name] = getattr(arrays, name)
        group = file.create_group(OBSERVABLES)
        for name, values in arrays.observables.items():
            group[name] = values


def from_hdf5(path: str | Path) -> WeightedSamples:
    """Return the samples that `to_hdf5` wrote.

    Raises:
        ImportError: without h5py.
        ValueError: if the file holds something else.
        OSError: if it cannot be read.
    """
    h5py = needed("h5py")
    with h5py.File(path, "r") as file:
        missing = {"x", "log_w", OBSERVABLES} - set(file)
        if missing:
            raise ValueError(f"{path} holds no samples: it has no {min(missing)}")
        observables = {k: np.asarray(v) for k, v in file[OBSERVABLES].items()}
        u = np.asarray(file["u"]) if "u" in file else None
        x, log_w = np.asarray(file["x"]), np.asarray(file["log_w"])
    return WeightedSamples(x, log_w, u, observables)

"""Reference samples of a target, to train on and to test with, by tempered SMC.

Populations share nothing. Half of them are the training set, TARGET_train.npy, the
others TARGET_test.npy: configurations in random order, of particles their positions
(n, N, D). Where the target knows its virial, each set's must be right within 3 standard
errors.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from sesamo_jax.core import Target
from sesamo_jax.estimators.weighted import log_z
from sesamo_jax.geometry.particles import Particles, helmert
from sesamo_jax.reference.settings import SMCConfig
from sesamo_jax.reference.smc import run_smc
from sesamo_jax.run.text import value_error

SETS = ("train", "test")
LARGEST_DEVIATION = 3.0


class ReferenceSet(NamedTuple):
    """Samples of one target, and what tells whether they are right.

    Attributes:
        samples: (n, ...) configurations in random order; of particles positions
            (n, N, D), centred.
        log_z: each population's estimate, (populations,).
        virial: mean of each population, (populations,); None where the target has none.
        exact: of the virial.
    """

    samples: np.ndarray
    log_z: np.ndarray
    virial: np.ndarray | None = None
    exact: float | None = None

    @property
    def error(self) -> float:
        """Standard error of the virial: the spread between populations."""
        assert self.virial is not None
        return float(self.virial.std(ddof=1) / len(self.virial) ** 0.5)

    @property
    def deviation(self) -> float:
        """Deviation of the virial in standard errors; 0 where nothing is known."""
        if self.virial is None or self.exact is None:
            return 0.0
        return (float(self.virial.mean()) - self.exact) / self.error

    def line(self) -> str:
        """Return what is known about the set in words."""
        words = [f"{len(self.samples)} samples"]
        if self.virial is not None:
            words.append(
                f"virial {value_error(float(self.virial.mean()), self.error)}, exact "
                f"{self.exact:g} ({self.deviation:+.1f} sigma)"
            )
        return ", ".join([*words, f"log Z {value_error(*log_z(self.log_z))}"])


def reference_sets(
    target: Target, smc: SMCConfig, samples: int, populations: int, seed: int
) -> dict[str, ReferenceSet]:
    """Return the training and the test set of a target.

    Args:
        target: any.
        smc: how to run; its numbers of populations and of particles are not used.
        samples: of each set.
        populations: of each set, at least 2; `samples` is a multiple of it.
        seed: of everything; the same sets on the same machine.
    """
    smc = replace(
        smc,
        populations=len(SETS) * populations,
        particles=samples // populations,
    )
    drawn = run_smc(target, smc, jax.random.key(seed))
    x = drawn.x
    if isinstance(target.geometry, Particles):
        x = helmert(target.event_shape[0] + 1).T @ x
    exact = target.exact.observables.get("virial") if target.exact else None
    rng, out = np.random.default_rng(seed), {}
    for index, kind in enumerate(SETS):
        own = slice(index * populations, (index + 1) * populations)
        shuffled = rng.permutation(x[own].reshape(samples, *x.shape[2:]))
        virial = None
        if exact is not None:
            of_each = np.asarray(drawn.observables["virial"][own], np.float64)
            virial = of_each.mean(axis=1)
        out[kind] = ReferenceSet(
            shuffled.astype(target.dtype),
            drawn.log_z[own],
            virial,
            None if exact is None else float(exact),
        )
    return out


def write(folder: Path, name: str, sets: dict[str, ReferenceSet]) -> bool:
    """Write the sets of a target if they pass the check; return whether they do."""
    passed = True
    for kind, reference in sets.items():
        print(f"{name}_{kind}: {reference.line()}", flush=True)
        passed &= abs(reference.deviation) <= LARGEST_DEVIATION
    if passed:
        folder.mkdir(parents=True, exist_ok=True)
        for kind, reference in sets.items():
            np.save(folder / f"{name}_{kind}.npy", reference.samples)
    return passed

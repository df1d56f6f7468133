"""Reference samples of particles: `python experiments/particles_data.py FOLDER`.

By tempered sequential Monte Carlo, in populations that share nothing. Half of them are
the training set, TARGET_train.npy in that folder, the others TARGET_test.npy: positions
(n, N, D) in random order. They are written if the virial of each set, whose mean is
(N - 1) D, is right within 3 standard errors.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from sesamo_jax import build_target, estimators
from sesamo_jax.config import SMCConfig
from sesamo_jax.geometry.particles import helmert
from sesamo_jax.reference.smc import run_smc
from sesamo_jax.run.text import value_error

# Variance of the Gaussian that populations start from: about that of the double wells,
# where the estimates of Z then agree; the target's own for the cluster.
TARGETS = {"dw2": 5.6, "dw4": 4.5, "lj13": None}
SETS = ("train", "test")
LARGEST_DEVIATION = 3.0


class ReferenceSet(NamedTuple):
    """Samples of one target, and what tells whether they are right.

    Attributes:
        positions: (n, N, D), in random order, centred.
        virial: mean of each population, (populations,).
        exact: of the virial.
        log_z: each population's estimate, (populations,).
    """

    positions: np.ndarray
    virial: np.ndarray
    exact: float
    log_z: np.ndarray

    @property
    def error(self) -> float:
        """Standard error of the virial: the spread between populations."""
        return float(self.virial.std(ddof=1) / len(self.virial) ** 0.5)

    @property
    def deviation(self) -> float:
        """Deviation of the virial in standard errors."""
        return (float(self.virial.mean()) - self.exact) / self.error

    def line(self) -> str:
        """Return what is known about the set in words."""
        log_z = estimators.log_z(self.log_z)
        return (
            f"{len(self.positions)} samples, virial "
            f"{value_error(float(self.virial.mean()), self.error)}, exact "
            f"{self.exact:g} ({self.deviation:+.1f} sigma), log Z {value_error(*log_z)}"
        )


def reference_sets(
    name: str, samples: int, populations: int, seed: int
) -> dict[str, ReferenceSet]:
    """Return the training and the test set of a target.

    Args:
        name: of the target.
        samples: of each set.
        populations: of each set, at least 2; `samples` is a multiple of it.
        seed: of everything; the same sets on the same machine.
    """
    target = build_target(name)
    smc = SMCConfig(
        populations=len(SETS) * populations,
        particles=samples // populations,
        variance=TARGETS[name],
    )
    drawn = run_smc(target, smc, jax.random.key(seed))
    positions = helmert(target.event_shape[0] + 1).T @ drawn.x
    rng, out = np.random.default_rng(seed), {}
    for index, kind in enumerate(SETS):
        own = slice(index * populations, (index + 1) * populations)
        shuffled = rng.permutation(
            positions[own].reshape(samples, -1, target.event_shape[1])
        )
        out[kind] = ReferenceSet(
            shuffled.astype(target.dtype),
            np.asarray(drawn.observables["virial"][own], np.float64).mean(axis=1),
            float(target.exact.observables["virial"]),
            drawn.log_z[own],
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
            np.save(folder / f"{name}_{kind}.npy", reference.positions)
    return passed


def main() -> int:
    """Run the command line; return how many targets failed the check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the files go")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--samples", type=int, default=10_000, help="of each set")
    parser.add_argument("--populations", type=int, default=20, help="of each set")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    samples, populations = options.samples, options.populations
    if populations < 2 or samples < populations or samples % populations:
        parser.error(
            f"--samples {samples} must be a multiple of --populations {populations}, "
            "of which there are at least 2"
        )
    failed = 0
    for name in options.targets:
        sets = reference_sets(name, samples, populations, options.seed)
        if not write(options.folder, name, sets):
            print(f"{name}: virial off, nothing written: raise --samples", flush=True)
            failed += 1
    return failed


if __name__ == "__main__":
    sys.exit(main())

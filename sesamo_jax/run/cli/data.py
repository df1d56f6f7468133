"""`sesamo-jax data`: configurations of a target, to train on and to test with."""

import argparse
from pathlib import Path

from sesamo_jax.config import complete, resolve
from sesamo_jax.core import enable_precision
from sesamo_jax.run.cli.command import (
    Command,
    Failed,
    add_target,
    assignments,
    known_target,
)
from sesamo_jax.run.data import reference_sets, write
from sesamo_jax.targets import build_from
from sesamo_jax.targets.imported import file_name

EXAMPLES = """\
examples:
  sesamo-jax data --target lj13 --output runs/data
      10,000 positions each in runs/data/lj13_train.npy and lj13_test.npy
  sesamo-jax data --target dw4 --set smc.variance=4.5 --output runs/data
      from a Gaussian as wide as the wells, where populations agree on Z best
  sesamo-jax run --target dw4 --objective maximum_likelihood \\
      --set training.data=runs/data/dw4_train.npy \\
      --set evaluation.data=runs/data/dw4_test.npy
      what they are for

Populations of tempered sequential Monte Carlo share nothing; half of them are the
training set. What is printed says whether they are right: of particles the virial,
which must be exact within 3 standard errors, and log Z with its error.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name the options of `data`."""
    add_target(parser)
    parser.add_argument("--output", type=Path, help="folder of both files")
    parser.add_argument("--samples", type=int, default=10_000, help="of each set")
    parser.add_argument("--populations", type=int, default=20, help="of each set")
    parser.add_argument("--seed", type=int, default=0, help="of everything")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="A.B=VALUE",
        help="a field of the target or of smc, e.g. smc.target_ess=0.98",
    )


def carry_out(options: argparse.Namespace) -> None:
    """Draw both sets and write them if they are right."""
    name, samples = known_target(options), options.samples
    if options.output is None:
        raise ValueError("--output is missing, the folder of both files")
    if options.populations < 2 or samples < 1 or samples % options.populations:
        raise ValueError(
            f"--samples {samples} must be a multiple of --populations "
            f"{options.populations}, of which there are at least 2"
        )
    settings = dict(assignments("--set", options.set)) | {"method": "smc"}
    run = resolve(name, options.preset, settings, options.seed)
    enable_precision(run.target.dtype)
    target = build_from(run.target_name, run.target)
    smc = complete(run.config, target).smc
    sets = reference_sets(target, smc, samples, options.populations, options.seed)
    if not write(options.output, file_name(name), sets):
        raise Failed(f"{name}: virial off, nothing written: raise --samples")


COMMAND = Command(
    "draw configurations of a target, to train on and to test with",
    EXAMPLES,
    add_arguments,
    carry_out,
)

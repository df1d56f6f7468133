"""`sesamo-jax selftest`: whether error bars mean what they say, on this machine."""

import argparse
import csv
from pathlib import Path

import jax

from sesamo_jax.run.cli.command import Command, Failed
from sesamo_jax.run.console import progress_bar
from sesamo_jax.run.selftest.cases import FAMILIES
from sesamo_jax.run.selftest.coverage import coverage_figure, coverages, table
from sesamo_jax.run.selftest.pulls import measure_all

FEWEST_REPEATS = 2
EXAMPLES = """\
examples:
  sesamo-jax selftest                            eight targets, minutes on two cores
  sesamo-jax selftest --cases 4 --repeats 10     one of each family, a first look
  sesamo-jax selftest --output runs/selftest     with a figure and the pulls

Random targets with known normalisation and symmetry (exact and broken, finite and
continuous) each get a small sampler. Independent reports on it, and chains, are
compared with exact values: log Z from the model's samples, from the target's and from
both, sectors, reweighted means, the ESS, means of chains by the Gamma method. Estimates
whose error cannot be trusted are marked in reports, and counted as such here.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name the options of `selftest`."""
    parser.add_argument("--cases", type=int, default=8, help="random targets")
    parser.add_argument("--repeats", type=int, default=40, help="reports on each")
    parser.add_argument("--seed", type=int, default=0, help="of everything")
    parser.add_argument("--output", type=Path, help="folder of coverage.png, pulls.csv")


def carry_out(options: argparse.Namespace) -> None:
    """Measure pulls and print their coverage; fail where errors are too small."""
    if options.cases < 1 or options.repeats < FEWEST_REPEATS:
        raise ValueError(
            f"--cases {options.cases} must be at least 1 and --repeats "
            f"{options.repeats} at least {FEWEST_REPEATS}"
        )
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_enable_x64", True)  # the Hubbard model needs it
    pulls = []
    families = ", ".join(list(FAMILIES)[: options.cases])
    print(f"{options.cases} targets ({families}), {options.repeats} reports on each")
    with progress_bar(options.cases, "target", "tried") as bar:
        for found in measure_all(options.seed, options.cases, options.repeats):
            pulls += found
            bar.update()
    rows = coverages(pulls)
    print(table(rows))
    if options.output is not None:
        coverage_figure(pulls).savefig(options.output / "coverage.png", dpi=150)
        with (options.output / "pulls.csv").open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([("quantity", "pull"), *pulls])  # None is left empty
        print(f"\nfiles: {options.output}")
    if not all(row.holds for row in rows):
        raise Failed("some errors are too small, see above")


COMMAND = Command(
    "try on random targets whether error bars mean what they say",
    EXAMPLES,
    add_arguments,
    carry_out,
)

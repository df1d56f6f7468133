"""`sesamo-jax compare`: one page for several runs."""

import argparse
from pathlib import Path

from sesamo_jax.run.cli.command import Command
from sesamo_jax.run.report.comparison import comparison, labels, read_run

EXAMPLES = """\
examples:
  sesamo-jax compare runs/heat_bath runs/learned
      verdicts, estimates and figures of both in compare.html, with the settings in
      which they differ
  sesamo-jax compare runs/beta_* --output scan.html
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name the options of `compare`."""
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="of a finished run"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("compare.html"), help="the page to write"
    )


def carry_out(options: argparse.Namespace) -> None:
    """Write the page."""
    names = labels(options.folders)
    runs = [read_run(*one) for one in zip(options.folders, names, strict=True)]
    options.output.write_text(comparison(runs), encoding="utf-8")
    print(f"page: {options.output}")


COMMAND = Command(
    "show several runs side by side, in one page", EXAMPLES, add_arguments, carry_out
)

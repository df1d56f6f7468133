"""`sesamo-jax COMMAND ...`, and one command by itself for the scripts of a checkout."""

import argparse
import os
import sys
from importlib import metadata
from pathlib import Path

from sesamo_jax.run.cli import compare, data, run, selftest, study, sweep
from sesamo_jax.run.cli.command import Command, Failed, Parser, fail
from sesamo_jax.run.execute import Stopped

COMMANDS: dict[str, Command] = {
    "run": run.COMMAND,
    "list": run.LIST,
    "compare": compare.COMMAND,
    "study": study.COMMAND,
    "sweep": sweep.COMMAND,
    "data": data.COMMAND,
    "selftest": selftest.COMMAND,
}
DESCRIPTION = """\
Samplers of Boltzmann densities exp(-f(x))/Z that know the symmetries of f, exact or
broken: normalizing flows with stochastic modulation, and Markov chains beside them.
"""
EXAMPLES = """\
to begin with:
  sesamo-jax list                                    targets, methods, all settings
  sesamo-jax run --target hubbard --seeds 3          train, sample, judge: a minute
  sesamo-jax run --help                              and likewise of the others
"""


def main(arguments: list[str] | None = None) -> None:
    """Run `sesamo-jax`; exit code 1 for a failed run, 2 for wrong usage."""
    parser = Parser(prog="sesamo-jax", description=DESCRIPTION, epilog=EXAMPLES)
    version = f"sesamo-jax {metadata.version('sesamo-jax')}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(metavar="COMMAND", dest="command")
    for name, command in COMMANDS.items():
        own = commands.add_parser(
            name,
            help=command.summary,
            description=_sentence(command),
            epilog=command.examples,
        )
        command.add_arguments(own)
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return
    _carry_out(f"sesamo-jax {options.command}", COMMANDS[options.command], options)


def script(name: str) -> None:
    """Run one command as a script of its own, `experiments/run.py` for instance."""
    program, command = Path(sys.argv[0]).name, COMMANDS[name]
    parser = Parser(
        prog=program,
        description=_sentence(command),
        epilog=command.examples.replace(f"sesamo-jax {name}", program),
    )
    command.add_arguments(parser)
    _carry_out(program, command, parser.parse_args())


def _sentence(command: Command) -> str:
    return f"{command.summary[0].upper()}{command.summary[1:]}."


def _carry_out(program: str, command: Command, options: argparse.Namespace) -> None:
    """Do what is asked for; errors are one line."""
    # Names that the terminal has no letters for can be printed all the same.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        command.carry_out(options)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except ValueError as error:
        fail(program, str(error), 2)
    except (Failed, Stopped, OSError) as error:
        fail(program, str(error), 1)

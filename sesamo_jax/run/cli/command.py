"""What the commands share: their record, one-line errors, A.B=VALUE."""

import argparse
import sys
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from sesamo_jax.config.presets import PRESETS
from sesamo_jax.targets import TARGETS
from sesamo_jax.targets.imported import FORMS


class Command(NamedTuple):
    """One command of `sesamo-jax`.

    Attributes:
        summary: its line in the overview.
        examples: what help shows after the options.
        add_arguments: names its options to a parser.
        carry_out: does what the options ask for. ValueError is wrong usage, `Failed`
            and OSError a failed run; both are one line to the user.
    """

    summary: str
    examples: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    carry_out: Callable[[argparse.Namespace], None]


class Failed(RuntimeError):
    """What was asked for was right, and did not finish."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and whose flags are never cut short."""

    def __init__(self, **options: object) -> None:
        layout = argparse.RawDescriptionHelpFormatter
        super().__init__(allow_abbrev=False, formatter_class=layout, **options)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Print the message and leave with exit code 2."""
        fail(self.prog, message, 2)


def fail(program: str, message: str, code: int) -> NoReturn:
    """Print one line and leave."""
    print(f"{program}: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


def assignments(flag: str, texts: list[str]) -> list[tuple[str, str]]:
    """Return the names and values of A.B=VALUE.

    Raises:
        ValueError: for another form.
    """
    pairs = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"{flag} {text!r} must have the form a.b=value")
        pairs.append((name, value))
    return pairs


def add_target(parser: argparse.ArgumentParser) -> None:
    """Name the options of every command that samples a target."""
    parser.add_argument(
        "--target",
        help=f"what to sample: {', '.join(TARGETS)}, or your own, as in {FORMS}",
    )
    parser.add_argument(
        "--preset", default="default", help="defaults: " + ", ".join(PRESETS)
    )


def known_target(options: argparse.Namespace) -> str:
    """Return the target's name.

    Raises:
        ValueError: if there is none.
    """
    if options.target is None:
        raise ValueError("--target is missing; known: " + ", ".join(TARGETS))
    return str(options.target)

"""Train, sample and judge one model: `python experiments/run.py --target hubbard`."""

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from sesamo_jax.config import Run, resolve
from sesamo_jax.config.presets import PRESETS
from sesamo_jax.config.resolve import SECTIONS, to_json
from sesamo_jax.config.schema import GRADIENTS, METHODS, OBJECTIVES
from sesamo_jax.modulation import LAWS
from sesamo_jax.parallel.processes import Group, is_first, join
from sesamo_jax.run.execute import Stopped, execute
from sesamo_jax.run.text import format_report
from sesamo_jax.samplers.weighting import DENSITIES
from sesamo_jax.targets import TARGETS

# Flags that are short names of settings.
FLAGS = {
    "method": ("method", "sampler: " + ", ".join(METHODS)),
    "modulation": ("modulation", "law of sesamo: " + ", ".join(LAWS)),
    "density": ("density", "accounting of the report: " + ", ".join(DENSITIES)),
    "objective": ("training.objective", "loss: " + ", ".join(OBJECTIVES)),
    "gradient": ("training.gradient", "gradient of log q: " + ", ".join(GRADIENTS)),
    "steps": ("training.steps", "optimiser steps"),
    "batch-size": ("training.batch_size", "samples per step"),
    "lr": ("training.learning_rate", "peak learning rate"),
}


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print the message and leave with exit code 2."""
        fail(message, 2)


def show_any_name() -> None:
    """Let names be printed that the terminal has no letters for."""
    sys.stdout.reconfigure(errors="backslashreplace")


def fail(message: str, code: int) -> NoReturn:
    """Print one line and leave."""
    script = Path(sys.argv[0]).name
    print(f"{script}: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the command line's values."""
    parser = Parser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--target", help="what to sample: " + ", ".join(TARGETS))
    parser.add_argument(
        "--preset", default="default", help="defaults: " + ", ".join(PRESETS)
    )
    for flag, (_, text) in FLAGS.items():
        parser.add_argument(f"--{flag}", help=text)
    parser.add_argument("--seeds", type=int, default=1, help="models to train at once")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--output", type=Path, help="run folder; default runs/DATE-...")
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in --output"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="A.B=VALUE",
        help="any field of the configuration, e.g. target.beta=2.0",
    )
    parser.add_argument(
        "--devices", type=int, help="that train together, of each process; default 1"
    )
    parser.add_argument("--processes", type=int, help="that train together, if several")
    parser.add_argument("--process", type=int, metavar="I", help="which this one is")
    parser.add_argument("--coordinator", metavar="HOST:PORT", help="where process 0 is")
    parser.add_argument(
        "--wait", type=int, default=Group().wait, help="seconds for other processes"
    )
    parser.add_argument(
        "--list", action="store_true", help="show targets, presets and fields, and exit"
    )
    return parser.parse_args(arguments)


def settings(options: argparse.Namespace) -> dict[str, str]:
    """Return flags and `--set` as values by dotted field name."""
    values = {
        name: getattr(options, flag.replace("-", "_"))
        for flag, (name, _) in FLAGS.items()
    }
    values = {name: value for name, value in values.items() if value is not None}
    return values | dict(assignments("--set", options.set))


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


def show_list() -> None:
    """Print what can be chosen, with the default fields of every target."""
    print("presets:    ", ", ".join(PRESETS))
    for flag, (name, text) in FLAGS.items():
        print(f"--{flag:11} {text}   [{name}]")
    print("\ntargets and their fields (--set target.FIELD=VALUE):")
    for name in TARGETS:
        fields = to_json(resolve(name))["target"]
        values = ", ".join(f"{k}={v}" for k, v in fields.items() if k != "name")
        print(f"  {name:12} {values}")
    print("\nother fields (--set FIELD=VALUE), here at their defaults for gmm:")
    tree = to_json(resolve("gmm"))
    for section in SECTIONS:
        values = ", ".join(f"{k}={v}" for k, v in tree[section].items())
        print(f"  {section}: {values}")


def default_output(run: Run) -> Path:
    """Return runs/DATE-TIME-target-method, a folder that does not exist yet."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{stamp}-{run.target_name}-{run.config.method}"


def main() -> None:
    """Run the command line."""
    show_any_name()
    options = parse()
    if options.list:
        show_list()
        return
    try:
        if options.target is None:
            raise ValueError("--target is missing; known: " + ", ".join(TARGETS))
        if options.resume and options.output is None:
            raise ValueError("--resume needs --output, the folder of the run")
        run = resolve(
            options.target,
            options.preset,
            settings(options),
            options.seed,
            options.seeds,
        )
        output = options.output or default_output(run)
        join(
            Group(options.coordinator, options.processes, options.process, options.wait)
        )
        metrics = execute(run, output, options.resume, options.devices)
    except Stopped as stop:
        fail(str(stop), 1)
    except ValueError as error:
        fail(str(error), 2)
    except OSError as error:
        fail(f"{error}; what was saved is in {output}, --resume continues it", 1)
    if not is_first():
        return
    print(format_report(metrics))
    print(f"\nfiles: {output}")


if __name__ == "__main__":
    main()

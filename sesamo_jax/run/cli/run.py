"""`sesamo-jax run`: one model, from settings to report; `list`: what there is."""

import argparse
from datetime import datetime
from pathlib import Path

from sesamo_jax.config import Run, resolve
from sesamo_jax.config.presets import PRESETS
from sesamo_jax.config.record import to_json
from sesamo_jax.config.schema import GRADIENTS, METHODS, OBJECTIVES, SECTIONS
from sesamo_jax.modulation import LAWS
from sesamo_jax.parallel.processes import Group, is_first, join
from sesamo_jax.run.cli.command import (
    Command,
    Failed,
    add_target,
    assignments,
    known_target,
)
from sesamo_jax.run.console import heard
from sesamo_jax.run.execute import execute
from sesamo_jax.run.report.printed import format_report
from sesamo_jax.samplers.conditionals.sites import SITES
from sesamo_jax.samplers.weighting import DENSITIES
from sesamo_jax.targets import TARGETS
from sesamo_jax.targets.imported import file_name

# Flags that are short names of settings.
FLAGS = {
    "method": ("method", "sampler: " + ", ".join(METHODS)),
    "modulation": ("modulation", "law of sesamo: " + ", ".join(LAWS)),
    "sites": ("sites", "of a lattice that the flow covers: " + ", ".join(SITES)),
    "density": ("density", "accounting of the report: " + ", ".join(DENSITIES)),
    "objective": ("training.objective", "loss: " + ", ".join(OBJECTIVES)),
    "gradient": ("training.gradient", "gradient of log q: " + ", ".join(GRADIENTS)),
    "steps": ("training.steps", "optimiser steps"),
    "batch-size": ("training.batch_size", "samples per step"),
    "lr": ("training.learning_rate", "peak learning rate"),
}
EXAMPLES = """\
examples:
  sesamo-jax run --target phi4_complex
      the complex field at its defaults: ESS, log Z, observables, each with its error
  sesamo-jax run --target gmm_broken --seeds 10 --output runs/mixture
      ten models in one program; --resume continues after an interruption
  sesamo-jax run --target hubbard --modulation learned --set target.beta=2.0
      the published law of the broken symmetry, at another temperature
  sesamo-jax run --target phi4_real --method hmc
      Markov chains of the same target, to compare with

The folder then holds the configuration, the environment, the history of training,
samples with their weights, the report's numbers and its figures.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name the options of `run`."""
    add_target(parser)
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
        "--tensorboard",
        action="store_true",
        help="write the history of training as TensorBoard's events, too",
    )
    parser.add_argument(
        "--list", action="store_true", help="show targets, presets and fields, and exit"
    )


def carry_out(options: argparse.Namespace) -> None:
    """Train, sample and judge one model, and print the report."""
    if options.list:
        show_list()
        return
    target = known_target(options)
    if options.resume and options.output is None:
        raise ValueError("--resume needs --output, the folder of the run")
    run = resolve(
        target, options.preset, settings(options), options.seed, options.seeds
    )
    output = options.output or default_output(run)
    join(Group(options.coordinator, options.processes, options.process, options.wait))
    try:
        with heard():
            metrics = execute(
                run, output, options.resume, options.devices, options.tensorboard
            )
    except OSError as error:
        raise Failed(
            f"{error}; what was saved is in {output}, --resume continues it"
        ) from error
    if is_first():
        print(format_report(metrics))
        print(f"\nfiles: {output}")


def settings(options: argparse.Namespace) -> dict[str, str]:
    """Return flags and `--set` as values by dotted field name."""
    values = {
        name: getattr(options, flag.replace("-", "_"))
        for flag, (name, _) in FLAGS.items()
    }
    values = {name: value for name, value in values.items() if value is not None}
    return values | dict(assignments("--set", options.set))


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
    target = file_name(run.target_name)
    return Path("runs") / f"{stamp}-{target}-{run.config.method}"


COMMAND = Command(
    "train, sample and judge one model of a target", EXAMPLES, add_arguments, carry_out
)
LIST = Command(
    "show the targets, presets, methods and all settings that there are",
    "",
    lambda parser: None,
    lambda options: show_list(),
)

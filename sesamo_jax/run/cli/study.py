"""`sesamo-jax study`: many runs, their results, and the pages that show them."""

import argparse
from math import inf
from pathlib import Path

from sesamo_jax.run import study
from sesamo_jax.run.cli.command import Command, Failed
from sesamo_jax.run.entry import Entry, command
from sesamo_jax.run.repeat import repeat_quickest

EXAMPLES = """\
examples, from the folder of a checkout:
  sesamo-jax study                        the studies there are
  sesamo-jax study hubbard --list         its runs as commands, and which are finished
  sesamo-jax study hubbard --hours 2      carry them out, in pieces; call it again
  sesamo-jax study hubbard --only ring4   those named so or in part, or of a group
  sesamo-jax study hubbard --check        do its pages show what the results say?
  sesamo-jax study hubbard --repeat --only beta_2.0
                                          the quickest anew, with another seed: agreed?
  sesamo-jax study hubbard --collect FOLDER
                                          replace a result by that of a run's folder
  sesamo-jax study particles --analysis divergence
                                          what is measured beside the runs

Results are lines of experiments/results/NAME/runs.jsonl: every run's configuration,
environment, metrics and history. Folders of runs, with their samples, stay beside
that file and out of the repository.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name the options of `study`."""
    parser.add_argument(
        "name", nargs="?", help="of a study in experiments/, or the path of its folder"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="TEXT",
        default=[""],
        help="runs with that in their names, or of a group",
    )
    parser.add_argument(
        "--hours", type=float, default=inf, help="stop after so many; continue later"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="show the runs and stop")
    what.add_argument(
        "--pages",
        action="store_true",
        help="write tables and figures anew, run nothing",
    )
    what.add_argument(
        "--check", action="store_true", help="fail unless the pages are up to date"
    )
    what.add_argument(
        "--repeat", action="store_true", help="repeat the quickest run, and compare"
    )
    what.add_argument("--analysis", metavar="NAME", help="a module beside the runs")
    what.add_argument(
        "--collect",
        nargs="+",
        type=Path,
        metavar="FOLDER",
        help="take in runs' folders",
    )


def carry_out(options: argparse.Namespace) -> None:
    """Do one thing with a study."""
    if options.name is None:
        print("\n".join(study.known_studies()) or "no studies in experiments/ here")
        return
    chosen = study.load(options.name)
    if options.collect:
        for folder in options.collect:
            chosen.collect(folder)
            print(f"{folder}: taken in")
    elif options.analysis:
        chosen.analyse(options.analysis)
    elif options.check:
        if pages := chosen.stale_pages():
            names = ", ".join(map(str, pages))
            raise Failed(f"not up to date: {names}; --pages writes them")
    elif options.list:
        show_list(chosen, options.only)
    elif options.repeat:
        repeat(chosen, options.only, options.hours)
    elif options.pages:
        chosen.write_pages()
    else:
        runs = chosen.choose(options.only)
        unfinished = chosen.carry_out(runs, options.hours)
        for owner in chosen.owners(runs):
            owner.write_pages()
        if unfinished:
            raise Failed(
                f"{unfinished} of {len(runs)} runs are unfinished: call this again"
            )


def show_list(chosen: study.Study, texts: list[str]) -> None:
    """Print the runs, group by group, as commands, and how many are finished."""
    for title, runs in by_group(chosen, texts).items():
        done = 0
        for name, entry in runs.items():
            results, run = chosen.place(name)
            done += run in results
            print("sesamo-jax", *command(chosen.output(name), entry))
        print(f"{title}: {done} of {len(runs)} runs finished\n")


def repeat(chosen: study.Study, texts: list[str], hours: float) -> None:
    """Repeat the quickest run of each group, and compare it with its result."""
    groups = by_group(chosen, texts)
    differ = [
        title
        for title, runs in groups.items()
        if not repeat_quickest(chosen, runs, hours)
    ]
    if differ:
        raise Failed(f"not as before, or not finished: {', '.join(differ)}")


def by_group(chosen: study.Study, texts: list[str]) -> dict[str, dict[str, Entry]]:
    """Return the chosen runs by the groups that were named, or all together."""
    named = list(chosen.groups) if texts == [""] else texts
    if chosen.groups and all(text in chosen.groups for text in named):
        return {text: chosen.choose([text]) for text in named}
    return {chosen.folder.name: chosen.choose(texts)}


COMMAND = Command(
    "carry out a study: its runs, their results, the pages that show them",
    EXAMPLES,
    add_arguments,
    carry_out,
)

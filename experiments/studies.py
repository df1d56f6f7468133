"""What the studies share: tables of runs, each carried out by `run.py`."""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]


class Entry(NamedTuple):
    """One run: a target, settings by dotted name, and how many seeds."""

    target: str
    settings: dict[str, Any]
    seeds: int = 1


def command(folder: str, name: str, entry: Entry) -> list[str]:
    """Return the command line of one run, after the interpreter's name."""
    words = ["experiments/run.py", "--target", entry.target]
    for key, value in entry.settings.items():
        words += ["--set", f"{key}={value}"]
    words += ["--seeds", str(entry.seeds)] if entry.seeds > 1 else []
    return [*words, "--output", f"experiments/results/{folder}/{name}"]


def carry_out(description: str, folder: str, runs: dict[str, Entry]) -> int:
    """Carry out the runs that the command line asks for; return how many failed."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="show the runs and stop")
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="runs named so")
    options = parser.parse_args()
    failed = 0
    for name, entry in runs.items():
        if options.only and not any(text in name for text in options.only):
            continue
        words = command(folder, name, entry)
        print("python", *words, flush=True)
        if not options.list:
            full = [sys.executable, *words, "--resume"]
            failed += subprocess.run(full, cwd=ROOT, check=False).returncode != 0
    return failed

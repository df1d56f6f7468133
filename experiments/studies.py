"""What the studies share: carrying out tables of runs, and tables of their results."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
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


def metrics(folder: str, name: str) -> dict[str, Any] | None:
    """Return a run's result file, or None where there is none."""
    path = ROOT / "experiments" / "results" / folder / name / "metrics.json"
    return read(path) if path.exists() else None


def read(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file."""
    return json.loads(path.read_text())


def with_tables(page: str, tables: dict[str, Callable[[], str]]) -> str:
    """Return a page's text with fresh tables, those that it has markers for."""
    for name, table in tables.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        if begin not in page:
            continue
        head, rest = page.split(begin)
        page = f"{head}{begin}\n{table()}\n{end}{rest.split(end)[1]}"
    return page


def rewrite(pages: tuple[Path, ...], tables: dict[str, Callable[[], str]]) -> None:
    """Write fresh tables into pages."""
    for page in pages:
        page.write_text(with_tables(page.read_text(), tables))


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)

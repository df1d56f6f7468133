"""Remake the paper's tables and figures: `experiments/reproduce.py --only fig10`.

Every item is a list of runs of `experiments/run.py`; finished ones are skipped and
interrupted ones continue, so that the work can be done in pieces of `--hours`. Then
`docs/results.md`, the pages of both studies and all figures are written from whatever
there is. `--check` repeats the quickest of an item's runs with another seed and
compares it with the committed result.
"""

import argparse
import sys
import tempfile
from math import hypot, inf, sqrt
from pathlib import Path

import hubbard_figures
import hubbard_tables
import paper_figures
import paper_tables
import phi4_figures
import phi4_tables
from paper import ITEMS
from studies import ROOT, Entry, carry_out, command, read, rewrite

CHECK_SEED = 1000
SIGMAS = 3


def parse() -> argparse.Namespace:
    """Return the command line's values."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="show items and their runs")
    parser.add_argument(
        "--only", nargs="+", choices=ITEMS, default=list(ITEMS), metavar="ITEM",
        help="among " + ", ".join(ITEMS),
    )  # fmt: skip
    parser.add_argument(
        "--hours", type=float, default=inf, help="stop after so many; continue later"
    )
    parser.add_argument(
        "--check", action="store_true", help="repeat a run of each, and compare"
    )
    return parser.parse_args()


def main() -> int:
    """Carry out what the command line asks for; return 1 if not all finished well."""
    options = parse()
    runs: dict[str, Entry] = {}
    for item in options.only:
        runs |= ITEMS[item]
    if options.list:
        for item in options.only:
            done = sum((ROOT / name / "metrics.json").exists() for name in ITEMS[item])
            print(f"\n{item}: {done} of {len(ITEMS[item])} runs finished")
            carry_out(ITEMS[item], show=True)
        return 0
    if options.check:
        agreed = [check(ITEMS[item], options.hours) for item in options.only]
        return int(not all(agreed))
    unfinished = carry_out(runs, options.hours)
    for tables in (paper_tables, phi4_tables, hubbard_tables):
        rewrite(tables.PAGES, tables.TABLES)
    for figures in (paper_figures, phi4_figures, hubbard_figures):
        figures.write()
    if unfinished:
        print(f"{unfinished} of {len(runs)} runs are unfinished: call this again")
    return int(unfinished > 0)


def check(runs: dict[str, Entry], hours: float) -> bool:
    """Return whether a fresh run agrees with the committed one, and print both."""
    finished = {
        name: read(ROOT / name / "metrics.json")["seeds"]
        for name in runs
        if (ROOT / name / "metrics.json").exists()
    }
    # Markov chains, which have no log Z, may stay where they start, on purpose.
    weighed = [name for name, seeds in finished.items() if seeds[0]["log_z"]]
    if not weighed:
        print("nothing is committed to compare with")
        return False
    name = min(weighed, key=lambda name: sum(s["wall_seconds"] for s in finished[name]))
    entry = runs[name]._replace(seed=CHECK_SEED)
    with tempfile.TemporaryDirectory() as folder:
        fresh = str(Path(folder) / "run")
        print("python", *command(fresh, entry), flush=True)
        if carry_out({fresh: entry}, hours):
            return False
        committed = read(ROOT / name / "metrics.json")
        return agree(name, committed, read(Path(fresh) / "metrics.json"))


def agree(name: str, old: dict, new: dict) -> bool:
    """Return whether two results agree, and print them.

    What does not depend on how well training went is compared: log Z and observables,
    within their own errors; and of several seeds the ESS within their spread.
    """
    print(f"{name}: committed, fresh, distance in sigma")
    good = True
    for key in ("ess", "log_z", *old["seeds"][0]["observables"]):
        read_off = spread if key == "ess" else value
        pair = [read_off(result, key) for result in (old, new)]
        if None in pair:
            continue
        (a, a_error), (b, b_error) = pair
        distance = (b - a) / hypot(a_error, b_error)
        good &= abs(distance) < SIGMAS
        print(f"  {key:28} {a:12.6g} {b:12.6g} {distance:+6.1f}")
    return good


def spread(result: dict, key: str) -> tuple[float, float] | None:
    """Return a mean over seeds and its error from their spread, or None."""
    entry, seeds = result["aggregate"][key], len(result["seeds"])
    return (entry["mean"], entry["std"] / sqrt(seeds)) if entry["std"] else None


def value(result: dict, key: str) -> tuple[float, float] | None:
    """Return the first seed's scalar estimate and its error, or None."""
    seed = result["seeds"][0]
    entry = seed["observables"].get(key)
    mean, error = (
        (entry["mean"], entry["error"]) if entry else (seed[key], seed[f"{key}_error"])
    )
    return (mean, error) if isinstance(mean, float) and error else None


if __name__ == "__main__":
    sys.exit(main())

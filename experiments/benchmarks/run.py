"""Measure how fast the package is: `python experiments/benchmarks/run.py`.

Each part writes one file below `experiments/results/benchmarks/`; a part whose file is
there is skipped, so that a stopped measurement goes on where it was. Tables and figures
of `docs/benchmarks.md` are written at the end. Measure on a machine that does nothing
else.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from reading import ROOT

from benchmarks import (
    ensembles,
    growth,
    lattice_samplers,
    peaks,
    tables,
    throughput,
    time_to_ess,
)
from benchmarks.environments import peer_python
from benchmarks.machine import machine
from benchmarks.records import read_part, write_part
from benchmarks.tasks import FIRST, TASKS
from benchmarks.workers import Worker


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the command line's values."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="PART", help="parts named so")
    parser.add_argument(
        "--peer-python", type=Path, help="interpreter with sesamo; default .venv-peer"
    )
    parser.add_argument(
        "--bijx-python", type=Path, help="interpreter with bijx; default .venv-bijx"
    )
    parser.add_argument("--repeats", type=int, default=5, help="turns or seeds")
    parser.add_argument(
        "--minutes", type=float, default=inf, help="start no part after so many"
    )
    parser.add_argument("--list", action="store_true", help="show the parts and stop")
    options = parser.parse_args(arguments)
    if options.repeats < 1:
        parser.error(f"--repeats {options.repeats} must be at least 1")
    options.chosen = [
        name
        for name in parts(options)
        if any(text in name for text in options.only or [""])
    ]
    if not options.chosen:
        parser.error(f"no part has {' or '.join(options.only)} in its name: see --list")
    return options


def parts(options: argparse.Namespace) -> dict[str, Callable[[], dict[str, Any]]]:
    """Return what measures each part, in the order of the measurement."""
    repeats = options.repeats

    def with_peer(measure: Callable[..., dict[str, Any]]) -> dict[str, Any]:
        peer = peer_python("sesamo", options.peer_python, ROOT / ".venv-peer")
        with Worker("peer_driver", peer) as worker:
            known = worker.ask("describe")
        return {**measure(peer=peer, repeats=repeats), "peer": known}

    def beside_bijx() -> dict[str, Any]:
        bijx = peer_python("bijx", options.bijx_python, ROOT / ".venv-bijx")
        return lattice_samplers.measure(bijx)

    trainings: dict[str, Callable[[], dict[str, Any]]] = {
        f"time_to_ess_{name}": partial(
            with_peer, partial(time_to_ess.measure, name=name)
        )
        for name in TASKS
    }
    first = {f"time_to_ess_{name}" for name in FIRST}
    return {
        "step": partial(with_peer, throughput.measure_steps),
        **{name: trainings[name] for name in trainings if name in first},
        "ensemble": ensembles.measure,
        "sampling": partial(with_peer, throughput.measure_sampling),
        "peak": partial(peaks.measure, repeats),
        "growth": partial(growth.measure, repeats),
        "lattice": beside_bijx,
        **{name: trainings[name] for name in trainings if name not in first},
    }


def main() -> None:
    """Run the command line."""
    options = parse()
    begin = time.monotonic()
    for name in options.chosen:
        done = read_part(name) is not None
        if options.list or done:
            print(name, "(done)" if done else "")
            continue
        if time.monotonic() - begin > 60 * options.minutes:
            print(f"{name}: no time left")
            continue
        print(name, flush=True)
        start, described = time.monotonic(), machine()
        try:
            found = parts(options)[name]()
        except (ValueError, RuntimeError) as error:
            sys.exit(f"run.py: {error}")
        seconds = time.monotonic() - start
        write_part(name, {"machine": described, "took_seconds": seconds, **found})
        print(f"  took {seconds:.0f} s", flush=True)
    if not options.list:
        tables.main()


if __name__ == "__main__":
    main()

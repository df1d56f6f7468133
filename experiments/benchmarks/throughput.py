"""Seconds a training step, and samples a second, ours and the authors' in turns."""

from pathlib import Path
from typing import Any

from benchmarks.workers import Worker

TARGETS = ("gmm", "hubbard")
BATCH = 8000  # of the paper
SIZES = (100, 1000, 10_000, 100_000)
# Of a turn: long enough for the clock, short enough for many turns.
STEPS = 20
DRAWN = 200_000
MOST_CALLS = 50
# What of ours: the paper's sizes, objective and batch; our defaults at that batch; our
# defaults.
STEPPING = {
    "paper": {"preset": "paper", "settings": {"training.batch_size": BATCH}},
    "default, same batch": {
        "preset": "default",
        "settings": {"training.batch_size": BATCH},
    },
    "default": {"preset": "default", "settings": {}},
}
DRAWING = {
    "paper": {"preset": "paper", "exact": False},
    "default": {"preset": "default", "exact": False},
    "default, exact density": {"preset": "default", "exact": True},
}


def measure_steps(peer: Path, repeats: int) -> dict[str, Any]:
    """Return seconds a step by target and contender, one entry a turn.

    Args:
        peer: interpreter of the peer's environment.
        repeats: turns of everyone.
    """
    out: dict[str, Any] = {"steps_a_turn": STEPS, "batch_size": BATCH, "targets": {}}
    for target in TARGETS:
        seconds: dict[str, list[float]] = {name: [] for name in ("peer", *STEPPING)}
        compiled = {}
        with Worker("ours") as ours, Worker("peer_driver", peer) as theirs:
            for turn in range(repeats + 1):
                found = {"peer": theirs.ask("steps", system=target, count=STEPS)}
                for name, settings in STEPPING.items():
                    found[name] = ours.ask(
                        "steps", target=target, count=STEPS, **settings
                    )
                if turn == 0:  # memory, caches and clocks of everyone are warm now
                    continue
                for name, entry in found.items():
                    seconds[name].append(entry["seconds"])
                    compiled[name] = entry["compile_seconds"]
        out["targets"][target] = {"seconds": seconds, "compile_seconds": compiled}
    return out


def measure_sampling(peer: Path, repeats: int) -> dict[str, Any]:
    """Return samples a second by target, size of a call and contender, likewise."""
    out: dict[str, Any] = {"targets": {}}
    for target in TARGETS:
        rows = []
        with Worker("ours") as ours, Worker("peer_driver", peer) as theirs:
            for size in SIZES:
                calls = max(1, min(MOST_CALLS, DRAWN // size))
                amount = {"size": size, "calls": calls}
                rates: dict[str, list[float]] = {
                    name: [] for name in ("peer", *DRAWING)
                }
                for _ in range(repeats):
                    rates["peer"].append(theirs.ask("draw", system=target, **amount))
                    for name, settings in DRAWING.items():
                        rate = ours.ask("draw", target=target, **settings, **amount)
                        rates[name].append(rate)
                rows.append({"size": size, "rates": rates})
        out["targets"][target] = rows
    return out


def speedups(peer: list[float], ours: list[float]) -> list[float]:
    """Return how many times faster ours is, turn by turn, from seconds."""
    return [theirs / own for theirs, own in zip(peer, ours, strict=True)]

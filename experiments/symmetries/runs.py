"""No runs of the command line: targets here are Python, see `systems` and `cost`."""

from sesamo_jax.run.entry import Entry

RUNS: dict[str, Entry] = {}

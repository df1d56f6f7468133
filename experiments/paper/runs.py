"""The runs behind the paper's tables and figures, by item.

Items that the studies of phi^4 and of the Hubbard model hold already take their runs
from there, and ours of the two-dimensional targets are the README's. The published
protocol runs seed by seed, so that it can be done in pieces, and on a budget: as many
steps for every method on the two-dimensional targets, as many seconds for every method
on the complex field.
"""

from collections.abc import Mapping

import hubbard.runs
import phi4.runs
import readme.runs

from sesamo_jax.run.entry import Entry

SEEDS = 10
TARGETS = ("gmm", "gmm_broken", "hubbard")
# Rows of Table 1, as published and as later published: architecture, optimiser and
# batches of Table 3 (preset `paper`).
PROTOCOLS = {
    "realnvp": {"method": "flow"},
    "canonicalization": {"method": "canonicalization"},
    "sesamo": {},
    "reinforce": {"training.objective": "reinforce"},
    "vmonf": {"method": "vmonf"},
}
LATER = ("reinforce", "vmonf")
# In place of 6,000 and 10,000, which would take all rows more than a day.
STEPS = 1500
# In place of 8,000: every component sees every sample, and a step takes twenty times
# as long.
VMONF_BATCH = 500
# Rows that are also run with all steps, by target, and their seeds.
FULL = {
    "gmm_broken": {"canonicalization": 1, "reinforce": 2},
    "hubbard": {"sesamo": 5, "reinforce": 1},
}
FULL_STEPS = {"gmm_broken": "10,000", "hubbard": "6,000"}

FIELDS = ("phi4_complex", "phi4_complex_broken")
FIELD_SEEDS = 3
# Steps that take one minute on two quiet cores.
FIELD_STEPS = {
    "realnvp": 370,
    "vmonf": 60,
    "sesamo": 430,
    "reinforce": 390,
    "ours_aligned": 1370,
    "ours": 1070,
}


def pieces(target: str, row: str) -> dict[str, Entry]:
    """Return the runs of a row of the published protocol, by name."""
    settings = PROTOCOLS[row] | {"training.steps": STEPS}
    if row == "vmonf":
        settings["training.batch_size"] = VMONF_BATCH
    return {
        f"{target}_{row}_{seed}": Entry(target, settings, seed=seed, preset="paper")
        for seed in range(SEEDS)
    }


def field_pieces(target: str, row: str) -> dict[str, Entry]:
    """Return the runs of a row of the complex field, by name."""
    # As these results were made: on all sites, in larger batches.
    common = {"sites": "all", "training.batch_size": 256}
    own = {
        "ours": common | phi4.runs.IN_SEVEN_STEPS,
        "ours_aligned": common | {"target.space": "aligned"},
    }
    settings = (own | PROTOCOLS)[row] | {"training.steps": FIELD_STEPS[row]}
    preset = "default" if row in own else "paper"
    return {
        f"{target}_{row}_{seed}": Entry(target, settings, seed=seed, preset=preset)
        for seed in range(FIELD_SEEDS)
    }


def fields() -> dict[str, Entry]:
    """Return all runs of the complex field on equal seconds, seed by seed."""
    runs: dict[str, Entry] = {}
    for target in FIELDS:
        for row in FIELD_STEPS:
            runs |= field_pieces(target, row)
    return dict(sorted(runs.items(), key=lambda item: item[1].seed))


def protocol(targets: tuple[str, ...], rows: tuple[str, ...]) -> dict[str, Entry]:
    """Return the runs of the published protocol, seed by seed over all rows."""
    runs: dict[str, Entry] = {}
    for target in targets:
        for row in rows:
            runs |= pieces(target, row)
    return dict(sorted(runs.items(), key=lambda item: item[1].seed))


def full_pieces(target: str, row: str) -> dict[str, Entry]:
    """Return the runs of a row with all the paper's steps, by name."""
    seeds = FULL[target][row]
    if (target, row) == ("hubbard", "sesamo"):  # the README has them, in one program
        return of_study("readme", readme.runs.RUNS, "hubbard_paper")
    return {
        f"{target}_{row}_full_{seed}": Entry(
            target, PROTOCOLS[row], seed=seed, preset="paper"
        )
        for seed in range(seeds)
    }


def full() -> dict[str, Entry]:
    """Return all runs with all the paper's steps, by name."""
    runs: dict[str, Entry] = {}
    for target, rows in FULL.items():
        for row in rows:
            runs |= full_pieces(target, row)
    return runs


def ours(*targets: str) -> dict[str, Entry]:
    """Return our own runs of the two-dimensional targets, ten seeds in one program."""
    return {f"readme/{target}": readme.runs.RUNS[target] for target in targets}


def of_study(study: str, runs: Mapping[str, Entry], *starts: str) -> dict[str, Entry]:
    """Return the runs of a study whose names start so."""
    return {
        f"{study}/{name}": entry
        for name, entry in runs.items()
        if name.startswith(starts)
    }


FIRST = ("realnvp", "canonicalization", "sesamo")
COMPLEX = of_study("phi4", phi4.runs.RUNS, "complex")
REAL = of_study("phi4", phi4.runs.RUNS, "real_")
TABLE = ours("gmm", "hubbard") | protocol(("gmm", "hubbard"), FIRST)
ITEMS: dict[str, dict[str, Entry]] = {
    "table1": TABLE | COMPLEX,
    "table1_iclr": ours(*TARGETS)
    | fields()
    | full()
    | protocol(TARGETS, (*FIRST, *LATER)),
    "fig3": ours("gmm") | protocol(("gmm",), FIRST),
    "fig4": ours("hubbard") | protocol(("hubbard",), FIRST),
    "fig9": TABLE,
    "fig10": of_study("hubbard", hubbard.runs.RUNS, "beta_"),
    "fig11": REAL,
    "fig12": REAL,
    "fig13": COMPLEX,
    "fig14": fields(),
}
RUNS = {name: entry for runs in ITEMS.values() for name, entry in runs.items()}
GROUPS = {item: tuple(runs) for item, runs in ITEMS.items()}

"""The runs behind the paper's tables and figures, by item and by folder.

Items that the studies of phi^4 and of the Hubbard model hold already take their runs
from there. Runs of the published protocol are pieces of one seed each, since each takes
a quarter of an hour.
"""

import hubbard
import phi4
from studies import Entry

SEEDS = 10
TARGETS = ("gmm", "gmm_broken", "hubbard")
# Rows of Table 1, as published and as later published: architecture, optimiser, steps
# and batches of Table 3 (preset `paper`).
PROTOCOLS = {
    "realnvp": {"method": "realnvp"},
    "canonicalization": {"method": "canonicalization"},
    "sesamo": {},
    "reinforce": {"training.objective": "reinforce"},
    "vmonf": {"method": "vmonf"},
}
LATER = ("reinforce", "vmonf")
RESULTS = "experiments/results"


def pieces(target: str, row: str) -> dict[str, Entry]:
    """Return the runs of a row of the published protocol, by folder."""
    settings, runs, first = PROTOCOLS[row], {}, 0
    if (target, row) == ("hubbard", "sesamo"):  # five seeds in one program
        first = 5
        runs[f"{RESULTS}/hubbard_paper"] = Entry(target, {}, first, preset="paper")
    for seed in range(first, SEEDS):
        folder = f"{RESULTS}/paper/{target}_{row}_{seed}"
        runs[folder] = Entry(target, settings, seed=seed, preset="paper")
    return runs


def protocol(targets: tuple[str, ...], rows: tuple[str, ...]) -> dict[str, Entry]:
    """Return the runs of the published protocol, seed by seed over all rows."""
    runs: dict[str, Entry] = {}
    for target in targets:
        for row in rows:
            runs |= pieces(target, row)
    return dict(sorted(runs.items(), key=lambda item: item[1].seed))


def ours(*targets: str) -> dict[str, Entry]:
    """Return our own runs of the two-dimensional targets, ten seeds in one program."""
    return {f"{RESULTS}/{target}": Entry(target, {}, SEEDS) for target in targets}


def of_study(folder: str, runs: dict[str, Entry], *starts: str) -> dict[str, Entry]:
    """Return the runs of a study whose names start so."""
    return {
        f"{RESULTS}/{folder}/{name}": entry
        for name, entry in runs.items()
        if name.startswith(starts)
    }


FIRST = ("realnvp", "canonicalization", "sesamo")
COMPLEX = of_study("phi4", phi4.RUNS, "complex")
REAL = of_study("phi4", phi4.RUNS, "real_")
TABLE = ours("gmm", "hubbard") | protocol(("gmm", "hubbard"), FIRST)
ITEMS: dict[str, dict[str, Entry]] = {
    "table1": TABLE | COMPLEX,
    "table1_iclr": ours(*TARGETS) | protocol(TARGETS, (*FIRST, *LATER)) | COMPLEX,
    "fig3": ours("gmm") | protocol(("gmm",), FIRST),
    "fig4": ours("hubbard") | protocol(("hubbard",), FIRST),
    "fig9": TABLE,
    "fig10": of_study(hubbard.FOLDER, hubbard.RUNS, "beta_"),
    "fig11": REAL,
    "fig12": REAL,
    "fig13": COMPLEX,
    "fig14": COMPLEX,
}

"""The tables of the particle study, in two pages."""

from functools import partial

import numpy as np
from reading import (
    ROOT,
    Cell,
    Run,
    known,
    labelled,
    measured,
    seconds,
    table,
    total,
)

from particles.acceptance import acceptance_table
from particles.files import SIZES
from particles.reading import FLOORS, metrics, training_nll
from sesamo_jax.run.pages import markdown
from sesamo_jax.run.text import value_error

PAGES = (ROOT / "docs" / "particles.md", ROOT / "docs" / "overview.md")
LOG_Z = {"dw2": "7.2604", "dw4": "29.668(5)", "lj13": "59.88(2)"}
KINDS = {
    "kernel": "kernel",
    "black_box": "black box",
    "augmented": "black box, augmented",
}
MATCHING = {
    "dw4_likelihood": "kernel, likelihood",
    "dw4_matching_kernel": "kernel, flow matching",
    "dw4_matching": "graph network, flow matching",
    "dw4_chains": "the same on chains, by the energy alone",
}
WEIGHTS = {
    "exact": "exact",
    "hutchinson": "with Hutchinson's estimate",
    "equal": "none, as drawn",
}
UNWEIGHTED = {("equal", "ess"), ("equal", "log_z")}
PARTICLES = {
    "dw4_couplings": "couplings alone",
    "dw4_couplings_modulated": "couplings, modulated",
    "dw4_couplings_canonical": "couplings, canonicalized",
    "dw4_reverse": "kernel flow, equivariant",
    "dw4_kernel_modulated": "kernel flow, modulated",
}
LATTICE = {
    f"lattice_{kind}_{alpha}": f"{kind}, alpha = {alpha}"
    for alpha in (0.0, 0.005)
    for kind in ("modulated", "canonical", "equivariant")
}


def spread(values: list[float]) -> str:
    """Return mean(std) of seeds, or four digits of the one value."""
    if len(values) == 1:
        return f"{values[0]:.4g}"
    return value_error(float(np.mean(values)), float(np.std(values, ddof=1)))


def against(name: str) -> Cell:
    """Return the cell of a quantity beside the reference of its target."""
    references = {"nll": FLOORS, "log_z": LOG_Z}[name]
    return lambda run_name, run: f"{total(name)('', run)} : {references[run['target']]}"


def integration_error(_: str, run: Run) -> str:
    """Return the largest integration error of log q."""
    found = [seed["integration_error"] for seed in run["seeds"]]
    return "-" if None in found else f"{max(found):.0e}"


def largest_weight(_: str, run: Run) -> str:
    """Return the largest share of one weight, of any seed."""
    return f"{max(seed['max_weight_share'] for seed in run['seeds']):.2g}"


def main_table() -> str:
    """Return every training of the kernel flow on every target."""
    words = {"reverse": "energy", "likelihood": "data", "mixed": "both"}
    labels = {
        f"{target}_{kind}": f"`{target}`, {word}"
        for target in LOG_Z
        for kind, word in words.items()
    }
    columns = {
        "target, trained on": labelled(labels),
        "NLL : floor": against("nll"),
        "ESS": total("ess"),
        "forward ESS": total("forward_ess"),
        "log Z : reference": against("log_z"),
        "s / model": seconds,
        "max weight share": largest_weight,
        "integration error": integration_error,
    }
    return table(columns, known("particles", labels))


def short_table() -> str:
    """Return the short table of the results at a glance."""
    labels = {
        "dw2_reverse": "`dw2`, energy",
        "dw4_likelihood": "`dw4`, data",
        "dw4_mixed": "`dw4`, both",
        "dw4_matching": "`dw4`, data, graph network",
        "lj13_likelihood": "`lj13`, data",
    }
    columns = {
        "target, trained on": labelled(labels),
        "NLL : floor": against("nll"),
        "ESS": total("ess"),
        "log Z : reference": against("log_z"),
        "s / model": seconds,
    }
    return table(columns, known("particles", labels))


def size_table(target: str) -> str:
    """Return train and test NLL of every flow against the number of data."""
    head = ["data", *(f"{label}, train : test" for label in KINDS.values())]
    rows = []
    for size in SIZES:
        cells = []
        for kind in KINDS:
            name = f"{target}_{kind}_{size}"
            run = metrics(name)
            known = "-" if run is None else spread(training_nll(name))
            cells.append(f"{known} : {'-' if run is None else total('nll')('', run)}")
        rows.append([f"{size}", *cells])
    return markdown(head, rows)


def solver_table() -> str:
    """Return what the two integrators do at the end of training."""
    head = ["integrator", "test NLL", "velocities, mean : most", "error of log q"]
    head += ["error of the gradient", "s / step"]
    rows = []
    for name, result in (measured("particles/solvers") or {}).items():
        if name == "environment":
            continue
        last = result["rows"][-1]
        cells = [name, spread(result["nll"])]
        cells += [f"{last['velocities']:.0f} : {last['most_velocities']:.0f}"]
        cells += [f"{last[key]:.1e}" for key in ("integration_error", "gradient_error")]
        rows.append([*cells, f"{result['seconds_per_step']:.3f}"])
    return markdown(head, rows)


def profile_table() -> str:
    """Return what weights with an estimated log-determinant are worth."""
    rows = []
    found = (measured("particles/profile") or {"rows": []})["rows"]
    for way, label in WEIGHTS.items() if found else ():
        cells = [label]
        for name in ("ess", "log_z", "left_well"):
            values = [row[way][name][0] for row in found]
            cells.append("-" if (way, name) in UNWEIGHTED else spread(values))
        rows.append(cells)
    return markdown(["weights", "ESS", "log Z", "P(d < 4)"], rows)


def matching_table() -> str:
    """Return flow matching beside maximum likelihood, on the same data."""
    columns = {
        "field, objective": labelled(MATCHING),
        "NLL : floor": against("nll"),
        "ESS": total("ess"),
        "forward ESS": total("forward_ess"),
        "log Z : reference": against("log_z"),
        "s / model": seconds,
        "parameters": lambda _, run: f"{run['seeds'][0]['parameters']:,}",
        "mean energy": total("energy"),
        "integration error": integration_error,
        "evaluations of the energy": energy_calls,
    }
    return table(columns, known("particles", MATCHING))


def energy_calls(name: str, run: Run) -> str:
    """Return how often chains have evaluated the energy, of one seed."""
    calls = run["seeds"][0].get("energy_calls")
    return "-" if calls is None else f"{calls:.1e}"


def state_table() -> str:
    """Return states of four particles and their weights, by source."""
    found = (measured("particles/minima") or {}).get("dw4", [])
    energies = found[0]["energies"] if found else []
    head = ["samples", *(f"{energy:.3f}" for energy in energies), "states"]
    rows = []
    for source in dict.fromkeys(row["source"] for row in found):
        own = [row for row in found if row["source"] == source]
        states = ", ".join(str(row["states"]) for row in own)
        kinds = ["shares"] + ["reweighted"] * (source in ("dw4_likelihood",))
        for kind in kinds:
            columns = zip(*(row[kind] for row in own), strict=True)
            label = f"{source}, reweighted" if kind == "reweighted" else source
            rows.append([label, *(spread(list(c)) for c in columns), states])
    return markdown(head, rows)


def cluster_table() -> str:
    """Return states of the cluster in windows of energy, by source."""
    found = (measured("particles/minima") or {}).get("lj13", [])
    windows = ("(-70, -60)", "(-80, -70)", "below -80")
    head = ["1,000 samples of", "lowest"]
    head += [f"{kind}, {window}" for kind in ("loose", "tight") for window in windows]
    rows = []
    for source in dict.fromkeys(row["source"] for row in found):
        own = [row for row in found if row["source"] == source]
        cells = [source, f"{min(row['lowest'] for row in own):.3f}"]
        for kind in ("loose", "tight"):
            columns = zip(*(row[kind] for row in own), strict=True)
            cells += [spread(list(column)) for column in columns]
        rows.append(cells)
    return markdown(head, rows, shown=5)


def first_sector(_: str, run: Run) -> str:
    """Return the share of sector 0 beside the one of the heat bath, of one seed."""
    seed = run["seeds"][0]
    if seed["sectors"] is None:
        return "-"
    # Files of older runs have one name for both.
    expected = seed.get("sectors_heat_bath") or seed["sectors_expected"]
    share = value_error(seed["sectors"][0], seed["sectors_error"][0])
    return f"{share} : {expected[0]:.3f}"


def symmetry_table(labels: dict[str, str]) -> str:
    """Return ESS, log Z and sectors of ways to a symmetry."""
    columns = {
        "": labelled(labels),
        "ESS": total("ess"),
        "log Z": total("log_z"),
        "forward ESS": total("forward_ess"),
        "sector 0 : heat bath": first_sector,
        "leak": total("leak"),
    }
    return table(columns, known("particles", labels))


TABLES = {
    "acceptance": acceptance_table,
    "main": main_table,
    "sizes_dw4": partial(size_table, "dw4"),
    "sizes_lj13": partial(size_table, "lj13"),
    "profile": profile_table,
    "solvers": solver_table,
    "matching": matching_table,
    "states": state_table,
    "cluster": cluster_table,
    "symmetry_particles": partial(symmetry_table, PARTICLES),
    "symmetry_lattice": partial(symmetry_table, LATTICE),
    "particles": short_table,
}

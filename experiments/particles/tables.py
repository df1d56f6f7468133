"""The tables of the particle study, in two pages."""

from functools import partial
from typing import Any

import numpy as np
from reading import ROOT, measured

from particles.acceptance import acceptance_table
from particles.files import SIZES
from particles.reading import FLOORS, metrics, training_nll
from sesamo_jax.run.pages import markdown
from sesamo_jax.run.text import value_error

PAGES = (ROOT / "docs" / "particles.md", ROOT / "README.md")
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


def text(run: dict[str, Any], name: str) -> str:
    """Return an estimate as mean(std) over seeds; - where there is none."""
    return run["aggregate"][name]["text"] or "-"


def error_of(run: dict[str, Any]) -> str:
    """Return the largest integration error of log q."""
    found = [seed["integration_error"] for seed in run["seeds"]]
    return "-" if None in found else f"{max(found):.0e}"


def main_table() -> str:
    """Return every training of the kernel flow on every target."""
    head = ["target, trained on", "NLL", "floor", "ESS", "forward ESS", "log Z"]
    head += ["reference", "max weight share", "integration error", "s / model"]
    rows = []
    for target in LOG_Z:
        for kind in ("reverse", "likelihood", "mixed"):
            run = metrics(f"{target}_{kind}")
            if run is None:
                continue
            words = {"reverse": "energy", "likelihood": "data", "mixed": "both"}[kind]
            cells = [f"`{target}`, {words}", text(run, "nll"), f"{FLOORS[target]}"]
            cells += [text(run, "ess"), text(run, "forward_ess"), text(run, "log_z")]
            largest = max(seed["max_weight_share"] for seed in run["seeds"])
            cells += [LOG_Z[target], f"{largest:.2g}", error_of(run)]
            rows.append([*cells, f"{run['aggregate']['wall_seconds']['mean']:.0f}"])
    return markdown(head, rows)


def readme_table() -> str:
    """Return the short table of the README."""
    head = ["target, trained on", "NLL : floor", "ESS", "log Z : reference"]
    head += ["s / model"]
    rows = []
    for name, words in (
        ("dw2_reverse", "energy"),
        ("dw4_likelihood", "data"),
        ("dw4_mixed", "both"),
        ("dw4_matching", "data, graph network"),
        ("lj13_likelihood", "data"),
    ):
        run, target = metrics(name), name.split("_")[0]
        if run is None:
            continue
        cells = [f"`{target}`, {words}", f"{text(run, 'nll')} : {FLOORS[target]}"]
        cells += [text(run, "ess"), f"{text(run, 'log_z')} : {LOG_Z[target]}"]
        rows.append([*cells, f"{run['aggregate']['wall_seconds']['mean']:.0f}"])
    return markdown(head, rows)


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
            cells.append(f"{known} : {'-' if run is None else text(run, 'nll')}")
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
    head = ["field, objective", "parameters", "NLL", "floor", "ESS", "forward ESS"]
    head += ["log Z", "mean energy", "integration error", "s / model"]
    rows = []
    for name, label in MATCHING.items():
        run = metrics(name)
        if run is None:
            continue
        cells = [label, f"{run['seeds'][0]['parameters']:,}", text(run, "nll")]
        cells += [f"{FLOORS['dw4']}"]
        names = ("ess", "forward_ess", "log_z", "energy")
        cells += [text(run, name) for name in names] + [error_of(run)]
        rows.append([*cells, f"{run['aggregate']['wall_seconds']['mean']:.0f}"])
    return markdown(head, rows)


def state_table() -> str:
    """Return states of four particles and their weights, by source."""
    found = (measured("particles/minima") or {}).get("dw4", [])
    energies = found[0]["energies"] if found else []
    head = ["samples", "states", *(f"{energy:.3f}" for energy in energies)]
    rows = []
    for source in dict.fromkeys(row["source"] for row in found):
        own = [row for row in found if row["source"] == source]
        cells = [", ".join(str(row["states"]) for row in own)]
        kinds = ["shares"] + ["reweighted"] * (source in ("dw4_likelihood",))
        for kind in kinds:
            columns = zip(*(row[kind] for row in own), strict=True)
            label = f"{source}, reweighted" if kind == "reweighted" else source
            rows.append([label, *cells, *(spread(list(c)) for c in columns)])
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
    return markdown(head, rows)


def symmetry_table(names: dict[str, str]) -> str:
    """Return ESS, log Z and sectors of ways to a symmetry."""
    head = ["", "ESS", "log Z", "forward ESS", "sector 0 : heat bath", "leak"]
    rows = []
    for name, label in names.items():
        run = metrics(name)
        if run is None:
            continue
        seed = run["seeds"][0]
        sectors = "-"
        if seed["sectors"] is not None:
            share = value_error(seed["sectors"][0], seed["sectors_error"][0])
            # Files of older runs have one name for both.
            expected = seed.get("sectors_heat_bath") or seed["sectors_expected"]
            sectors = f"{share} : {expected[0]:.3f}"
        cells = [label, text(run, "ess"), text(run, "log_z"), text(run, "forward_ess")]
        rows.append([*cells, sectors, text(run, "leak")])
    return markdown(head, rows)


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
    "particles": readme_table,
}

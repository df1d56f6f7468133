"""The tables of the Hubbard study, in two pages."""

import numpy as np
from reading import ROOT, Run, known, mean_error, memory, step_seconds

from hubbard.reading import (
    beside,
    ess,
    leak,
    metrics,
    seconds,
    text,
    trace,
)
from hubbard.runs import BETAS, CLUSTERS, COST_SIZES, COUPLINGS, SLICES
from sesamo_jax.geometry.graphs import adjacency
from sesamo_jax.run.pages import markdown
from sesamo_jax.run.text import estimate_text
from sesamo_jax.targets.hubbard.fock import FockReference, fock_reference

PAGES = (ROOT / "docs" / "hubbard.md", ROOT / "docs" / "overview.md")


def scan_table() -> str:
    """Return the scan over beta of two sites and one slice (Fig. 10)."""
    rows = []
    for beta in BETAS:
        kinds = "", "_canonicalization", "_hmc_one", "_modulated"
        found = [metrics(f"beta_{beta}{kind}") for kind in kinds]
        if None in found:
            continue
        run, folded, chains, modulated = found
        exact = run["exact"]
        ratio = exact["observables"]["breaking_ratio"]
        rows.append(
            [
                f"{beta}",
                ess(run),
                text(run, "forward_ess"),
                f"{text(run, 'log_z')} : {exact['log_z']:.5f}",
                beside(run, "breaking_ratio", ratio),
                leak(run),
                ess(folded),
                f"{1 / (1 + ratio**2):.4f}",
                text(chains, "breaking_ratio"),
                beside(modulated, "breaking_ratio", ratio),
            ]
        )
    head = ["beta", "ESS", "forward ESS", "log Z : exact", "R : exact, sigma", "leak"]
    head += ["canonicalization, ESS", "1/(1+R^2)", "R, HMC from one start"]
    head += ["R, modulated HMC from one start : exact, sigma"]
    return markdown(head, rows)


def cluster_table() -> str:
    """Return log Z and observables of small clusters beside the exact trace."""
    systems = [*(f"pair_{slices}" for slices in SLICES), *CLUSTERS]
    kinds = "", "_flow", "_chains", "_hmc", "_hmc_one", "_modulated"
    names = [f"{system}{kind}" for system in systems for kind in kinds]
    rows = []
    for name, run in known("hubbard", names):
        exact = trace(name)
        log_z = "-"
        if run["method"] != "hmc":
            log_z = beside(run, "log_z", exact.log_z)
        staggered = run["exact"]["observables"]["staggered_structure_factor"]
        rows.append(
            [
                f"`{name}`",
                ess(run),
                log_z,
                beside(run, "energy", exact.energy),
                beside(run, "staggered_structure_factor", staggered),
                correlation_distance(run, exact),
                leak(run),
                seconds(run),
            ]
        )
    head = ["run", "ESS", "log Z : exact, sigma", "energy : exact, sigma"]
    head += ["S(pi) : exact, sigma", "S_i S_j, largest sigma", "leak", "s"]
    return markdown(head, rows)


def trained_on_chains_table() -> str:
    """Return the flows trained on chains, seed by seed, beside the exact trace."""
    rows = []
    names = [f"pair_{slices}_chains" for slices in SLICES]
    names += ["pair_8_chains_share_0.9", "pair_8_chains_share_1.0"]
    for name, run in known("hubbard", names):
        exact = trace(name).log_z
        for seed in run["seeds"]:
            both, error = seed["bar"], seed["bar_error"]
            rows.append(
                [
                    f"`{name}`",
                    estimate_text(seed["ess"], seed["ess_error"]),
                    estimate_text(seed["forward_ess"], seed["forward_ess_error"]),
                    f"{estimate_text(both, error)} : {exact:.5f}, "
                    f"{(both - exact) / error:+.1f}",
                    f"{seed['pareto_k']:.2f}",
                    f"{seed['wall_seconds']:.0f}",
                ]
            )
    head = ["run, seed by seed", "ESS", "forward ESS"]
    head += ["log Z, both : exact, sigma", "Pareto k", "s"]
    return markdown(head, rows)


def continuum_table() -> str:
    """Return the energy of two sites against slices, and its limit."""
    rows, found = [], {}
    for slices in SLICES:
        run = metrics(f"pair_{slices}")
        if run is None:
            return ""
        found[slices] = mean_error(run, "energy")
        exact = trace(f"pair_{slices}").energy
        rows.append([str(slices), beside(run, "energy", exact)])
    # The splitting is symmetric: its error goes as 1 / N_t^2.
    few, many = SLICES[-2:]
    shares = np.array([-(few**2), many**2]) / (many**2 - few**2)
    means, errors = np.array([found[few], found[many]], float).T
    mean, error = shares @ means, np.hypot(*(shares * errors))
    limit = fock_reference(adjacency(((0, 1),), 2), u=18.0, beta=1.0).energy
    row = f"{estimate_text(float(mean), float(error))} : {limit:.5f}"
    if np.isfinite(error):
        row += f", {(mean - limit) / error:+.1f}"
    return markdown(
        ["slices", "energy : exact, sigma"],
        [*rows, [f"limit, from {few} and {many} : continuous time", row]],
    )


def correlation_distance(run: Run, exact: FockReference) -> str:
    """Return the largest distance of a spin correlation from the trace, in sigma."""
    mean, error = mean_error(run, "spin_correlation")
    upper = np.triu_indices(len(mean))
    distance = np.abs(mean - exact.spin_correlation)[upper] / error[upper]
    known = distance[np.isfinite(distance)]
    return f"{known.max():.1f} of {len(known)}" if len(known) else "-"


def coupling_table() -> str:
    """Return the scan over U of the ring of four, worldlines beside a flow."""
    rows = []
    for u in COUPLINGS:
        runs = [metrics(f"coupling_{u}{kind}") for kind in ("", "_flow")]
        if None in runs:
            continue
        cells = [f"{u:g}"]
        for run in runs:
            cells += [ess(run), beside(run, "log_z", trace(f"coupling_{u}").log_z)]
        shares = mean_error(runs[0], "staggered_sectors")[0]
        cells += [leak(runs[1]), f"{shares[0] + shares[-1]:.3f}"]
        cells += [seconds(run) for run in runs]
        rows.append(cells)
    head = ["U", "worldlines, ESS", "log Z : exact, sigma", "flow, ESS"]
    head += ["log Z : exact, sigma", "leak", "antiferromagnetic sectors"]
    return markdown([*head, "worldlines, s", "flow, s"], rows)


def chains_table() -> str:
    """Return modulated chains from weak to strong coupling, and colder, by tau_int."""
    names = [f"coupling_{u}" for u in COUPLINGS]
    names += ["cold_2.0", "cold_4.0", "ring6", "square2x2", "honeycomb_10"]
    rows = []
    for name, run in known("hubbard", [f"{name}_modulated" for name in names]):
        seed, known_values = run["seeds"][0], run["exact"]["observables"]
        values = seed["observables"]
        cells = [f"`{name}`"]
        for key in ("energy", "staggered_structure_factor"):
            exact = known_values.get(key)
            cells.append(text(run, key) if exact is None else beside(run, key, exact))
        slowest = seed["slowest"]
        cells += [f"{values[slowest]['tau_int']:.1f} of {slowest.replace('_', ' ')}"]
        cells += [f"{seed['r_hat']:.3f}", f"{seed['move_acceptance']['flips']:.2g}"]
        rows.append([*cells, seconds(run)])
    head = ["run", "energy : exact, sigma", "S(pi) : exact, sigma", "largest tau_int"]
    return markdown([*head, "R-hat", "flips accepted", "s"], rows)


def honeycomb_table() -> str:
    """Return the honeycomb lattice of 18 sites and its frontier."""
    names = ["honeycomb_10", "honeycomb_100", "honeycomb_100_untrained"]
    for change in ("beta_2", "u_10", "u_9"):
        names += [f"honeycomb_100_{change}", f"honeycomb_100_{change}_untrained"]
    names.insert(3, "honeycomb_100_hmc_one")
    rows = []
    for name, run in known("hubbard", names):
        shares = mean_error(run, "staggered_sectors")
        hmc = run["method"] == "hmc"
        cells = [f"`{name}`", ess(run), "-" if hmc else text(run, "log_z")]
        cells += [text(run, "energy"), text(run, "staggered_structure_factor")]
        largest = [seed.get("max_weight_share") for seed in run["seeds"]]
        cells += ["-" if None in largest else f"{max(largest):.1g}"]
        cells += [
            estimate_text(float(shares[0][k]), float(shares[1][k])) for k in (0, 9, 18)
        ]
        rows.append([*cells, seconds(run), memory(name, run)])
    head = ["run", "ESS", "log Z", "energy", "S(pi)", "largest weight"]
    head += ["sector 0", "sector 9", "sector 18", "s", "GiB"]
    return markdown(head, rows)


def cost_table() -> str:
    """Return seconds a step and memory against sites and slices, with exponents."""
    rows, steps = [], {}
    for sites, slices in COST_SIZES:
        run = metrics(f"cost_{sites}_{slices}")
        if run is None:
            continue
        steps[sites, slices] = step_seconds(run)
        memory = run["peak_memory_bytes"] / 2**30
        step = f"{steps[sites, slices]:.3f}"
        rows.append([str(sites), str(slices), step, f"{memory:.2f}"])
    table = markdown(["N_x", "N_t", "s / step of 128", "GiB"], rows)
    for label, axis, fixed in (("N_x", 0, (1, 32)), ("N_t", 1, (0, 8))):
        chosen = {k: v for k, v in steps.items() if k[fixed[0]] == fixed[1]}
        if len(chosen) > 2:
            sizes_of = np.log([key[axis] for key in chosen])
            slope = np.polyfit(sizes_of, np.log(list(chosen.values())), 1)[0]
            table += f"\n\nSeconds grow as {label}^{slope:.1f} over this range."
    return table


def short_table() -> str:
    """Return the short table of the results at a glance."""
    names = {
        "pair_32": "2 sites, 32 slices",
        "ring4": "ring of 4, 8 slices",
        "ring6": "ring of 6, 8 slices",
        "honeycomb_10": "honeycomb, 18 sites, 10 slices",
        "honeycomb_100": "honeycomb, 18 sites, 100 slices",
    }
    rows = []
    for name, run in known("hubbard", names):
        cells = [text(run, "log_z"), text(run, "staggered_structure_factor")]
        if name in CLUSTERS or name.startswith("pair"):
            staggered = run["exact"]["observables"]["staggered_structure_factor"]
            cells = [beside(run, "log_z", trace(name).log_z)]
            cells += [beside(run, "staggered_structure_factor", staggered)]
        shares = mean_error(run, "staggered_sectors")
        sectors = shares[0][0] + shares[0][-1]
        error = float(np.hypot(shares[1][0], shares[1][-1]))
        cells += [estimate_text(float(sectors), error), seconds(run)]
        rows.append([names[name], ess(run), *cells])
    head = ["lattice", "ESS", "log Z : exact, sigma", "S(pi) : exact, sigma"]
    return markdown([*head, "antiferromagnetic sectors", "s / model"], rows)


TABLES = {
    "hubbard": short_table,
    "scan": scan_table,
    "clusters": cluster_table,
    "trained_on_chains": trained_on_chains_table,
    "continuum": continuum_table,
    "couplings": coupling_table,
    "chains": chains_table,
    "honeycomb": honeycomb_table,
    "cost": cost_table,
}

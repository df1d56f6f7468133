"""The tables of the phi^4 study, in three pages."""

from math import isfinite

from reading import (
    ROOT,
    Cell,
    Run,
    distance,
    mean_error,
    memory,
    quoted,
    seconds,
    step_seconds,
    table,
    total,
)

from phi4.comparison import opponents_table
from phi4.gradients import gradients_table
from phi4.reading import exact_modulus, exact_ratio, metrics, paper_ratio
from phi4.runs import ALPHAS
from sesamo_jax.run.pages import markdown
from sesamo_jax.run.text import value_error

PAGES = tuple(ROOT / "docs" / f"{page}.md" for page in ("phi4", "results", "overview"))
COMPARED = {
    "abs_magnetization": "abs. M",
    "action_density": "f/V",
    "susceptibility": "chi",
}
MAIN = (
    "complex",
    "complex_long",
    "complex_broken",
    "complex_kappa_0.22",
    "complex_kappa_0.26",
    "complex_kappa_0.4",
    "complex_aligned",
    *(f"real_{alpha}" for alpha in ALPHAS),
    "real_0.005_long",
    "critical_8x8",
    "critical_16x16_three_modes",
    "critical_16x16",
    "critical_32x32",
    *(f"real_{alpha}_canonicalization" for alpha in ALPHAS),
    "complex_realnvp",
)


EVEN = (
    "complex_short",
    "complex",
    "complex_broken_short",
    "complex_broken",
    *(f"real_{alpha}" for alpha in ALPHAS),
    "critical_8x8_short",
    "critical_8x8",
    "critical_16x16",
)


def even_table() -> str:
    """Return the flows on the even sites, beside HMC."""
    columns = {
        "run": quoted,
        "ESS": total("ess"),
        "log Z, both": total("bar"),
        "abs. M : HMC": compared("abs_magnetization"),
        "training, s": seconds,
        "chi : HMC": compared("susceptibility"),
        "f/V : HMC": compared("action_density"),
        "forward ESS": total("forward_ess"),
        "IMH acceptance": acceptance,
        "steps": lambda _, run: f"{run['seeds'][0]['steps']}",
        "seeds": lambda _, run: f"{len(run['seeds'])}",
    }
    return table(columns, found(tuple(f"even_{name}" for name in EVEN)))


def main_table() -> str:
    """Return ESS, log Z and observables beside HMC, with the distance in sigma."""
    columns = {
        "run": quoted,
        "ESS": total("ess"),
        "log Z": total("log_z"),
        "leak": total("leak"),
    }
    modulus, *others = (
        (f"{label} : HMC", compared(key)) for key, label in COMPARED.items()
    )
    columns |= dict([modulus, ("training, s", seconds), *others])
    columns |= {"IMH acceptance": acceptance, "GiB": memory}
    return table(columns, found(MAIN))


def found(names: tuple[str, ...]) -> list[tuple[str, Run]]:
    """Return the runs that there are, with the seeds of all runs of their name."""
    runs = [(name, metrics(name)) for name in names]
    return [(name, run) for name, run in runs if run is not None]


def acceptance(_: str, run: Run) -> str:
    """Return the IMH acceptance; a single seed knows no error of its own."""
    entry = run["aggregate"]["imh_acceptance"]
    return entry["text"] if entry["std"] is not None else f"{entry['mean']:.3f}"


def compared(key: str) -> Cell:
    """Return the cell of an observable, over all seeds, HMC's, and their distance."""

    def cell(name: str, run: Run) -> str:
        ours = mean_error(run, key)
        if not isfinite(ours[1]):
            return ""
        reference = hmc_value(name, key)
        if reference is None:
            return value_error(*ours)
        texts = f"{value_error(*ours)} : {value_error(*reference)}"
        return f"{texts}, {distance(ours, reference):+.1f} sigma"

    return cell


def hmc_value(name: str, key: str) -> tuple[float, float] | None:
    """Return HMC's mean and error of an observable, or None."""
    name = name.removeprefix("even_")
    alpha = float(name.split("_")[1]) if name.startswith("real_") else 0.0
    if alpha:  # chains do not change the sign of the field: alpha = 0, reweighted
        return exact_modulus(alpha) if key == "abs_magnetization" else None
    for ending in ("_long", "_short", "_three_modes", "_canonicalization"):
        name = name.removesuffix(ending)
    run = metrics(f"{name}_hmc")
    if run is None:
        return None
    return mean_error(run, key)


def reference_table() -> str:
    """Return what HMC and SMC take and give on the targets of two flows."""
    head = ["run", "log Z", "abs. M", "tau_int", "gradients, 10^6", "seconds"]
    rows = []
    for target in ("complex", "real_0.0"):
        for name in (target, f"{target}_hmc", f"{target}_smc"):
            run = metrics(name)
            if run is None:
                continue
            seed = run["seeds"][0]
            entry = seed["observables"]["abs_magnetization"]
            tau, calls = entry.get("tau_int"), seed.get("gradient_calls")
            if name == target:  # training takes one gradient per sample drawn
                tau, calls = seed["imh_tau_int"], seed["samples_drawn"]
            cells = [
                f"`{name}`",
                value_error(seed["log_z"], seed["log_z_error"]),
                value_error(entry["mean"], entry["error"]),
                "-" if tau is None else f"{tau:.2f}",
                f"{calls / 1e6:.2f}",
                f"{seed['wall_seconds']:.1f}",
            ]
            rows.append(cells)
    return markdown(head, rows)


def ratio_table() -> str:
    """Return the breaking ratio against the exact curve."""
    head = ["alpha", "R, flow", "exact", "distance", "ESS", "canonicalization, ESS"]
    head += ["1/(1+R^2)", "eq. 56", "seeds", "seeds of canonicalization"]
    rows = []
    for alpha in ALPHAS:
        run = metrics(f"real_{alpha}")
        if run is None:
            continue
        exact, found = exact_ratio(alpha), mean_error(run, "breaking_ratio")
        folded = metrics(f"real_{alpha}_canonicalization")
        cells = [
            f"{alpha}",
            value_error(*found),
            value_error(*exact) if alpha else "0",
            f"{distance(found, exact):+.1f} sigma",
            run["aggregate"]["ess"]["text"],
            folded["aggregate"]["ess"]["text"] if folded else "-",
            f"{1 / (1 + exact[0] ** 2):.3f}",
            f"{paper_ratio(alpha):.4f}",
            str(len(run["seeds"])),
            str(len(folded["seeds"])) if folded else "-",
        ]
        rows.append(cells)
    return markdown(head, rows)


def ablation_table() -> str:
    """Return the ESS of every base, flow and gradient."""
    rows = []
    for base in ("gaussian", "spectral"):
        for flow in ("realnvp", "checkerboard", "spline", "continuous"):
            runs = [metrics(f"ablation_{base}_{flow}_{g}") for g in ("total", "path")]
            if None in runs:
                continue
            path = runs[1]
            step = path["aggregate"]["wall_seconds"]["mean"] / path["seeds"][0]["steps"]
            texts = [total("ess")("", run) for run in runs]
            rows.append([base, flow, *texts, f"{step:.3f}"])
    return markdown(["base", "flow", "total", "path", "s / step"], rows)


def scaling_table() -> str:
    """Return ESS, seconds a step and memory against the volume."""
    rows = []
    for extent in (8, 12, 16, 24, 32):
        shown, others = [f"{extent}x{extent}"], []
        for kind in ("real", "complex"):
            run = metrics(f"scaling_{kind}_{extent}")
            if run is None:
                continue
            seed = run["seeds"][0]
            shown += [value_error(seed["ess"], seed["ess_error"])]
            shown += [f"{step_seconds(run):.3f}"]
            others += [value_error(seed["log_z"], seed["log_z_error"])]
            others += [memory("", run)]
        rows.append([*shown, *others])
    head = ["lattice"]
    for columns in (("ESS", "s / step"), ("log Z", "GiB")):
        head += [f"{kind}, {name}" for kind in ("real", "complex") for name in columns]
    return markdown(head, rows, shown=5)


def short_table() -> str:
    """Return the short table of the results at a glance."""
    columns = {
        "target": quoted,
        "ESS": total("ess"),
        "IMH acceptance": acceptance,
        "log Z": total("log_z"),
        "abs. M : HMC": compared("abs_magnetization"),
        "s / model": seconds,
    }
    names = ("complex", "complex_broken", "real_0.005", "critical_8x8")
    return table(columns, found(tuple(f"even_{name}" for name in names)))


TABLES = {
    "main": main_table,
    "even": even_table,
    "reference": reference_table,
    "ratio": ratio_table,
    "ablation": ablation_table,
    "scaling": scaling_table,
    "opponents": opponents_table,
    "gradients": gradients_table,
    "phi4": short_table,
}

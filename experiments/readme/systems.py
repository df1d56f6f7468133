"""Systems of all studies side by side: what was reached, and what methods take."""

import hubbard.reading as of_hubbard
import on.tables as of_on
import particles.tables as of_particles
import phi4.tables as of_phi4
import reading
from reading import Cell, Run

from sesamo_jax.config.schema import FORMER_NAMES, METHODS
from sesamo_jax.run.pages import markdown
from sesamo_jax.run.text import estimate_text, value_error

MANY = 5  # seeds, whose spread is an error
ON = "o4_transition_0.02"


def smallest_sector(metrics: Run) -> str:
    """Return the share of samples in the smallest sector, and the exact one."""
    exact, seeds = metrics["exact"]["sectors"], metrics["seeds"]
    sector = min(range(len(exact)), key=lambda g: exact[g])
    shares = [entry["sectors"][sector] for entry in seeds]
    mean = sum(shares) / len(shares)
    std = (sum((s - mean) ** 2 for s in shares) / (len(shares) - 1)) ** 0.5
    return f"{value_error(mean, std)} : {exact[sector]:.4f}"


def over_seeds(run: Run, name: str) -> str:
    """Return mean(std) of a quantity over seeds, or mean? where a few have no error.

    The spread between a few seeds would not say more.
    """
    seeds, total = run["seeds"], run["aggregate"][name]
    unknown = any(seed.get(f"{name}_error") is None for seed in seeds)
    if unknown and len(seeds) < MANY:
        return estimate_text(total["mean"], None)
    return total["text"]


def beside_exact(run: Run) -> str:
    """Return log Z and its exact value, where there is one."""
    text, exact = over_seeds(run, "log_z"), run["exact"]["log_z"]
    return text if exact is None else f"{text} : {exact:.5f}"


def summary() -> str:
    """Return one system of each kind, in five columns."""
    modulus = of_phi4.compared("abs_magnetization")
    checks: dict[str, tuple[Run | None, str, Cell]] = {
        "eight tilted modes": (
            reading.metrics("readme/gmm_broken"),
            "smallest mode",
            lambda _, run: smallest_sector(run),
        ),
        "Hubbard, 2 sites": (
            reading.metrics("readme/hubbard"),
            "smallest mode",
            lambda _, run: smallest_sector(run),
        ),
        "Hubbard, ring of 6, 8 slices": (
            of_hubbard.metrics("ring6"),
            "energy",
            lambda _, run: of_hubbard.beside(
                run, "energy", run["exact"]["observables"]["energy"]
            ),
        ),
        "Hubbard, 18 sites, 100 slices": (
            of_hubbard.metrics("honeycomb_100"),
            "energy",
            lambda _, run: of_hubbard.text(run, "energy"),
        ),
        "complex phi^4, 8x8": (
            of_phi4.metrics("even_complex"),
            "|M|",
            lambda _, run: modulus("even_complex", run),
        ),
        "critical real phi^4, 16x16": (
            of_phi4.metrics("critical_16x16"),
            "|M|",
            lambda _, run: modulus("critical_16x16", run),
        ),
        "O(4) field in a field h, 8x8": (
            reading.metrics(f"on/{ON}"),
            "|M|",
            lambda _, run: of_on.compared("abs_magnetization")(ON, run),
        ),
        "four particles, by their energy": (
            reading.metrics("particles/dw4_chains"),
            "NLL",
            of_particles.against("nll"),
        ),
    }
    rows = []
    for label, (run, name, check) in checks.items():
        if run is not None:
            cells = [over_seeds(run, "ess"), beside_exact(run)]
            cells += [f"{name} {check('', run)}", reading.seconds("", run)]
            rows.append([label, *cells])
    return markdown(
        ["system", "ESS", "log Z : exact", "check : reference", "s / model"], rows
    )


CHOICES = {
    "readme/gmm_broken": "eight tilted modes",
    "readme/hubbard": "Hubbard, 2 sites, 1 slice",
    "hubbard/coupling_2.0_flow": "Hubbard, ring of 4, 8 slices, U = 2",
    "hubbard/coupling_2.0": "the same",
    "hubbard/coupling_9.0_modulated": "Hubbard, ring of 4, 8 slices, U = 9",
    "hubbard/coupling_9.0": "the same",
    "hubbard/honeycomb_100": "Hubbard, 18 sites, 100 slices",
    "phi4/even_complex": "complex phi^4, 8x8",
    "phi4/complex_hmc": "the same",
    "phi4/complex_smc": "the same",
    "phi4/even_critical_8x8": "critical real phi^4, 8x8",
    "phi4/critical_32x32": "the same, 32x32, all sites",
    "particles/dw2_reverse": "two particles, energy",
    "particles/dw4_likelihood": "four particles, data",
    "particles/dw4_matching": "four particles, data",
    "particles/dw4_chains": "four particles, energy",
    "on/o4_transition_0.02": "O(4) field, 8x8",
}


SIDES = {
    "readme/gmm": "eight modes",
    "readme/gmm_broken": "eight tilted modes",
    "readme/hubbard": "Hubbard, 2 sites, 1 slice",
    "hubbard/pair_2_chains": "Hubbard, 2 sites, 2 slices, on chains",
    "hubbard/pair_8_chains": "Hubbard, 2 sites, 8 slices, on chains",
    "phi4/even_complex": "complex phi^4, 8x8",
    "phi4/even_real_0.005": "real phi^4, 16x8, alpha 0.005",
    "phi4/even_critical_8x8": "critical real phi^4, 8x8",
    "on/o3_transition_0.0": "O(3), 8x8, transition",
    "on/o4_broken_0.02": "O(4), 8x8, broken, in a field",
    "particles/dw4_chains": "four particles, energy",
}


def sides() -> str:
    """Return log Z from the flow, from chains of the target, and from both."""
    rows = []
    for name, label in SIDES.items():
        run = reading.metrics(name)
        if run is not None:
            names = ("log_z", "log_z_from_p", "bar")
            found = [reading.mean_error(run, side) for side in names]
            cells = [estimate_text(*map(float, estimate)) for estimate in found]
            exact = run["exact"]["log_z"]
            rows.append([label, *cells, "-" if exact is None else f"{exact:.5f}"])
    head = ["system", "log Z, from the flow", "from chains", "both", "exact"]
    return markdown(head, rows)


def choosing() -> str:
    """Return what methods take and give, system by system."""
    rows = []
    for name, label in CHOICES.items():
        results, run_name = reading.place(name)
        run = results.metrics(run_name)
        if run is not None:
            cells = [label, method(results.config(run_name), run)]
            cells += [over_seeds(run, "ess"), over_seeds(run, "log_z")]
            rows.append([*cells, reading.seconds("", run)])
    return markdown(["system", "method", "ESS", "log Z", "s / model"], rows)


def method(config: dict, run: Run) -> str:
    """Return a run's method, its law and its flow, as far as it uses them."""
    words = [FORMER_NAMES.get(run["method"], run["method"])]
    words += [run["modulation"]] if run["modulation"] else []
    if "flow" in METHODS[words[0]].uses:
        words.append(config["flow"]["name"])
    return ", ".join(f"`{word}`" for word in words)

"""The tables of the study of O(N) fields."""

from reading import ROOT, Cell, Run, distance, known, mean_error, metrics, table, total

from on.runs import COMPONENTS, FIELDS, PHASES, SCAN
from sesamo_jax.run.pages import markdown
from sesamo_jax.run.text import value_error

PAGES = (ROOT / "docs" / "on.md",)
NAMES = [
    f"o{components}_{phase}_{h}"
    for components in COMPONENTS
    for phase in PHASES
    for h in FIELDS
]
COMPARED = {
    "abs_magnetization": "abs. M : HMC",
    "susceptibility": "chi : HMC",
    "action_density": "f/V : HMC",
}


def label(name: str, _: Run) -> str:
    """Return N, the phase and h of a run."""
    group, phase, h = name.split("_")
    return f"O({group[1:]}), {phase}, {float(h):g}"


def compared(key: str) -> Cell:
    """Return the cell of an observable, that of HMC, and their distance."""

    def cell(name: str, run: Run) -> str:
        ours, chains = mean_error(run, key), metrics(f"on/{name}_hmc")
        if chains is None:
            return value_error(*ours)
        theirs = mean_error(chains, key)
        texts = f"{value_error(*ours)} : {value_error(*theirs)}"
        return f"{texts}, {distance(ours, theirs):+.1f} sigma"

    return cell


def flow_table() -> str:
    """Return ESS, log Z from the flow and by both sides, and seconds."""
    columns = {
        "theory, phase, h": label,
        "ESS": total("ess"),
        "forward ESS": total("forward_ess"),
        "log Z": total("log_z"),
        "log Z, both": total("bar"),
        "training, s": lambda _, run: f"{run['aggregate']['wall_seconds']['mean']:.0f}",
    }
    return table(columns, known("on", NAMES))


def observables_table() -> str:
    """Return observables beside those of modulated HMC."""
    columns = {"theory, phase, h": label}
    columns |= {title: compared(key) for key, title in COMPARED.items()}
    return table(columns, known("on", NAMES))


def identity_table() -> str:
    """Return both sides of the Ward identity of rotations against h."""
    rows = []
    for phase in PHASES:
        for h in SCAN:
            run = metrics(f"on/sigma_{phase}_{h}")
            if run is None:
                continue
            order = mean_error(run, "magnetization")
            across = mean_error(run, "transverse_susceptibility")
            rows.append(
                [
                    phase,
                    f"{h:g}",
                    value_error(*order),
                    value_error(h * across[0], h * across[1]),
                ]
            )
    return markdown(["phase", "h", "M_1", "h V <M_2^2>"], rows)


TABLES = {"flows": flow_table, "observables": observables_table, "ward": identity_table}

"""The tables of the README and of what it leads to; here that of modes in the plane."""

from pathlib import Path

import reading
from reading import ROOT, Run

from readme.coverage import coverage_table
from readme.runs import RUNS
from readme.systems import choosing, sides, smallest_sector, summary
from sesamo_jax.config.schema import FORMER_NAMES
from sesamo_jax.run.entry import command
from sesamo_jax.run.pages import markdown

PAGES = (
    ROOT / "README.md",
    ROOT / "docs" / "overview.md",
    ROOT / "docs" / "howto" / "choosing.md",
    ROOT / "docs" / "start.md",
)
COLUMNS = (
    "target, method",
    "ESS",
    "forward ESS",
    "log Z : exact",
    "smallest sector, found : exact",
    "s / seed",
    "R : exact",
    "leak",
)


def row(metrics: Run) -> list[str]:
    """Return the table's cells for one run."""
    total, exact = metrics["aggregate"], metrics["exact"]
    law = metrics["modulation"]
    method = FORMER_NAMES.get(metrics["method"], metrics["method"])
    label = f"`{metrics['target']}` {method}" + (f", {law}" if law else "")
    if metrics["preset"] != "default":
        label += f", preset {metrics['preset']}"
    ratio, known = total.get("breaking_ratio"), exact["observables"]
    return [
        label,
        total["ess"]["text"],
        total["forward_ess"]["text"],
        f"{total['log_z']['text']} : {exact['log_z']:.5f}",
        smallest_sector(metrics),
        f"{total['wall_seconds']['mean']:.1f}",
        f"{ratio['text']} : {known['breaking_ratio']:.4f}" if ratio else "",
        total["leak"]["text"],
    ]


def table() -> str:
    """Return the table and the commands, in Markdown."""
    rows, commands = [], []
    for name, entry in RUNS.items():
        found = reading.metrics(f"readme/{name}")
        if found is not None:
            rows.append(row(found))
            output = Path("experiments") / "results" / "readme" / name
            commands.append(" ".join(["sesamo-jax", *command(output, entry)]))
    return "\n".join([markdown(list(COLUMNS), rows), "", "```", *commands, "```"])


TABLES = {
    "results": table,
    "summary": summary,
    "choosing": choosing,
    "sides": sides,
    "coverage": coverage_table,
}

"""The first table of the README, and the commands that made it."""

from pathlib import Path

import reading
from reading import ROOT

from readme.runs import RUNS
from sesamo_jax.config.schema import FORMER_NAMES
from sesamo_jax.run.entry import command
from sesamo_jax.run.pages import markdown
from sesamo_jax.run.text import value_error

PAGES = (ROOT / "README.md",)
COLUMNS = (
    "target, method",
    "ESS",
    "forward ESS",
    "log Z",
    "exact",
    "R",
    "exact",
    "leak",
    "smallest sector, found : exact",
    "s / seed",
)


def row(metrics: dict) -> list[str]:
    """Return the table's cells for one run."""
    total, exact, seeds = metrics["aggregate"], metrics["exact"], metrics["seeds"]
    law = metrics["modulation"]
    method = FORMER_NAMES.get(metrics["method"], metrics["method"])
    label = f"`{metrics['target']}` {method}" + (f", {law}" if law else "")
    if metrics["preset"] != "default":
        label += f", preset {metrics['preset']}"
    ratio = total.get("breaking_ratio")
    sector = min(range(len(exact["sectors"])), key=lambda g: exact["sectors"][g])
    shares = [entry["sectors"][sector] for entry in seeds]
    mean = sum(shares) / len(shares)
    std = (sum((s - mean) ** 2 for s in shares) / (len(shares) - 1)) ** 0.5
    return [
        label,
        total["ess"]["text"],
        total["forward_ess"]["text"],
        total["log_z"]["text"],
        f"{exact['log_z']:.5f}",
        ratio["text"] if ratio else "",
        f"{exact['observables']['breaking_ratio']:.4f}" if ratio else "",
        total["leak"]["text"],
        f"{value_error(mean, std)} : {exact['sectors'][sector]:.4f}",
        f"{total['wall_seconds']['mean']:.1f}",
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


TABLES = {"results": table}

"""Write the README's table of results from the committed result files.

`python experiments/results_table.py` rewrites the part of README.md between its two
markers; the tests check that it is up to date.
"""

import json
from pathlib import Path

from sesamo_jax.summary import value_error

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
# Folder, and the command line that made it (plus --output).
ROWS = {
    "gmm": "--target gmm --seeds 10",
    "gmm_broken": "--target gmm_broken --seeds 10",
    "gmm_broken_learned": "--target gmm_broken --modulation learned --seeds 10",
    "hubbard": "--target hubbard --seeds 10",
    "hubbard_canonicalization": "--target hubbard --method canonicalization --seeds 10",
    "hubbard_realnvp": "--target hubbard --method realnvp --seeds 10",
    "hubbard_paper": "--target hubbard --preset paper --seeds 5",
}
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
    label = f"`{metrics['target']}` {metrics['method']}" + (f", {law}" if law else "")
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
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    commands = []
    for name, command in ROWS.items():
        path = RESULTS / name / "metrics.json"
        if path.exists():
            lines.append("| " + " | ".join(row(json.loads(path.read_text()))) + " |")
            commands.append(
                f"python experiments/run.py {command} "
                f"--output experiments/results/{name}"
            )
    return "\n".join([*lines, "", "```", *commands, "```"])


def updated(readme: str) -> str:
    """Return the README's text with a fresh table."""
    head, rest = readme.split(BEGIN)
    _, tail = rest.split(END)
    return f"{head}{BEGIN}\n{table()}\n{END}{tail}"


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(updated(path.read_text()))

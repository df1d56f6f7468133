"""Write the README's first table of results from the committed result files.

`python experiments/results_table.py` rewrites the part of README.md between its two
markers; the tests check that it is up to date.
"""

import studies
from studies import ROOT, markdown, read

from sesamo_jax.run.text import value_error

PAGES = (ROOT / "README.md",)
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
    rows, commands = [], []
    for name, command in ROWS.items():
        folder = f"experiments/results/{name}"
        path = ROOT / folder / "metrics.json"
        if path.exists():
            rows.append(row(read(path)))
            commands.append(f"python experiments/run.py {command} --output {folder}")
    return "\n".join([markdown(list(COLUMNS), rows), "", "```", *commands, "```"])


TABLES = {"results": table}

if __name__ == "__main__":
    studies.rewrite(PAGES, TABLES)

"""The table of the samplers that come with the package."""

import reading
from reading import ROOT

from pretrained.package import FOLDER
from pretrained.runs import RUNS
from sesamo_jax.run.pages import markdown

PAGES = (ROOT / "docs" / "python.md",)
COLUMNS = ("name", "ESS", "log Z", "exact", "leak", "audit", "KiB")


def row(name: str, metrics: dict) -> list[str]:
    """Return the table's cells for one sampler."""
    total, exact = metrics["aggregate"], metrics["exact"]["log_z"]
    size = sum(path.stat().st_size for path in (FOLDER / name).iterdir())
    return [
        f"`{name}`",
        total["ess"]["text"],
        total["log_z"]["text"],
        "" if exact is None else f"{exact:.5f}",
        total["leak"]["text"] if total["leak"] else "",
        metrics["seeds"][0]["verdict"],
        f"{size / 1024:.0f}",
    ]


def table() -> str:
    """Return the table, in Markdown."""
    here = [name for name in RUNS if (FOLDER / name).exists()]
    found = {name: reading.metrics(f"pretrained/{name}") for name in here}
    rows = [row(name, metrics) for name, metrics in found.items() if metrics]
    return markdown(COLUMNS, rows)


TABLES = {"pretrained": table}

"""The tables of the study of symmetries."""

from reading import ROOT, measured

from sesamo_jax.run.pages import markdown
from sesamo_jax.run.text import estimate_text

PAGES = (ROOT / "docs" / "symmetries.md",)


def systems_table() -> str:
    """Return what was reached, seed by seed."""
    content, rows = measured("symmetries/systems"), []
    if content is None:
        return ""
    for name, row in content["rows"].items():
        exact = row["exact"]
        for seed in row["seeds"]:
            both, error = seed["bar"], seed["bar_error"]
            text = "-" if both is None else estimate_text(both, error)
            if exact is not None:
                text += f" : {exact:.5f}"
            if exact is not None and both is not None:
                text += f", {(both - exact) / error:+.1f}"
            rows.append(
                [
                    name,
                    f"{seed['ess']:.4f}",
                    text,
                    f"{seed['pareto_k']:.2f}",
                    f"{row['seconds']:.0f}",
                    seed["verdict"].split(":")[0],
                ]
            )
    head = ["system, seed by seed", "ESS", "log Z, both : exact, sigma", "Pareto k"]
    return markdown([*head, "s", "audit"], rows)


def cost_table() -> str:
    """Return seconds and memory of a training step against the order of a group."""
    content, rows = measured("symmetries/cost"), []
    if content is None:
        return ""
    for name, row in content["rows"].items():
        cells = [f"{row['order']} ({name})"]
        for density in ("cell", "orbit"):
            cells.append(f"{row[density]['seconds']:.3f}")
            cells.append(f"{row[density]['mebibytes']:.0f}")
        rows.append(cells)
    head = ["order", "cell, s / step", "cell, MiB", "orbit, s / step", "orbit, MiB"]
    return markdown(head, rows)


TABLES = {"systems": systems_table, "cost": cost_table}

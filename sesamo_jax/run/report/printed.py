"""The report that is printed: verdict and doubts, estimates, sectors, cost."""

from collections.abc import Mapping
from typing import Any

from sesamo_jax.run.report import parts


def format_report(metrics: Mapping[str, Any]) -> str:
    """Return the report of a run as text, quantities beside their exact values."""
    rows = parts.estimates(metrics)
    lines = [
        f"{parts.title(metrics)}; {parts.meaning(metrics)}",
        *parts.notices(metrics),
        *(f"audit: {verdict}" for verdict in parts.verdicts(metrics)),
        *(f"CAUTION: {sentence}" for sentence in parts.cautions(metrics)),
        "",
        f"{'':22}{'estimate':>20}  exact, and the distance from it",
    ]
    for row in rows:
        reference = "" if row.reference is None else f"{row.reference:.6g}"
        line = f"{row.name:22}{row.text:>20}  {reference}".rstrip()
        lines.append(f"{line}  {row.note}" if row.note else line)
    if table := parts.sectors(metrics):
        lines.append("")
        for sector, first, *others in table:
            cells = "".join(f"{cell:>16}" for cell in others)
            lines.append(f"{sector:>8}{first:>14}{cells}")
    if marks := parts.marks(rows):
        lines += ["", marks]
    return "\n".join([*lines, "", *parts.cost(metrics)])

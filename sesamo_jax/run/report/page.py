"""`report.html`: all that a run found, in one file that needs no other."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sesamo_jax.run.figures import CAPTIONS
from sesamo_jax.run.folder import CONFIG, ENVIRONMENT, METRICS, REMEDIES, RunFolder
from sesamo_jax.run.report import parts
from sesamo_jax.run.report.html import Html, figure, folded, page, table, tag
from sesamo_jax.storage.files import Damaged, reading, replacing

REPORT = "report.html"


def write_report(folder: RunFolder, pictures: Sequence[str]) -> None:
    """Write a run's page from the files of its folder.

    Args:
        folder: of a finished run.
        pictures: names of the figures there.
    """
    metrics, config = folder.read(METRICS), folder.read(CONFIG)
    content = [*_findings(metrics)]
    if pictures:
        content.append(tag("h2", "Figures"))
    for name in pictures:
        content.append(figure((folder.path / name).read_bytes(), CAPTIONS[name]))
    content += [tag("h2", "Configuration"), *_configuration(config)]
    content += [tag("h2", "How to repeat it"), *_repetition(folder)]
    text = page(parts.title(metrics), *content)
    with replacing(folder.path / REPORT) as file:
        file.write(text.encode())


def judgement(metrics: Mapping[str, Any]) -> Iterator[Html]:
    """Yield the verdict of the audit, and what else speaks against a run."""
    for verdict in parts.verdicts(metrics):
        yield tag("p", tag("strong", "Audit: "), verdict, class_="verdict")
    for sentence in parts.cautions(metrics):
        yield tag("p", tag("strong", "Caution: "), sentence, class_="caution")


def _findings(metrics: Mapping[str, Any]) -> Iterator[Html]:
    """Yield what was run, the verdict, and the tables."""
    yield tag("h1", parts.title(metrics))
    yield from judgement(metrics)
    rows = parts.estimates(metrics)
    yield tag("h2", "Estimates")
    yield tag("p", f"{parts.meaning(metrics)}; distances in errors", class_="soft")
    for notice in parts.notices(metrics):
        yield tag("p", notice, class_="soft")
    cells = [
        [row.name, row.text, "" if row.reference is None else f"{row.reference:.6g}"]
        + [row.note]
        for row in rows
    ]
    yield table(["quantity", "estimate", "exact", "distance"], cells)
    if marks := parts.marks(rows):
        yield tag("p", marks, class_="soft")
    if sectors := parts.sectors(metrics):
        yield tag("h2", "Sectors of the symmetry")
        yield table(sectors[0], sectors[1:])
    source = metrics["exact"]["source"]
    if source:
        yield tag("p", f"Exact values: {source}.", class_="soft")
    for line in parts.cost(metrics):
        yield tag("p", line, class_="soft")


def _configuration(config: Mapping[str, Any]) -> Iterator[Html]:
    """Yield the settings, those of each section folded together."""
    plain = {name: v for name, v in config.items() if not isinstance(v, Mapping)}
    yield table(["setting", "value"], _settings(plain))
    for name, section in config.items():
        if isinstance(section, Mapping):
            yield folded(name, table(["setting", "value"], _settings(section)))


def _settings(section: Mapping[str, Any]) -> list[list[str]]:
    return [[name, json.dumps(value)] for name, value in section.items()]


def _repetition(folder: RunFolder) -> Iterator[Html]:
    """Yield what started the run, what else would, and where it was started."""
    yield tag("p", f"The settings are in {CONFIG}, beside this page; from Python:")
    yield tag("pre", AGAIN)
    try:
        with reading(folder.path / ENVIRONMENT, REMEDIES[ENVIRONMENT]):
            content = [*_start(folder.read(ENVIRONMENT) or {})]
    except Damaged as error:  # which costs no result
        content = [tag("p", str(error), class_="soft")]
    yield from content


def _start(environment: Mapping[str, Any]) -> Iterator[Html]:
    """Yield the command of a run, and versions and machine."""
    if "command" in environment:
        yield tag("p", "This was started by")
        yield tag("pre", environment["command"])
    commit = environment.get("git_commit") or "unknown"
    changed = ", with files that differ from it" if environment.get("git_dirty") else ""
    rows = [["commit", commit + changed]]
    for name in ("date", "host", "platform", "device", "cpus", "python", "x64"):
        rows.append([name, f"{environment.get(name, 'unknown')}"])
    rows += [list(pair) for pair in environment.get("packages", {}).items()]
    yield folded("Versions and machine", table(["", ""], rows))


AGAIN = """\
import json
from sesamo_jax.config.record import from_json
from sesamo_jax.run.execute import execute

with open("config.json") as file:
    execute(from_json(json.load(file)), "again")"""

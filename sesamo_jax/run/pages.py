"""Pages in Markdown, and the tables in them between pairs of markers."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Tables = Mapping[str, Callable[[], str]]
WIDEST = 6  # columns that a screen shows at once


def markdown(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    names: int = 1,
    shown: int = WIDEST,
) -> str:
    """Return a table in Markdown whose first columns are shown, the rest on demand.

    The rest stands in folded tables of at most `WIDEST` columns, each with the names of
    the rows. A bar within a cell is escaped, as it would end the cell.

    Args:
        head: names of the columns.
        rows: of cells.
        names: how many columns, from the first, name a row.
        shown: how many columns are shown, those included.
    """
    text = _table([row[:shown] for row in (head, *rows)])
    if len(head) <= shown:
        return text
    step = WIDEST - names
    parts = [
        _table([[*row[:names], *row[start : start + step]] for row in (head, *rows)])
        for start in range(shown, len(head), step)
    ]
    summary = f"<summary>More columns: {'; '.join(head[shown:])}</summary>"
    fold = ['<details markdown="1">', summary, "", "\n\n".join(parts), "", "</details>"]
    return "\n".join([text, "", *fold])


def _table(lines: Sequence[Sequence[str]]) -> str:
    """Return a table, its head first, without anything folded."""
    lines = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    cells = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)


def with_tables(page: str, tables: Tables) -> str:
    """Return a page's text with fresh tables, those that it has markers for."""
    for name, table in tables.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        if begin not in page:
            continue
        head, rest = page.split(begin)
        page = f"{head}{begin}\n{table()}\n{end}{rest.split(end)[1]}"
    return page


def rewrite(pages: Sequence[Path], tables: Tables) -> None:
    """Write fresh tables into pages."""
    for page in pages:
        page.write_text(with_tables(page.read_text(), tables))


def stale(pages: Sequence[Path], tables: Tables) -> list[Path]:
    """Return the pages whose tables are not those that would be written now."""
    return [
        page
        for page in pages
        if page.read_text() != with_tables(page.read_text(), tables)
    ]

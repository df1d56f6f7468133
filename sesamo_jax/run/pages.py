"""Pages in Markdown, and the tables in them between pairs of markers."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Tables = Mapping[str, Callable[[], str]]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


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

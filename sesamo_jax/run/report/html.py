"""Pages in HTML that need no other file: all text is escaped, pictures are embedded."""

import base64
from collections.abc import Sequence
from html import escape

STYLE = """
:root { --ink: #1c2733; --soft: #5b6b7a; --line: #d5dce3; --accent: #0b6e8a; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 3rem; color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p, li { overflow-wrap: anywhere; }
.soft { color: var(--soft); font-size: .9rem; }
.verdict, .caution { border-left: 5px solid var(--accent); background: #eef6f8;
  padding: .6rem .9rem; margin: .6rem 0; overflow-wrap: anywhere; }
.caution { border-color: #d98a00; background: #fdf4e3; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .25rem .7rem; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
thead th { color: var(--soft); font-weight: 600; }
figure { margin: 1rem 0; break-inside: avoid; }
img { max-width: 100%; height: auto; }
pre { background: #f4f6f8; padding: .7rem .9rem; white-space: pre-wrap;
  overflow-wrap: anywhere; font-size: .85rem; }
details { margin: .5rem 0; }
summary { cursor: pointer; color: var(--accent); }
@media (max-width: 40rem) {
  body { font-size: 15px; padding: 1rem .8rem 2rem; }
  th, td { padding: .2rem .3rem; font-size: .8rem; }
  td:last-child { white-space: normal; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  .wide { overflow: visible; }
  th, td { white-space: normal; }
  h2 { break-after: avoid; }
  tr { break-inside: avoid; }
  img { max-height: 9cm; }
  details::details-content { content-visibility: visible; block-size: auto; }
  .verdict, .caution, pre { print-color-adjust: exact; }
}
"""


class Html(str):
    """Text that is HTML already, and goes into a page as it is."""


def tag(name: str, *content: str, **attributes: str) -> Html:
    """Return an element; what is not `Html` is escaped, attributes always.

    Args:
        name: of the element.
        content: what it holds, in order.
        attributes: of it; `class_` stands for `class`.
    """
    inner = "".join(
        part if isinstance(part, Html) else escape(part) for part in content
    )
    shown = "".join(
        f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items()
    )
    return Html(f"<{name}{shown}>{inner}</{name}>")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """Return a table, which scrolls by itself where the screen is narrower."""
    top = tag("tr", *(tag("th", cell, scope="col") for cell in head))
    body = (tag("tr", *(tag("td", cell) for cell in row)) for row in rows)
    whole = tag("table", tag("thead", top), tag("tbody", *body))
    return tag("div", whole, class_="wide")


def figure(picture: bytes, caption: str) -> Html:
    """Return a PNG picture as part of the page, with a caption that describes it."""
    data = base64.b64encode(picture).decode()
    image = Html(f'<img src="data:image/png;base64,{data}" alt="{escape(caption)}">')
    return tag("figure", image, tag("figcaption", caption, class_="soft"))


def folded(summary: str, *content: str) -> Html:
    """Return content that shows once its summary is clicked."""
    return tag("details", tag("summary", summary), *content)


def page(title: str, *content: str) -> str:
    """Return a whole page."""
    head = Html(
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
    )
    whole = tag("html", tag("head", head), tag("body", *content), lang="en")
    return f"<!doctype html>\n{whole}\n"

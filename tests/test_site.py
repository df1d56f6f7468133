"""The documentation as a site: it builds without a warning and needs no network."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import dom, needs_browser

import sesamo_jax
from sesamo_jax.run.pages import WIDEST, markdown

pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
pytest.importorskip("material", reason="the extra `docs` is not installed")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return the folder of the built site."""
    folder = tmp_path_factory.mktemp("site") / "pages"
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir"]
    done = subprocess.run(
        [*words, str(folder)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    """Return the text of every page, by its path within the site."""
    return {
        str(path.relative_to(site)): path.read_text() for path in site.rglob("*.html")
    }


def test_every_page_is_there_and_all_rooms_have_one(pages):
    sources = {
        str(path.relative_to(ROOT / "docs").with_suffix(".html"))
        for path in (ROOT / "docs").rglob("*.md")
    }
    rooms = {
        f"api/{path.parent.name}.html"
        for path in (ROOT / "sesamo_jax").glob("*/__init__.py")
    }
    tutorials = {
        f"tutorials/{path.stem}.html" for path in (ROOT / "notebooks").glob("*.ipynb")
    }
    assert sources | rooms | tutorials | {"404.html"} == set(pages)


def test_public_names_are_documented_and_none_twice(pages):
    ids = re.findall(r'id="(sesamo_jax[\w.]*)"', "".join(pages.values()))
    assert {f"sesamo_jax.{name}" for name in sesamo_jax.__all__} <= set(ids)
    assert "sesamo_jax.symmetries.u1.U1.act" in ids
    assert len(ids) == len(set(ids))


def test_nothing_comes_from_the_network(site, pages):
    for name, text in pages.items():
        loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", text)
        assert not [tag for tag in loaded if "//" in tag], name
    for path in site.rglob("*.css"):
        assert "url(http" not in path.read_text(), path


def test_formulas_are_shown_without_a_script(pages):
    assert not [name for name, text in pages.items() if 'class="arithmatex"' in text]
    assert pages["mathematics.html"].count("<math") > 20
    assert "<mfrac>" in pages["mathematics.html"]


def test_tutorials_have_their_pictures(pages):
    for path in (ROOT / "docs" / "notebooks").glob("*.png"):
        stem = path.stem.rpartition("_")[0]
        assert f"notebooks/{path.name}" in pages[f"tutorials/{stem}.html"]


class Tables(HTMLParser):
    """Counts the columns of the tables of a page, folded ones apart."""

    def __init__(self):
        super().__init__()
        self.folded, self.columns = 0, {False: [], True: []}

    def handle_starttag(self, tag, attributes):
        self.folded += tag == "details"
        if tag == "thead":
            self.columns[self.folded > 0].append(0)
        if tag == "th":
            self.columns[self.folded > 0][-1] += 1

    def handle_endtag(self, tag):
        self.folded -= tag == "details"


def test_tables_fit_a_screen(pages):
    folded = 0
    for name, text in pages.items():
        tables = Tables()
        tables.feed(text)
        assert max([0, *tables.columns[False], *tables.columns[True]]) <= WIDEST, name
        folded += len(tables.columns[True])
    assert folded > 10


def test_what_does_not_fit_is_folded_with_the_names_of_the_rows():
    head = list("abcdefghijkl")
    rows = [[f"{name}{row}" for name in head] for row in (1, 2)]
    text = markdown(head, rows, names=2, shown=4)
    shown, rest = text.split("\n\n<details", 1)
    assert shown.splitlines()[0] == "| a | b | c | d |"
    lines = [line for line in rest.splitlines() if line.startswith("|")]
    assert lines[0] == "| a | b | e | f | g | h |"
    assert lines[4] == "| a | b | i | j | k | l |"
    assert lines[7] == "| a2 | b2 | i2 | j2 | k2 | l2 |"
    assert "More columns: e; f; g; h; i; j; k; l" in rest
    assert markdown(["x"], [["|a|"]]).splitlines()[2] == r"| \|a\| |"


@needs_browser
def test_search_finds_pages_that_are_opened_as_files(site):
    found = dom(site / "index.html", "?q=canonicalization")
    assert re.search(r"\d+ matching documents", found)
    assert "howto/choosing.html" in found

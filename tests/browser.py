"""A headless browser, where there is one, and what a page looks like in it."""

import html
import re
import shutil
import subprocess
from typing import NamedTuple

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FOUND = next(filter(None, map(shutil.which, NAMES)), None)
needs_browser = pytest.mark.skipif(
    FOUND is None, reason="no Chromium on this machine to open pages in"
)
# The page in a frame of some width, and beside it what its script has measured there.
FRAME = """<body><iframe id="frame" style="width:{width}px;height:900px;border:0"
srcdoc="{page}"></iframe><p id="found"></p><script>
window.onload = () => {{
  const seen = document.getElementById("frame").contentDocument;
  const broken = [...seen.images].filter(image => image.naturalWidth == 0).length;
  document.getElementById("found").textContent = "found: " + [
    seen.documentElement.scrollWidth, seen.documentElement.clientWidth,
    seen.images.length, broken].join(" ");
}};
</script></body>"""


class Seen(NamedTuple):
    """Widths of a page and of the window, in pixels, and how many pictures it has.

    Attributes:
        width: of the page's content.
        window: of what is seen of it.
        pictures: in it.
        broken: those that could not be shown.
    """

    width: int
    window: int
    pictures: int
    broken: int


def seen(page, width, folder):
    """Return how a page, HTML in one piece, looks in a window of some width."""
    path = folder / f"frame_{width}.html"
    path.write_text(FRAME.format(width=width, page=html.escape(page)))
    found = re.search(r"found: ([\d ]+)<", dom(path))
    assert found, "the browser did not load the page"
    return Seen(*map(int, found[1].split()))


def dom(path, query=""):
    """Return what a page in a file has become once its scripts have run."""
    words = [FOUND, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    # As long as the scripts ask for, by their own clock.
    words += ["--virtual-time-budget=10000"]
    done = subprocess.run(
        [*words, path.as_uri() + query], capture_output=True, text=True, check=True
    )
    return done.stdout

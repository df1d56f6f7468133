"""What the site adds to these pages when it is built: tutorials, API, formulas.

Nothing is carried out, and nothing is fetched: tutorials are the cells of the notebooks
with the committed pictures, pages of the API are read from the docstrings, and formulas
become MathML, which browsers show by themselves.
"""

import ast
import html
import json
import re
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
NOTEBOOK = re.compile(r"\]\((?:\.\./)*notebooks/(\w+)\.ipynb\)")
DRAWS = re.compile(r"plt\.(figure|subplots)\(")
# Functions by name stand apart from their argument, unless that is in brackets.
NAMED = re.compile(r"(<mi>(?:log|exp|cos|sin)</mi>)(?!<mo[^>]*>(?:\(|&#x00028;))")
FORMULA = re.compile(
    r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each notebook, and for each room of the package."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        name = f"tutorials/{path.stem}.md"
        files.append(File.generated(config, name, content=tutorial(path)))
    for path in sorted((ROOT / "sesamo_jax").glob("*/__init__.py")):
        name = f"api/{path.parent.name}.md"
        files.append(File.generated(config, name, content=reference(path.parent)))
    return files


def on_page_markdown(
    markdown: str, page: Page, config: MkDocsConfig, files: Files
) -> str:
    """Lead links to notebooks to their tutorials."""
    up = "../" * page.file.src_uri.count("/")
    return NOTEBOOK.sub(rf"]({up}tutorials/\1.md)", markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn formulas into MathML."""
    return FORMULA.sub(mathml, html)


def tutorial(path: Path) -> str:
    """Return a notebook as a page: its text, its code, and its pictures in their place.

    Raises:
        ValueError: unless as many cells draw as there are pictures.
    """
    drawn = sorted((ROOT / "docs" / "notebooks").glob(f"{path.stem}_*.png"))
    parts, count = [], 0
    for cell in json.loads(path.read_text())["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source.replace("](../docs/", "](../"))
            continue
        parts.append(f"```python\n{source}\n```")
        if DRAWS.search(source):
            count += 1
            parts.append(f"![Picture {count}](../notebooks/{path.stem}_{count}.png)")
    if count != len(drawn):
        raise ValueError(
            f"{path.name} has {count} cells that draw and {len(drawn)} pictures: "
            f"run experiments/notebook_figures.py {path.stem[:2]}"
        )
    note = f"*The notebook `notebooks/{path.name}`; what its cells print is left out.*"
    return "\n\n".join([parts[0], note, *parts[1:]])


def reference(room: Path) -> str:
    """Return the page of a room: what each module defines, and no name twice."""
    parts = [f"# {room.name}"]
    for path in sorted(room.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        module = module.removesuffix(".__init__")
        tree = ast.parse(path.read_text())
        names = [name for node in tree.body for name in defined(node)]
        members = json.dumps([name for name in names if not name.startswith("_")])
        parts.append(f"::: {module}\n    options: {{members: {members}}}")
    return "\n\n".join(parts)


def defined(node: ast.stmt) -> list[str]:
    """Return the names that a statement of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def mathml(found: re.Match[str]) -> str:
    """Return a formula of LaTeX as MathML, in a line of its own where it was so."""
    display = "block" if found[2] == "[" else "inline"
    formula = convert(html.unescape(found[3]), display=display)
    return NAMED.sub(r'\1<mspace width="0.17em"/>', formula)

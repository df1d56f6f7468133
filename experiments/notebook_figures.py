"""Run the notebooks, and keep their pictures in `docs/notebooks/`.

`python experiments/notebook_figures.py`, about four minutes; a part of a name, as `03`,
picks notebooks. They themselves are stored without outputs.
"""

import argparse
import base64
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from reading import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PICTURES = ROOT / "docs" / "notebooks"
# Pictures in the notebook whatever MPLBACKEND says, with twice the usual pixels.
INLINE = "%matplotlib inline\n%config InlineBackend.figure_format = 'retina'"


def run(path: Path) -> NotebookNode:
    """Return a notebook with the outputs of its cells."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(INLINE))
    NotebookClient(notebook, timeout=None, kernel_name="python3").execute()
    return notebook


def pictures(path: Path, notebook: NotebookNode) -> dict[Path, bytes]:
    """Return the pictures of a notebook that was run, in order, by their files."""
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    found = [o.data["image/png"] for o in outputs if "image/png" in o.get("data", {})]
    return {
        PICTURES / f"{path.stem}_{number}.png": base64.b64decode(picture)
        for number, picture in enumerate(found, 1)
    }


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("only", nargs="?", default="", help="part of a name, as 03")
    only = parser.parse_args().only
    chosen = [path for path in NOTEBOOKS if only in path.stem]
    if not chosen:
        names = ", ".join(path.stem for path in NOTEBOOKS)
        parser.error(f"no notebook is named {only!r}: there are {names}")
    PICTURES.mkdir(parents=True, exist_ok=True)
    for path in chosen:
        print(path.relative_to(ROOT), flush=True)
        found = pictures(path, run(path))
        for file in PICTURES.glob(f"{path.stem}_*.png"):
            file.unlink()
        for file, picture in found.items():
            file.write_bytes(picture)


if __name__ == "__main__":
    main()

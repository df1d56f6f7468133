"""What the documents promise is run: notebooks, the README's script, the citation."""

import ast
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
import yaml

import sesamo_jax
from sesamo_jax.config import resolve
from sesamo_jax.run.cli.command import Parser
from sesamo_jax.run.cli.main import COMMANDS
from sesamo_jax.run.cli.run import settings
from sesamo_jax.run.pages import stale
from sesamo_jax.run.study import load
from sesamo_jax.targets.imported import is_import_path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@every_notebook
def test_notebook_has_no_outputs_and_imports_what_there_is(path):
    stored = nbformat.read(path, as_version=4)
    assert all(not cell.get("outputs") for cell in stored.cells)
    cells = [cell.source for cell in stored.cells if cell.cell_type == "code"]
    imports = [
        ast.unparse(node)
        for cell in cells
        for node in ast.parse(cell).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert any("sesamo_jax" in line for line in imports)
    exec("\n".join(imports), {})


@pytest.mark.slow  # trains: half a minute to a minute each
@every_notebook
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_notebook_runs_and_has_its_pictures_elsewhere(path, monkeypatch, experiment):
    monkeypatch.delenv("XLA_FLAGS", raising=False)  # long programs want them optimised
    figures = experiment("notebook_figures")
    drawn = figures.pictures(path, figures.run(path))
    assert set(drawn) == set(figures.PICTURES.glob(f"{path.stem}_*.png"))


OWN_TARGET = ROOT / "experiments" / "own_target.py"


def test_own_target_is_the_script_of_its_page():
    page = ROOT / "docs" / "howto" / "target.md"
    assert OWN_TARGET.read_text() in page.read_text()


@pytest.mark.slow  # trains to an ESS of 0.99; half a minute
def test_own_target_is_sampled_well(monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    done = subprocess.run(
        [sys.executable, str(OWN_TARGET)], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        numbers = [
            float(word.strip("[](),;")) for word in line.split() if _number(word)
        ]
        ess, _, log_z, exact_log_z = numbers[:4]
        sectors, exact_sectors = numbers[4:7], numbers[7:]
        assert ess >= 0.99
        # 100,000 samples: 5 sigma of a share is 0.008, of log Z well below 0.005
        assert abs(log_z - exact_log_z) < 0.005
        assert sectors == pytest.approx(exact_sectors, abs=0.008)
        # the wells differ, so that an exact law could not pass
        assert max(exact_sectors) > 2 * min(exact_sectors)


def _number(word: str) -> bool:
    try:
        float(word.strip("[](),;"))
    except ValueError:
        return False
    return ":" not in word


# Those that train are slow, though they take few steps: it is compilation.
CODE = ("howto/symmetry", "howto/flow", "howto/observable", "citing")
TRAINING = ("howto/chains", "start", "../README")


@pytest.mark.parametrize(
    "name", [*CODE, *(pytest.param(name, marks=pytest.mark.slow) for name in TRAINING)]
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_code_of_a_page_runs_from_top_to_bottom(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / f"{name}.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    assert blocks
    for function in (sesamo_jax.fit, sesamo_jax.evaluate):
        monkeypatch.setattr(sesamo_jax, function.__name__, with_little(function))
    # Dataclasses look for the module that defines them.
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    exec("\n".join(blocks), module.__dict__)


def with_little(function):
    """Return `fit` or `evaluate` with few steps and samples, whatever it is given."""

    def call(model, target, config, *arguments, **options):
        training = replace(config.training, steps=50)
        evaluation = replace(config.evaluation, samples=1000)
        config = replace(config, training=training, evaluation=evaluation)
        return function(model, target, config, *arguments, **options)

    return call


def test_every_page_with_code_is_run():
    with_code = {page for page in PAGES if "```python" in page.read_text()}
    known = {(ROOT / "docs" / f"{name}.md").resolve() for name in (*CODE, *TRAINING)}
    # Each of these has a test of its own.
    others = ("howto/target", "python", "symmetries")
    assert with_code - known == {ROOT / "docs" / f"{name}.md" for name in others}


def test_citation_is_valid_yaml():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["preferred-citation"]["authors"]


@pytest.mark.parametrize(
    ("study", "known"),
    [
        ("readme", "Hubbard, 2 sites"),
        ("phi4", "complex_broken"),
        ("hubbard", "ring4"),
        ("particles", "`dw2`, log Z, energy alone"),
        ("paper", "2025 objective"),
        ("benchmarks", "ten seeds at once"),
        ("pretrained", "`phi4_complex`"),
    ],
)
def test_tables_of_results_are_up_to_date(study, known, experiment):
    tables = experiment(f"{study}.tables")
    assert stale(tables.PAGES, tables.TABLES) == []
    assert known in tables.PAGES[0].read_text()


def _commands():
    """Return the commands of this project that pages tell readers to call."""
    pattern = r"(?:python experiments/([\w/]+)\.py|sesamo-jax) ?([^`#\n]*)"
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        text = page.read_text().replace("\\\n", " ")
        for script, words in re.findall(pattern, text):
            yield page.name, script, shlex.split(words)


def test_commands_of_the_documents_are_understood(monkeypatch):
    monkeypatch.chdir(ROOT)
    seen = set()
    for page, script, words in _commands():
        if script:
            assert (ROOT / "experiments" / f"{script}.py").exists(), (page, script)
        name, arguments = (script, words) if script else (words[0], words[1:])
        if name == "--help" or name not in COMMANDS or not arguments:
            assert script or name in {"--help", *COMMANDS}, (page, words)
            continue
        parser = Parser(prog=page)
        COMMANDS[name].add_arguments(parser)
        options = parser.parse_args(arguments)
        seen.add(name)
        if name == "run" and options.target and not is_import_path(options.target):
            assert resolve(options.target, options.preset, settings(options)), page
        if name == "study" and options.name != "NAME":
            study = load(options.name)
            has_runs = study.runs or not study.module("tables")
            assert not has_runs or study.choose(options.only), page
    assert seen == {"run", "compare", "study", "sweep", "data", "selftest"}


def _anchor(heading: str) -> str:
    """Return what a heading is linked by, as forges make it of its text."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_pictures_and_links_of_the_documents_exist():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            if "://" in target:
                continue
            path, _, anchor = target.partition("#")
            linked = page.parent / path if path else page
            assert linked.exists(), (page.name, target)
            headings = (
                re.findall(r"^#+ (.*)$", linked.read_text(), re.M) if anchor else []
            )
            assert not anchor or anchor in map(_anchor, headings), (page.name, target)

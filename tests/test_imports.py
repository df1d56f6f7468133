"""Who imports whom, and that importing the package changes nothing."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

import sesamo_jax

ROOT = Path(sesamo_jax.__file__).parent
PACKAGE = ROOT.name

# What each module or folder of the package may import from the others. A new one gets
# a row; upper layers may import lower ones, never the reverse.
MAY_IMPORT = {
    "bounds": set(),
    "event_checks": set(),
    "core": {"event_checks"},
    "files": set(),
    "devices": set(),
    "processes": set(),
    "numerics": {"core"},
    "symmetries": {"core", "numerics"},
    "particles": {"core"},
    "targets": {"bounds", "core", "numerics", "particles", "symmetries"},
    "penalty": {"core", "numerics"},
    "objectives": {"core", "numerics"},
    "tails": set(),
    "doubts": {"core"},
    "estimators": {"core", "numerics", "tails"},
    "density": {"core", "devices", "numerics"},
    "canonical": {"core", "numerics"},
    "lattice": set(),
    "flows": {"bounds", "core", "lattice", "numerics", "particles"},
    "modulation": {"core", "numerics", "symmetries"},
    "config": {"bounds", "density", "flows", "modulation", "reference", "targets"},
    "data": {"config", "core", "files", "particles"},
    "likelihood": {"config", "core", "devices", "particles"},
    "flow_matching": {"config", "core", "devices", "likelihood", "particles"},
    "data_checks": {"config", "core", "flows", "modulation"},
    "size_checks": {"bases", "config", "core", "memory", "modulation"},
    "effects": {"config", "flows"},
    "seeds": set(),
    "symmetry_checks": {"config", "core", "modulation"},
    "validation": {
        *("bounds", "config", "core", "data_checks", "flows", "modulation"),
        *("size_checks", "symmetry_checks", "worldlines"),
    },
    "bases": {"core", "lattice", "numerics", "config"},
    "worldlines": {"core", "config", "devices", "modulation"},
    "sampling": {"core", "devices", "event_checks"},
    "flow_density": {"core", "canonical", "density", "flows"},
    "mixture": {"core", "config", "bases", "density", "devices", "flows", "sampling"},
    "model": {
        *("core", "config", "bases", "flow_density", "flows", "modulation", "density"),
        *("devices", "sampling", "symmetries", "validation", "worldlines", "mixture"),
        "memory",
    },
    "memory": set(),
    "optim": {"core", "config"},
    "loss": {
        *("core", "config", "density", "devices", "flow_matching", "likelihood"),
        *("modulation", "numerics", "objectives", "penalty"),
    },
    "train": {
        *("core", "config", "data", "devices", "doubts", "likelihood", "loss"),
        *("memory", "optim", "seeds", "validation"),
    },
    "draws": {
        *("config", "core", "data", "density", "memory", "modulation", "validation"),
    },
    "evaluate": {"core", "config", "draws", "estimators", "reference"},
    "reference": {"bounds", "core", "numerics", "memory"},
    "chains": {"core", "estimators", "reference"},
    "checkpoint": {"core", "files", "processes", "train"},
    "presets": set(),
    "settings": {
        *("bounds", "config", "effects", "flows", "presets", "seeds", "targets"),
        "validation",
    },
    "summary": {"estimators"},
    "results": {"files"},
    "monitor": set(),
    "plots": {"files", "results"},
    "warm_start": {
        *("core", "files", "lattice", "checkpoint", "model", "results", "settings"),
        "train",
    },
    "judging": {
        *("chains", "config", "core", "doubts", "draws", "evaluate", "monitor"),
        *("optim", "reference", "results", "summary", "train"),
    },
    "runs": {
        *("checkpoint", "config", "core", "data", "devices", "files", "judging"),
        *("model", "monitor", "plots", "processes", "results", "settings", "summary"),
        *("train", "validation", "warm_start"),
    },
    "__init__": {
        *("core", "config", "flows", "targets", "model", "train", "evaluate"),
        "checkpoint",
    },
}
# Libraries that only some of them may know.
ONLY_IN = {
    "flax": {"flows", "modulation", "bases", "flow_density", "model", "worldlines"},
    "distrax": {"flows", "modulation", "bases"},
    "optax": {"optim", "train"},
    "orbax": {"checkpoint"},
    "blackjax": {"reference"},
    "diffrax": {"flows"},
    "matplotlib": {"plots"},
    "tqdm": {"monitor"},
    "scipy": {"targets", "warm_start"},
}
EVERYWHERE = {"jax", "numpy", *sys.stdlib_module_names}
FILES = sorted(ROOT.rglob("*.py"))


def component(path):
    """Return the first part of a file's name within the package."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path):
    """Return the full names of the modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            if node.module == PACKAGE:
                found |= {f"{PACKAGE}.{alias.name}" for alias in node.names}
            else:
                found.add(node.module)
    return {tuple(name.split(".")) for name in found}


def identify(path):
    return str(path.relative_to(ROOT))


def test_the_table_has_no_cycles_and_no_rows_too_many():
    order = list(graphlib.TopologicalSorter(MAY_IMPORT).static_order())
    assert order[0] == "core" or not MAY_IMPORT[order[0]]
    assert set(order) == set(MAY_IMPORT) == {component(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=identify)
def test_a_file_imports_only_lower_layers(path):
    own = component(path)
    within = {parts[1] for parts in imports(path) if parts[0] == PACKAGE}
    assert within - {own} <= MAY_IMPORT[own]


@pytest.mark.parametrize("path", FILES, ids=identify)
def test_a_library_is_known_only_where_it_belongs(path):
    libraries = {parts[0] for parts in imports(path)} - EVERYWHERE - {PACKAGE}
    assert libraries <= set(ONLY_IN)
    for library in libraries:
        assert component(path) in ONLY_IN[library], library


IMPORTS = """
import jax

def settings():
    return dict(jax.config.values)

before = settings()
import sesamo_jax
# Still possible, as jax.distributed is, while no device has been touched.
jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_num_cpu_devices", before["jax_num_cpu_devices"])

import importlib, pkgutil
names = [m.name for m in pkgutil.walk_packages(sesamo_jax.__path__, "sesamo_jax.")]
for name in names:
    importlib.import_module(name)
assert len(names) > 30, names
after = settings()
assert before == after, {k: after[k] for k in after if after[k] != before.get(k)}
"""


def test_importing_changes_no_jax_configuration_and_prints_nothing():
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_public_names_are_there():
    names = sesamo_jax.__all__
    assert len(names) == len(set(names))
    for name in names:
        assert getattr(sesamo_jax, name).__doc__, name

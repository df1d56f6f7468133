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

# What each folder of the package may import from the others, from the ground up; a new
# one gets a row. Upper layers may import lower ones, never the reverse.
MAY_IMPORT = {
    "core": set(),
    "parallel": set(),
    "numerics": {"core"},
    "geometry": {"core"},
    "symmetries": {"core", "geometry"},
    "targets": {"core", "geometry", "symmetries"},
    "flows": {"core", "geometry"},
    "modulation": {"core", "geometry", "symmetries"},
    "bases": {"core", "geometry"},
    "estimators": {"core"},
    "checks": {"core", "flows", "geometry", "symmetries"},
    "objectives": {"bases", "core", "flows", "geometry", "numerics", "parallel"},
    "samplers": {
        *("bases", "core", "flows", "geometry", "modulation", "objectives"),
        *("parallel", "symmetries"),
    },
    "reference": {
        *("bases", "core", "estimators", "geometry", "modulation", "parallel"),
        *("samplers", "symmetries"),
    },
    "config": {
        *("bases", "checks", "core", "flows", "geometry", "modulation", "objectives"),
        "reference",
        *("samplers", "targets"),
    },
    "storage": {"config", "core", "geometry"},
    "training": {
        *("config", "core", "estimators", "geometry", "modulation", "numerics"),
        *("objectives", "parallel", "reference", "samplers", "storage"),
    },
    "evaluation": {
        *("config", "core", "estimators", "modulation", "parallel", "reference"),
        *("samplers", "storage", "symmetries"),
    },
    "run": {
        *("bases", "config", "core", "estimators", "evaluation", "flows"),
        *("geometry", "modulation", "parallel", "reference", "samplers"),
        *("storage", "targets", "training"),
    },
    "trained": {
        *("config", "core", "evaluation", "flows", "objectives", "run", "samplers"),
        *("storage", "targets", "training"),
    },
    "interfaces": {"core", "trained"},
    "__main__": {"run"},
    "__init__": {
        *("config", "core", "evaluation", "flows", "interfaces", "targets", "trained"),
        "training",
    },
}
# Libraries that only some of them may know.
ONLY_IN = {
    "flax": {"flows", "modulation", "bases", "samplers"},
    "distrax": {"flows", "modulation", "bases", "interfaces"},
    "optax": {"training", "trained"},
    "orbax": {"run"},
    "blackjax": {"reference"},
    "diffrax": {"flows"},
    "matplotlib": {"run"},
    "tqdm": {"run"},
    "submitit": {"run"},
    "tensorboardX": {"run"},
    "scipy": {"estimators", "symmetries", "targets", "run"},
    "pandas": {"trained"},
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
# Parts of JAX that libraries import define settings of their own; that changes none.
assert before == {k: after[k] for k in before}
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

"""Build the packages of a release, and use one where there is no checkout.

    python experiments/release_check.py python3.13

leaves the sdist and the wheel in dist/. They must hold what the repository does, and
nothing else. The wheel is installed by the interpreter that is named, with the newest
versions there are, into an environment of its own, and does there what the README says.
"""

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "sesamo_jax"
MADE = re.compile(r"PKG-INFO|setup\.cfg|MANIFEST\.in|.*\.egg-info/.*")  # by the build
SAVE = """
import numpy as np

named = train("gmm_broken", {"training.steps": 100}).samplers[0]
named.save("mixture")
x, log_q = named.sample_and_log_prob(jax.random.key(2), 1000)
np.savez("drawn.npz", x=x, log_q=log_q)
"""
LOAD = """
import jax
import numpy as np

import sesamo_jax

loaded = sesamo_jax.load("mixture")
x, log_q = loaded.sample_and_log_prob(jax.random.key(2), 1000)
drawn = np.load("drawn.npz")
assert np.array_equal(x, drawn["x"]), "other samples in another process"
assert np.array_equal(log_q, drawn["log_q"]), "other densities in another process"
for name in sesamo_jax.pretrained():
    x = sesamo_jax.load_pretrained(name).sample(jax.random.key(3), 10)
    assert np.all(np.isfinite(x)), name
target = sesamo_jax.build_target("gmm")
assert "@software" in sesamo_jax.citation(sesamo_jax.Config(), target)
"""


def build(folder: Path) -> tuple[Path, Path]:
    """Return the sdist and the wheel, built into a folder."""
    call(sys.executable, "-m", "build", "--quiet", "--outdir", folder, ROOT)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def check_contents(sdist: Path, wheel: Path) -> None:
    """Compare what is in them with what is in the repository.

    Raises:
        AssertionError: if a file is missing, or one is in them that should not be.
    """
    listed = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True)
    tracked = {name for name in listed.splitlines() if not name.startswith(".")}
    with tarfile.open(sdist) as archive:
        files = (member.name for member in archive if member.isfile())
        found = {name.partition("/")[2] for name in files}
    same({name for name in found if not MADE.fullmatch(name)}, tracked, sdist)
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    own = {name for name in tracked if name.startswith(f"{PACKAGE}/")}
    same(found, own, wheel)


def same(found: set[str], wanted: set[str], package: Path) -> None:
    """Raise AssertionError unless both are the same, but for what the build makes."""
    wanted = {name for name in wanted if not MADE.fullmatch(name)}
    missing, foreign = sorted(wanted - found), sorted(found - wanted)
    assert not missing, f"{package.name} lacks {missing}"
    assert not foreign, f"{package.name} has {foreign}, which the repository has not"


def use(wheel: Path, python: str, folder: Path) -> None:
    """Install a wheel into an environment in a folder, and use it from there."""
    binaries = folder / "environment" / "bin"
    call(python, "-m", "venv", binaries.parent)
    call(binaries / "pip", "install", "--quiet", wheel)
    script = re.search(
        r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S
    )
    assert script is not None, "README.md has no script"
    for name, text in {"save.py": script[1] + SAVE, "load.py": LOAD}.items():
        (folder / name).write_text(text)
        call(binaries / "python", name, cwd=folder)
    words = ["run", "--target", "gmm", "--preset", "smoke", "--output", "run"]
    call(binaries / "sesamo-jax", *words, cwd=folder)
    assert (folder / "run" / "report.html").exists()


def call(*words: str | Path, cwd: Path = ROOT) -> None:
    """Carry out a program, with no package but those of its environment."""
    print("$", *words, flush=True)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run(words, cwd=cwd, env=environment, check=True)


def main(python: str) -> None:
    """Build, compare, install and use."""
    with tempfile.TemporaryDirectory() as folder:
        sdist, wheel = build(Path(folder) / "dist")
        check_contents(sdist, wheel)
        use(wheel, python, Path(folder))
        for package in (sdist, wheel):
            target = ROOT / "dist" / package.name
            target.parent.mkdir(exist_ok=True)
            package.replace(target)
            print(target)


if __name__ == "__main__":
    main(*(sys.argv[1:] or [sys.executable]))

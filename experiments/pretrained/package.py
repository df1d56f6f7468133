"""The analysis `package`: write the runs' samplers into the package."""

import shutil

from reading import RESULTS, ROOT

from pretrained.runs import RUNS
from sesamo_jax import load_run

FOLDER = ROOT / "sesamo_jax" / "pretrained"


def main() -> None:
    """Replace the samplers of those runs whose folders are here."""
    for name in RUNS:
        run = RESULTS / "pretrained" / name
        if run.exists():
            (sampler,) = load_run(run).samplers
            shutil.rmtree(FOLDER / name, ignore_errors=True)
            sampler.save(FOLDER / name)

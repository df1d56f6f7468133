"""Turn run folders of the former layout into the results of studies, and compare both.

`python experiments/convert_results.py FOLDER` takes every finished run below the former
`experiments/results` into `results/STUDY/runs.jsonl`; with `--check` it only compares:
every number of configuration, environment and metrics, and every line of histories.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from sesamo_jax.run.results import Results, record

RESULTS = Path(__file__).parent / "results"
# Folders of studies, by the names of these; what lies beside them is the README's.
STUDIES = {
    "phi4": "phi4",
    "hubbard_study": "hubbard",
    "particles": "particles",
    "paper": "paper",
}
README = "readme"


def runs(folder: Path) -> Iterator[tuple[str, Path]]:
    """Return every finished run's folder with the study that it belongs to."""
    for path in sorted(folder.glob("**/metrics.json")):
        yield STUDIES.get(path.parent.parent.name, README), path.parent


def text(known: dict | None) -> str:
    """Return a record in the one form that tells 1 from 1.0 and from true."""
    return json.dumps(known, sort_keys=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the former experiments/results")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args()
    found: dict[str, dict[str, dict]] = {}
    for study, path in runs(options.folder):
        found.setdefault(study, {})[path.name] = record(path)
    differ = 0
    for study, records in found.items():
        results = Results(RESULTS / study)
        if not options.check:
            for name, known in records.items():
                results.put(name, known)
        for name, known in records.items():
            if text(results.records.get(name)) != text(known):
                differ += 1
                print(f"{study}/{name}: not as in its folder")
        print(f"{study}: {len(records)} runs compared, {len(results.records)} known")
    if differ:
        sys.exit(f"{differ} runs differ")


if __name__ == "__main__":
    main()

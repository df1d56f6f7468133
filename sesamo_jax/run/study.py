"""Studies: tables of runs, what they have given, and the pages that show it.

A study is a folder with a module `runs`, whose RUNS are its entries by name. GROUPS may
name some of them together, and PREPARE makes files that they read. A module `tables`
may have TABLES for its PAGES, and a module `figures` FIGURES for the folder PICTURES.
Results are beside the study, in `results/STUDY/runs.jsonl`, and so are the folders of
runs carried out here, `results/STUDY/RUN`. Runs of another study are named STUDY/RUN.
Other modules with a `main` are analyses: what no configuration of a run can say.
"""

import importlib
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from types import ModuleType
from typing import Any

from sesamo_jax.run.entry import Entry, changed, finished_in, program
from sesamo_jax.run.folder import METRICS
from sesamo_jax.run.pages import rewrite, stale
from sesamo_jax.run.results import Results, record, results_in

STUDIES = Path("experiments")
RUNS = "runs.py"


@dataclass(frozen=True)
class Study:
    """A study's declarations.

    Attributes:
        folder: of its modules.
        runs: by name; those of another study by STUDY/NAME.
        groups: names of runs, by the name of the group.
        prepare: makes the files that runs read, where they are missing.
    """

    folder: Path
    runs: Mapping[str, Entry]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prepare: Callable[[], None] | None = None

    def place(self, name: str) -> tuple[Results, str]:
        """Return the results that a run belongs to, and its name there."""
        owner, _, run = name.rpartition("/")
        return results_in(self._results_folder(owner)), run

    def output(self, name: str) -> Path:
        """Return where a run is carried out."""
        owner, _, run = name.rpartition("/")
        return self._results_folder(owner) / run

    def _results_folder(self, owner: str) -> Path:
        return self.folder.parent / "results" / (owner or self.folder.name)

    def choose(self, texts: list[str]) -> dict[str, Entry]:
        """Return the runs of groups, and those whose names have a text in them.

        Raises:
            ValueError: if there are none.
        """
        if not self.runs:
            raise ValueError(
                f"study {self.folder.name!r} has no runs, only what is measured beside "
                "them: call it with --analysis NAME, or with --pages"
            )
        grouped = {name for text in texts for name in self.groups.get(text, ())}
        parts = [text for text in texts if text not in self.groups]
        chosen = {
            name: entry
            for name, entry in self.runs.items()
            if name in grouped or any(text in name for text in parts)
        }
        if not chosen:
            known = f"; groups: {', '.join(self.groups)}" if self.groups else ""
            raise ValueError(
                f"no run's name has {' or '.join(texts)}: see --list{known}"
            )
        return chosen

    def carry_out(self, runs: Mapping[str, Entry], hours: float = inf) -> int:
        """Carry out runs, each in a process of its own; return how many are unfinished.

        Finished ones are skipped. When the hours are over, the run that is under way
        saves its state and stops; the next call continues it.
        """
        end, unfinished, prepared = time.monotonic() + 3600 * hours, 0, False
        for name, entry in runs.items():
            try:
                if self.finished(name, entry):
                    continue
                left = end - time.monotonic()
                if left <= 0:
                    unfinished += 1
                    continue
                if self.prepare is not None and not prepared:
                    self.prepare()
                    prepared = True
                if finished_in(left, program(self.output(name), entry)):
                    results, run = self.place(name)
                    results.put(run, record(self.output(name)))
                else:
                    unfinished += 1
            except ValueError as error:
                print(f"{name}: {error}", flush=True)
                unfinished += 1
        return unfinished

    def finished(self, name: str, entry: Entry) -> bool:
        """Return whether a run's result is known, from its folder if need be.

        Raises:
            ValueError: if what is there cannot be read, or is of another configuration.
        """
        results, run = self.place(name)
        if run not in results:
            if not (self.output(name) / METRICS).exists():
                return False
            results.put(run, record(self.output(name)))
        if change := changed(results.config(run), entry):
            raise ValueError(
                f"{results.path} has a result of another configuration ({change}): run "
                "it anew in another folder, and --collect that"
            )
        return True

    def collect(self, path: Path) -> None:
        """Take in a finished run's folder, named as the run is.

        Raises:
            ValueError: if the study has no such run, or of another configuration, or
                the run is not finished.
        """
        name = path.resolve().name
        if name not in self.runs:
            raise ValueError(f"{path}: the study has no run {name!r}, see --list")
        found = record(path)
        if change := changed(found["config"], self.runs[name]):
            raise ValueError(f"{path} holds a run of another configuration ({change})")
        self.place(name)[0].put(name, found)

    def owners(self, runs: Mapping[str, Entry]) -> list["Study"]:
        """Return the studies that runs belong to, this one first."""
        others = {name.rpartition("/")[0] for name in runs} - {""}
        return [
            self,
            *(load(str(self.folder.parent / name)) for name in sorted(others)),
        ]

    def module(self, name: str) -> ModuleType | None:
        """Return one of the study's modules, None where it has none of that name."""
        return _module(self.folder, name)

    def analyse(self, name: str) -> None:
        """Carry out one of the study's analyses.

        Raises:
            ValueError: if there is none of that name.
        """
        main = getattr(self.module(name), "main", None)
        if main is None:
            raise ValueError(f"{self.folder} has no module {name!r} with a main")
        main()

    def write_pages(self) -> None:
        """Write tables and figures from the results, as far as they are enough."""
        if tables := self.module("tables"):
            rewrite(tables.PAGES, tables.TABLES)
        if figures := self.module("figures"):
            save_figures(figures.FIGURES, figures.PICTURES)

    def stale_pages(self) -> list[Path]:
        """Return the pages whose tables the results contradict."""
        tables = self.module("tables")
        return stale(tables.PAGES, tables.TABLES) if tables else []


def load(name: str) -> Study:
    """Return a study, by its name in `experiments` or by the path of its folder.

    Raises:
        ValueError: if there is none.
    """
    folder = next(
        (path for path in (Path(name), STUDIES / name) if (path / RUNS).exists()), None
    )
    if folder is None:
        known = ", ".join(known_studies())
        raise ValueError(
            f"no study {name!r} in {STUDIES}/ here; known: {known or 'none'}. Call "
            "this from the checkout, or give the path of the study's folder"
        )
    runs = _module(folder, "runs")
    assert runs is not None
    return Study(
        folder,
        runs.RUNS,
        getattr(runs, "GROUPS", {}),
        getattr(runs, "PREPARE", None),
    )


def known_studies() -> list[str]:
    """Return the names of the studies in `experiments`."""
    return sorted(path.parent.name for path in STUDIES.glob(f"*/{RUNS}"))


def _module(folder: Path, name: str) -> ModuleType | None:
    if not (folder / f"{name}.py").exists():
        return None
    parent = str(folder.resolve().parent)
    if parent not in sys.path:
        sys.path.insert(0, parent)
    return importlib.import_module(f"{folder.resolve().name}.{name}")


def save_figures(figures: Mapping[str, Callable[[], Any]], folder: Path) -> None:
    """Draw figures into a folder, by file name; leave those that come out None."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in figures.items():
        figure = draw()
        if figure is not None:
            figure.savefig(folder / name, dpi=150)

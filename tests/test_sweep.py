"""Scans of parameters: their points, their executors and their table."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import submitit  # here: it keeps for good the streams that it finds when imported

from sesamo_jax.run import sweep as engine
from sesamo_jax.run.cli import sweep as command
from sesamo_jax.run.cli.command import Parser

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "experiments" / "sweep.py"
TINY = [
    *("--target", "gmm", "--preset", "smoke", "--set", "flow.couplings=1"),
    *("--set", "flow.layers=0", "--set", "flow.width=4", "--set", "training.steps=2"),
    *("--set", "training.batch_size=16", "--set", "evaluation.samples=100"),
]
MODES = ["--grid", "target.modes=2,3"]


@pytest.fixture
def main(experiment, monkeypatch, tmp_path, capsys):
    """Return a function of arguments that returns exit code, stdout and stderr."""
    script = experiment("sweep")
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["sweep.py", *map(str, arguments)])
        try:
            script.main()
            code = 0
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return call


def test_values_with_commas_are_separated_by_semicolons():
    assert command.grid(["target.kappa=0.2, 0.25", "target.shape=8,8;16,16"]) == {
        "target.kappa": ["0.2", "0.25"],
        "target.shape": ["8,8", "16,16"],
    }
    assert command.grid(["target.shape=8,8;"]) == {"target.shape": ["8,8"]}


def test_points_are_all_combinations(main, tmp_path):
    code, out, _ = main(
        *("--target", "phi4_real", "--output", "scan", "--list"),
        *("--grid", "target.shape=4,4;6,6", "--grid", "target.kappa=0.2,0.3"),
    )
    assert code == 0
    assert out.splitlines() == [
        f"scan/target.shape={shape}_target.kappa={kappa} to do"
        for shape in ("4x4", "6x6")
        for kappa in ("0.2", "0.3")
    ]
    assert list(tmp_path.iterdir()) == []


WRONG = {
    "no target": ([*MODES, "--output", "scan"], "--target is missing"),
    "no output": ([*TINY, *MODES], "--output is missing"),
    "no grid": ([*TINY, "--output", "scan"], "--grid is missing, e.g."),
    "form": ([*TINY, "--output", "scan", "--grid", "target.modes"], "form a.b=value"),
    "no values": (
        [*TINY, "--output", "scan", "--grid", "target.modes=,"],
        "--grid target.modes=,: name it once, with its values",
    ),
    "twice": ([*TINY, "--output", "scan", *MODES, *MODES], "name it once"),
    "setting": (
        [*TINY, "--output", "scan", "--grid", "target.mode=2"],
        "nearest: target.modes",
    ),
    "value": (
        [*TINY, "--output", "scan", "--grid", "training.batch_size=8,0"],
        "point training.batch_size=0: training.batch_size=0 must be at least 1",
    ),
    "no effect": (
        [*TINY, "--output", "scan", "--grid", "vmonf.width=3,4"],
        "point vmonf.width=3: vmonf.width=3 has no effect with method=sesamo",
    ),
    "memory": (
        [*TINY, "--output", "scan", "--grid", "flow.width=4,1000000"],
        "point flow.width=1000000: flow.width=1000000 must be at most 100000",
    ),
    "same": (
        [*TINY, "--output", "scan", "--grid", "target.modes=2,2"],
        "--grid has 2 points of the name target.modes=2",
    ),
    "executor": (
        [*TINY, *MODES, "--output", "scan", "--executor", "lsf"],
        "unknown --executor 'lsf'; known: debug, local, slurm",
    ),
    "parallel": (
        [*TINY, *MODES, "--output", "scan", "--parallel", "0"],
        "--parallel 0 must be at least 1",
    ),
    "key": (
        [*TINY, *MODES, "--output", "scan", "--slurm", "hours=3"],
        "--executor local:",
    ),
    "no queue": (
        [*TINY, *MODES, "--output", "scan", "--executor", "slurm"],
        "--executor slurm:",
    ),
}


@pytest.mark.parametrize(("arguments", "words"), WRONG.values(), ids=WRONG)
def test_wrong_usage_is_one_line_and_runs_nothing(
    arguments, words, main, monkeypatch, tmp_path
):
    def carry_out(*arguments):
        pytest.fail("the scan has begun")

    monkeypatch.setattr(command, "carry_out_points", carry_out)
    monkeypatch.setenv("PATH", "")  # no scheduler
    code, out, err = main(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("sweep.py: ")
    assert err.count("\n") == 1
    assert words in err
    assert not (tmp_path / "scan").exists()


def test_missing_submitit_names_the_extra(main, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    code, _, err = main(*TINY, *MODES, "--output", "scan")
    assert code == 2
    assert "needs submitit: pip install 'sesamo-jax[cluster]'" in err


def test_a_preempted_point_is_queued_again(tmp_path):
    parser = Parser()
    command.add_arguments(parser)
    options = parser.parse_args([*TINY, *MODES, "--output", str(tmp_path)])
    point = command.points(options)[0]
    queued = point.checkpoint()
    assert isinstance(queued, submitit.helpers.DelayedSubmission)
    assert queued.function == point


@pytest.mark.slow  # jobs are programs of their own; points in one process are quick
def test_local_jobs_fill_the_table_and_a_second_call_only_reads_them(main, tmp_path):
    scan = tmp_path / "scan"
    words = [sys.executable, SCRIPT, *TINY, *MODES, "--output", scan]
    flags = "--xla_backend_optimization_level=0"
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*words, "--parallel", "2"],
        env=os.environ | {"XLA_FLAGS": flags, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    table = (scan / "table.md").read_text()
    assert done.stdout == table
    assert table.startswith("| point | ESS | leak | log Z |")
    for modes in (2, 3):
        assert (scan / f"target.modes={modes}" / "metrics.json").exists()
        assert f"| `target.modes={modes}` | 0." in table

    before = (scan / "target.modes=2" / "metrics.json").read_bytes()
    code, out, _ = main(*TINY, *MODES, "--output", scan)
    assert (code, out) == (0, table)
    assert (scan / "target.modes=2" / "metrics.json").read_bytes() == before

    code, _, err = main(*TINY, "--seeds", "2", *MODES, "--output", scan)
    assert code == 2
    assert "target.modes=2 holds a run of another configuration (seeds was 1" in err


def test_points_that_fail_are_named_and_the_others_go_on(main, monkeypatch):
    """Whatever they fail with."""
    errors = {2: ValueError("no memory"), 4: KeyError("step"), 5: MemoryError()}
    done = []

    def execute(run, folder, **options):
        if run.target.modes in errors:
            raise errors[run.target.modes]
        done.append(run.target.modes)
        folder.mkdir(parents=True)

    monkeypatch.setattr(engine, "execute", execute)
    grid = ("--grid", "target.modes=2,3,4,5,6")
    code, out, err = main(*TINY, *grid, "--output", "scan", "--executor", "debug")
    assert code == 1
    assert done == [3, 6]
    assert "| `target.modes=2` | - | - | - |" in out
    assert err.splitlines() == [
        "target.modes=2: no memory",
        "target.modes=4: 'step'",
        "target.modes=5: MemoryError",
        "sweep.py: 3 of 5 points did not finish; repeat this",
    ]


def test_a_signal_ends_the_scan(main, monkeypatch):
    begun = []

    def execute(run, folder, **options):
        begun.append(run.target.modes)
        raise engine.Stopped("stopped at step 1 of 2")

    monkeypatch.setattr(engine, "execute", execute)
    code, _, err = main(*TINY, *MODES, "--output", "scan", "--executor", "debug")
    assert (code, begun) == (1, [2])
    assert err.startswith("target.modes=2: stopped at step 1 of 2\n")


def test_the_reason_of_a_job_is_the_error_it_ended_with():
    reason = engine.reason
    trace = "Traceback\n  File x\nValueError: no memory"
    rule = "-" * 22
    job = f"Job (task=0) failed:\n{rule}\n{trace}\n\n{rule}\nSee:\n  - /a/0_log.out"
    assert reason(RuntimeError(job)) == "ValueError: no memory"
    assert reason(RuntimeError("first\nlast\n")) == "last"
    assert reason(MemoryError()) == "MemoryError"

"""The command line: what it prints, how it ends, and what it writes."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

from sesamo_jax.config import complete, resolve
from sesamo_jax.config.presets import PRESETS
from sesamo_jax.config.record import to_json
from sesamo_jax.run import execute as runs
from sesamo_jax.run.cli import main as cli
from sesamo_jax.run.cli import run as command
from sesamo_jax.targets import TARGETS

SCRIPT = Path(__file__).parents[1] / "experiments" / "run.py"


@pytest.fixture
def script(experiment):
    """Return the script as a module, so that most tests need no new interpreter."""
    return experiment("run")


@pytest.fixture
def main(script, monkeypatch, tmp_path, capsys):
    """Return a function of arguments that returns exit code, stdout and stderr."""
    # Without --output the run folder would be made here.
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
        try:
            script.main()
            code = 0
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return call


WRONG = {
    "no target": ([], "--target is missing; known: gmm"),
    "target": (["--target", "gnm"], "unknown target 'gnm'; nearest: gmm"),
    "preset": (["--target", "gmm", "--preset", "papper"], "nearest: paper"),
    "method": (["--target", "gmm", "--method", "sesam"], "nearest: sesamo"),
    "modulation": (
        ["--target", "gmm", "--modulation", "metropolis"],
        "unknown modulation 'metropolis'; known: heat_bath, exact, learned",
    ),
    "modulation not in use": (
        ["--target", "gmm", "--method", "realnvp", "--modulation", "metropolis"],
        "unknown modulation 'metropolis'",
    ),
    "density": (["--target", "gmm", "--density", "all"], "unknown density 'all'"),
    "objective": (
        ["--target", "gmm", "--objective", "kl"],
        "unknown training.objective 'kl'",
    ),
    "gradient": (
        ["--target", "gmm", "--gradient", "half"],
        "unknown training.gradient 'half'",
    ),
    "setting": (
        ["--target", "gmm", "--set", "training.step=3"],
        "unknown setting 'training.step'; nearest: training.steps",
    ),
    "form of a setting": (
        ["--target", "gmm", "--set", "training.steps"],
        "--set 'training.steps' must have the form a.b=value",
    ),
    "type": (
        ["--target", "gmm", "--set", "training.steps=many"],
        "training.steps='many' must be an integer",
    ),
    "type of a flag": (
        ["--target", "gmm", "--steps", "many"],
        "training.steps='many' must be an integer",
    ),
    "batch size": (
        ["--target", "gmm", "--batch-size", "0"],
        "training.batch_size=0 must be at least 1",
    ),
    "coupling": (
        ["--target", "phi4_real", "--set", "target.kappa=nan"],
        "target.kappa=nan must be finite",
    ),
    "huge coupling": (
        ["--target", "dw2", "--set", "target.linear=1e308"],
        "target.linear=1e+308 must be at most 1000000",
    ),
    "precision of a field": (
        ["--target", "phi4_complex", "--set", "target.dtype=nonsense"],
        "unknown target.dtype 'nonsense'; known: float32, float64",
    ),
    "particles": (
        ["--target", "lj13", "--set", "target.particles=1000000000"],
        "target.particles=1000000000 must be at most 500",
    ),
    "sites": (
        ["--target", "hubbard", "--set", "target.extents=100000"],
        "target.extents=(100000,) are 100000 sites, and at most 512",
    ),
    "terabytes of lattice": (
        ["--target", "phi4_real", "--set", "target.shape=1000000,1000000"],
        "event_shape (1000000, 1000000) has more than 2147483647 components",
    ),
    "terabytes of chains": (
        [
            *("--target", "gmm", "--method", "hmc"),
            *("--set", "hmc.chains=1000000000", "--set", "hmc.samples=1000000"),
        ],
        "lower hmc.chains or hmc.samples",
    ),
    "terabytes of parameters": (
        ["--target", "gmm", "--set", "flow.width=100000", "--set", "flow.layers=90"],
        "GiB there are: choose a smaller flow",
    ),
    "seeds without end": (
        ["--target", "gmm", "--seeds", "4000000000"],
        "seeds=4000000000 must be at most 100000 in one run",
    ),
    "modulation of particles": (
        ["--target", "dw4", "--modulation", "learned"],
        "modulation=learned has no effect with method=flow on 'dw4' as it is set "
        "up: it is for method=sesamo; set that, or leave it out",
    ),
    "objective of chains": (
        ["--target", "phi4_real", "--method", "hmc", "--objective", "reinforce"],
        "training.objective=reinforce has no effect with method=hmc",
    ),
    "infinite rate": (
        ["--target", "gmm", "--lr", "inf"],
        "training.learning_rate=inf",
    ),
    "precision": (
        ["--target", "hubbard", "--set", "target.dtype=float32"],
        "target.dtype='float32': the Hubbard determinant",
    ),
    "low precision": (
        ["--target", "gmm", "--set", "target.dtype=float16"],
        "unknown target.dtype 'float16'; known: float32, float64",
    ),
    "unknown precision": (["--target", "gmm", "--set", "target.dtype=fine"], "fine"),
    "exact law": (
        ["--target", "gmm_broken", "--modulation", "exact"],
        "modulation 'exact' needs an invariant action",
    ),
    "learned law": (
        ["--target", "gmm", "--modulation", "learned", "--objective", "reverse_kl"],
        "objective 'reverse_kl' gives a learned modulation no gradient",
    ),
    "flow": (
        ["--target", "gmm", "--set", "flow.activation=sine"],
        "unknown flow.activation 'sine'; known: relu",
    ),
    "resume": (
        ["--target", "gmm", "--resume"],
        "--resume needs --output, the folder of the run",
    ),
    "seeds": (["--target", "gmm", "--seeds", "0"], "seeds=0 must be at least 1"),
    "seed": (["--target", "gmm", "--seed", "-1"], "seed=-1 must not be negative"),
    "large seed": (["--target", "gmm", "--seed", str(2**32)], "seed=4294967296"),
    "number of seeds": (["--target", "gmm", "--seeds", "two"], "invalid int value"),
    "devices": (
        ["--target", "gmm", "--devices", "99"],
        "devices=99 are more than the",
    ),
    "devices of a sampler": (
        ["--target", "phi4_real", "--method", "hmc", "--devices", "2"],
        "method 'hmc' trains nothing: it runs in one process, with devices=1",
    ),
    "coordinator": (
        ["--target", "gmm", "--coordinator", "node1:1234"],
        "coordinator=node1:1234 also needs processes=N and process=I",
    ),
    "no coordinator": (
        [
            *("--target", "gmm", "--coordinator", "127.0.0.1:1", "--wait", "1"),
            *("--processes", "2", "--process", "1"),
        ],
        "coordinator=127.0.0.1:1 did not answer process 1 within 1 s",
    ),
    "flag": (["--target", "gmm", "--sed", "3"], "unrecognized arguments: --sed 3"),
}


@pytest.mark.parametrize(("arguments", "words"), WRONG.values(), ids=WRONG)
def test_wrong_usage_is_one_line_and_writes_nothing(
    arguments, words, main, tmp_path, monkeypatch
):
    def fit(*arguments, **options):
        pytest.fail("the run has begun")

    monkeypatch.setattr(runs, "fit", fit)
    code, out, err = main(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("run.py: ")
    assert err.count("\n") == 1
    assert words in err
    assert list(tmp_path.iterdir()) == []


def saved_run(folder, target, preset):
    """Make a folder that holds the completed configuration of a run, as runs do."""
    run = resolve(target, preset)
    run = replace(run, config=complete(run.config, run.target.build(target)))
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(to_json(run)))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "already holds a run: choose another, or add --resume"),
        (["--resume", "--steps", "7"], "(training.steps was 20, now 7)"),
    ],
)
def test_a_folder_in_use_is_left_alone(arguments, words, main, tmp_path):
    saved_run(tmp_path / "run", "gmm", "smoke")
    base = ("--target", "gmm", "--preset", "smoke", "--output", "run")
    code, out, err = main(*base, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("run.py: output folder run ")
    assert words in err
    assert err.count("\n") == 1
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.json"]


def test_an_output_that_cannot_be_written_is_refused(main, tmp_path):
    (tmp_path / "file").write_text("mine")
    code, out, err = main("--target", "gmm", "--output", "file/run")
    assert (code, out) == (2, "")
    assert re.fullmatch(r"run.py: output folder file/run is not writable: .*\n", err)


def test_a_folder_of_other_files_is_refused(main, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    code, out, err = main("--target", "gmm", "--output", ".")
    assert (code, out) == (2, "")
    assert "holds files that are not a run's" in err


def test_a_full_disk_ends_the_run_with_the_way_to_go_on(main, monkeypatch):
    def execute(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command, "execute", execute)
    code, out, err = main("--target", "gmm", "--output", "run")
    assert (code, out) == (1, "")
    assert "No space left on device" in err
    assert "run, --resume continues it" in err
    assert err.count("\n") == 1


def test_flags_and_settings_reach_the_run(main, monkeypatch):
    seen = []

    def execute(*arguments):
        seen.append(arguments)
        raise OSError("enough")

    monkeypatch.setattr(command, "execute", execute)
    main(
        *("--target", "hubbard", "--preset", "paper", "--method", "sesamo"),
        *("--modulation", "learned", "--density", "strict", "--gradient", "path"),
        *("--objective", "reinforce", "--steps", "7", "--batch-size", "8"),
        *("--lr", "0.5", "--seeds", "3", "--seed", "4", "--output", "runs/h"),
        *("--resume", "--set", "target.beta=2.0", "--set", "flow.width=9"),
        *("--devices", "2", "--tensorboard"),
    )
    ((run, output, resume, devices, tensorboard),) = seen
    config, training = run.config, run.config.training
    assert (run.target_name, run.preset, run.seed, run.seeds) == (
        "hubbard",
        "paper",
        4,
        3,
    )
    assert (config.method, config.modulation, config.density) == (
        "sesamo",
        "learned",
        "strict",
    )
    assert (training.objective, training.gradient) == ("reinforce", "path")
    assert (training.steps, training.batch_size) == (7, 8)
    assert training.learning_rate == 0.5
    assert (run.target.beta, config.flow.width) == (2.0, 9)
    assert (str(output), resume, devices) == ("runs/h", True, 2)
    assert tensorboard


def test_without_an_output_the_folder_is_dated_and_new(main, monkeypatch):
    seen = []

    def execute(run, output, *arguments):
        seen.append(output)
        raise OSError("enough")

    monkeypatch.setattr(command, "execute", execute)
    main("--target", "gmm", "--method", "realnvp")
    assert re.fullmatch(r"runs/\d{8}-\d{6}-gmm-flow", str(seen[0]))


def test_a_name_that_the_terminal_has_no_letters_for_is_shown_all_the_same(
    script, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "execute", lambda *arguments: {})
    monkeypatch.setattr(command, "format_report", lambda metrics: "report")
    monkeypatch.setattr(sys, "argv", ["run.py", "--target", "gmm", "--output", "läuft"])
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="ascii"))
    script.main()
    sys.stdout.flush()
    assert printed.getvalue() == b"report\n\nfiles: l\\xe4uft\n"


def test_list_names_everything_that_can_be_chosen(main, tmp_path):
    code, out, err = main("--list")
    assert (code, err) == (0, "")
    for name in (*TARGETS, *PRESETS, "canonicalization", "rao_blackwell", "strict"):
        assert name in out
    assert "beta=1.0" in out
    assert "batch_size=1000" in out
    assert list(tmp_path.iterdir()) == []


# The console script

COMMANDS = ("run", "list", "compare", "study", "sweep", "data")


def console(capsys, *arguments):
    """Return exit code, stdout and stderr of `sesamo-jax`."""
    try:
        cli.main(list(arguments))
        code = 0
    except SystemExit as stop:
        code = stop.code
    return code, *capsys.readouterr()


def test_the_console_script_is_the_command_line():
    text = (SCRIPT.parents[1] / "pyproject.toml").read_text()
    module, name = tomllib.loads(text)["project"]["scripts"]["sesamo-jax"].split(":")
    assert getattr(import_module(module), name) is cli.main


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_the_overview_names_all_commands(arguments, capsys):
    code, out, err = console(capsys, *arguments)
    assert (code, err) == (0, "")
    shown = [line.split()[0] for line in out.splitlines() if line.startswith("    ")]
    assert [word for word in shown if word in COMMANDS] == list(COMMANDS)
    assert "sesamo-jax run --target hubbard" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_shows_how_it_is_called(name, capsys):
    code, out, err = console(capsys, name, "--help")
    assert (code, err) == (0, "")
    examples = re.findall(rf"^  (sesamo-jax {name} .*)$", out, re.M)
    assert len(examples) >= (0 if name == "list" else 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train"], "sesamo-jax: argument COMMAND: invalid choice: 'train'"),
        (["run", "--target", "gnm"], "sesamo-jax run: unknown target 'gnm'; nearest"),
        (["run", "--sed", "3"], "unrecognized arguments: --sed 3"),
        (["sweep", "--output", "scan"], "sesamo-jax sweep: --target is missing"),
        (["data", "--target", "dw2"], "sesamo-jax data: --output is missing"),
        (
            ["data", "--target", "dw2", "--output", "d", "--samples", "30"],
            "--samples 30 must be a multiple of --populations 20",
        ),
        (
            ["data", "--target", "dw2", "--output", "d", "--set", "smc.particle=3"],
            "unknown setting 'smc.particle'; nearest: smc.particles",
        ),
        (["study", "huband"], "sesamo-jax study: no study 'huband' in experiments/"),
    ],
)
def test_wrong_usage_of_a_command_is_one_line(
    arguments, words, capsys, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    code, out, err = console(capsys, *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_list_is_that_of_run(capsys, main):
    assert console(capsys, "list") == main("--list")


# In interpreters of their own

SMALL = [
    *("--target", "gmm", "--preset", "smoke", "--method", "realnvp"),
    *("--set", "flow.couplings=1", "--set", "flow.layers=0", "--set", "flow.width=4"),
    *("--output", "run"),
]
# Compilation is most of the time of such runs.
ENVIRONMENT = os.environ | {
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "JAX_ENABLE_X64": "0",
}


def start(folder, *arguments, program=(str(SCRIPT),)):
    """Start the script, or another program, in a folder."""
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """Return exit code, stdout and stderr."""
    try:
        out, err = process.communicate()
    finally:
        process.kill()
    return process.returncode, out, err


def test_smoke_run_prints_a_report(tmp_path):
    code, out, err = finish(start(tmp_path, *SMALL, "--seeds", "2"))
    assert code == 0
    phases = [line.split(":")[0] for line in err.splitlines()]
    assert phases == ["compiling", "training", "training", "judging"]
    lines = out.splitlines()
    assert lines[0].startswith("gmm: flow, density orbit, preset smoke, 2 seed(s)")
    assert lines[-1] == "files: run"
    shown = {line.split()[0] for line in lines if line}
    assert {"ESS", "log", "ELBO", "leak", "sector", "7"} <= shown
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert len(metrics["seeds"]) == 2
    assert metrics["aggregate"]["ess"]["text"] in out
    # The mixture does not need float64, so the run does not switch it on.
    assert json.loads((tmp_path / "run" / "env.json").read_text())["x64"] is False


def test_wrong_usage_of_the_script_itself(tmp_path):
    code, out, err = finish(start(tmp_path, "--target", "phi"))
    assert (code, out) == (2, "")
    assert err.startswith("run.py: unknown target 'phi'")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_stops_is_no_error():
    words, pipe = [sys.executable, "-m", "sesamo_jax", "list"], subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_the_package_is_a_program(tmp_path):
    arguments = ("run", "--target", "phi")
    code, out, err = finish(start(tmp_path, *arguments, program=("-m", "sesamo_jax")))
    assert (code, out) == (2, "")
    assert err.startswith("sesamo-jax run: unknown target 'phi'")


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"sesamo-jax {version('sesamo-jax')}\n"


@pytest.mark.slow  # three processes; in one, `test_resume`
def test_a_stopped_run_is_continued_by_resume(tmp_path):
    steps = 3000
    arguments = [*SMALL, "--steps", str(steps)]
    process = start(tmp_path, *arguments)
    lines = tmp_path / "run" / "history.csv"
    while not lines.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    code, out, err = finish(process)
    assert (code, out) == (1, ""), err
    stopped = re.search(
        r"^run.py: stopped at step (\d+) of 3000; continue with --output run --resume$",
        err,
        re.M,
    )
    assert stopped, err
    assert 0 < int(stopped[1]) < steps
    assert not (tmp_path / "run" / "metrics.json").exists()

    code, out, err = finish(start(tmp_path, *arguments, "--resume"))
    assert code == 0, err
    assert "ESS" in out
    taken = [int(line.split(",")[1]) for line in lines.read_text().splitlines()[1:]]
    assert taken == list(range(10, steps + 1, 10))

"""The benchmarks: our side of the clock, the search for thresholds, and the tables."""

from types import SimpleNamespace

import numpy as np
import pytest

from sesamo_jax import estimators
from sesamo_jax.config import resolve

TINY = {
    "training.steps": 6,
    "training.batch_size": 16,
    "flow.couplings": 1,
    "method": "realnvp",
}


@pytest.fixture(scope="module")
def ours(experiment):
    return experiment("benchmarks.ours")


def test_a_training_stops_at_its_last_step_and_counts_what_it_drew(ours):
    found = ours.train(
        target="gmm",
        settings=TINY,
        seed=0,
        seconds=60.0,
        stop=0.999,
        every=4,
        samples=50,
    )
    assert [point["step"] for point in found["points"]] == [4, 6]
    assert [point["drawn"] for point in found["points"]] == [64, 96]
    seconds = [point["seconds"] for point in found["points"]]
    assert 0 < seconds[0] < seconds[1]
    assert found["compile_seconds"] > seconds[1]
    assert 0 < found["points"][-1]["ess"] <= 1
    assert found["exact_log_z"] == pytest.approx(3.91732, abs=1e-5)


@pytest.mark.parametrize(
    ("limits", "steps"),
    [
        ({"steps": 6}, [4, 6]),  # the last turn is shorter
        ({"stop": 0.8}, [4, 8, 12]),  # the first ESS is not finite, the third is above
        ({"seconds": 5.0}, [4, 8]),
    ],
)
def test_a_course_ends_at_its_last_step_threshold_or_budget(
    experiment, monkeypatch, limits, steps
):
    clock = experiment("benchmarks.clock")
    now, levels = [0.0], iter([None, 0.7, 0.9, 0.95])
    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def advance(count):
        now[0] += count  # a second a step

    def judge(done):
        now[0] += 100.0  # not on the clock
        return {"ess": next(levels)}

    limits = {"batch": 10, "every": 4, "seconds": 60.0, "stop": 0.999, **limits}
    points = clock.follow(advance, judge, **limits)
    assert [point["step"] for point in points] == steps
    assert [point["seconds"] for point in points] == steps
    assert [point["drawn"] for point in points] == [10 * step for step in steps]


def test_the_judge_knows_a_perfect_model(ours, key):
    """Far from its cell's border the untrained base is exact for one Gaussian."""
    settings = {"target.radius": 1e-6, "method": "realnvp", "base.variance": 1.0}
    sampler = ours.build("gmm", settings=settings)
    judge = ours.build_judge(sampler, 3000)  # more than are evaluated at once
    found = judge(sampler.model.init(key), key)
    assert found["ess"] == pytest.approx(1, abs=1e-4)
    assert found["log_z"] == pytest.approx(3.91732, abs=1e-4)


def test_step_goes_on_with_the_kept_training(ours):
    job = {"target": "gmm", "preset": "default", "settings": TINY, "count": 3}
    first, again = ours.steps(**job), ours.steps(**job)
    assert first["compile_seconds"] == again["compile_seconds"] > 0
    assert again["seconds"] > 0
    (kept,) = ours._KEPT.values()
    assert kept["states"].step[0] == 6


def test_draw_counts_samples(ours):
    assert ours.draw(target="gmm", preset="smoke", exact=False, size=10, calls=2) > 0


def test_weights_are_weighed_by_the_package_estimators(experiment, rng):
    weighing = experiment("benchmarks.weighing")
    log_w = 0.1 * rng.normal(size=100)
    found = weighing.weigh(log_w)
    assert found["ess"] == estimators.ess(log_w).mean
    assert found["log_z_error"] == estimators.log_z(log_w).error
    assert weighing.weigh(np.full(3, -np.inf))["ess"] is None


def curve(who, seed, *levels):
    points = [
        {"seconds": 2.0 * i, "drawn": 100 * i, "ess": ess, "leak": 0.0}
        | {"log_z": 1.0, "log_z_error": 0.1}
        for i, ess in enumerate(levels, start=1)
    ]
    return {"who": who, "seed": seed, "points": points, "compile_seconds": 1.0}


def test_thresholds_are_found_and_never_extrapolated(experiment):
    study = experiment("benchmarks.time_to_ess")
    runs = [
        curve("ours", 0, None, 0.95, 0.993, 0.97),
        curve("peer", 0, 0.1, 0.2, 0.3, 0.92),
        curve("ours", 1, 0.95),
        curve("peer", 1, 0.3, 0.4),
    ]
    assert study.first_reaching(runs[0]["points"], 0.99)["seconds"] == 6
    assert study.first_reaching(runs[0]["points"], 0.999) is None
    # the second seed of the peer reached nothing
    assert study.ratios(runs, 0.9, "seconds") == [2.0]
    assert study.ratios(runs, 0.9, "drawn") == [2.0]
    assert study.ratios(runs, 0.99, "seconds") == []


def part(experiment, **content):
    described = experiment("benchmarks.machine").machine()
    return {"machine": described, "took_seconds": 1.0, **content}


@pytest.fixture
def results(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(experiment("benchmarks.records"), "RESULTS", tmp_path)
    return tmp_path


def test_tables_say_what_was_reached_by_how_many(experiment, results):
    tables = experiment("benchmarks.tables")
    assert tables.time_to_ess() == tables.MISSING
    runs = [
        curve("ours", 0, 0.95, 0.993),
        curve("peer", 0, 0.2, 0.95),
        curve("ours", 1, 0.95, 0.98),
        curve("peer", 1, 0.2, 0.91),
    ]
    content = part(experiment, thresholds=[0.9, 0.99, 0.999], runs=runs)
    experiment("benchmarks.records").write_part("time_to_ess_hubbard", content)
    lines = tables.time_to_ess().splitlines()
    seconds, samples = (lines[2:5], lines[-5:-2])
    assert seconds[0] == "| `hubbard` | 0.9 | 2 | 4 | 2 |"
    assert samples[0] == "| `hubbard` | 0.9 | 0.1 | 0.2 | 2 |"
    assert "1 of 2 seeds: 4 | not reached |" in seconds[1]
    assert seconds[2].count("not reached") == samples[2].count("not reached") == 2
    assert "0.9865 (0.98-0.993)" in tables.ends()
    assert "`time_to_ess_hubbard`" in tables.machines()
    figure = experiment("benchmarks.figures").ess_time(tables.trainings())
    drawn = [panel.get_title() for panel in figure.axes if panel.axison]
    assert drawn == ["hubbard"]


def test_goals_are_judged_by_their_medians(experiment, results):
    seconds = {
        "peer": [3.0, 3.0, 4.0],
        "paper": [2.0, 3.0, 5.0],
        "default, same batch": [2.0, 2.5, 5.0],
        "default": [0.1, 0.1, 0.1],
    }
    compiled = dict.fromkeys(seconds, 1.0)
    steps = {"seconds": seconds, "compile_seconds": compiled}
    single = {"seconds": 10.0, "train_seconds": 5.0, "compile_seconds": 2.0}
    joint = {**single, "seconds": 18.0}
    program = {"joint": joint, "singles": [single, single]}
    write = experiment("benchmarks.records").write_part
    targets = {"gmm": steps, "hubbard": steps}
    write("step", part(experiment, targets=targets))
    targets = {"gmm": program, "hubbard": program}
    write("ensemble", part(experiment, seeds=2, targets=targets))
    text = experiment("benchmarks.goals").table()
    assert "a step of the paper's sizes | at least 1 | 1 (0.8-1.5) | yes |" in text
    assert "our networks, same batch | at least 1.5 | 1.2 (0.8-1.5) | no |" in text
    assert "ten programs | at most 0.8 | 0.9 | no |" in text
    assert "time | at least 20 | not measured |" in text
    tables = experiment("benchmarks.tables")
    assert "| `gmm` | 18.0 | 20.0 | 0.9 |" in tables.ensemble()
    assert "| `gmm` | ours, default | 100 | 30 (30-40) | 1.0 |" in tables.step()


def test_a_step_is_counted_beside_the_peaks(experiment, monkeypatch):
    peaks = experiment("benchmarks.peaks")
    monkeypatch.setattr(peaks, "SECONDS", 1e-3)
    monkeypatch.setattr(peaks, "MATRIX", 64)
    monkeypatch.setattr(peaks, "VECTOR", 1000)
    found = peaks.profile(target="gmm", preset="default", settings=TINY, repeats=2)
    assert found["dtype"] == "float32"
    assert found["peak_flops"] > 0
    assert found["peak_bytes"] > 0
    assert found["step"]["flops"] > 0
    tables = experiment("benchmarks.profile_tables")
    part = {"steps": {"gmm, tiny": found}}
    assert "| gmm, tiny | float32 | 16 |" in tables.peaks(part)


def test_growth_is_a_power_of_the_size(experiment):
    growth = experiment("benchmarks.growth")
    assert growth.exponent([1, 2, 4], [9.0, 1.0, 4.0]) == pytest.approx(2)
    rows = [
        {"size": size, "seconds": [size * 1e-3], "compile_seconds": 1.0}
        for size in (16, 64)
    ]
    text = experiment("benchmarks.profile_tables").growth({"series": {"volume": rows}})
    assert "| `phi4_real`, volume | V = 64 | 64 | 1.0 | 1.00 |" in text


@pytest.mark.slow  # compiles much
def test_all_settings_are_known_and_give_the_named_sizes(experiment):
    series = experiment("benchmarks.growth").SERIES
    for name, (target, _, settings) in series.items():
        for size, values in settings.items():
            run = resolve(target, settings=values)
            built = run.target.build(target)
            batch = run.config.training.batch_size
            volume, order = np.prod(built.event_shape), built.symmetry.order
            assert size == {"volume": volume, "batch": batch}.get(name, order)
    for task in experiment("benchmarks.tasks").TASKS.values():
        assert resolve(task.target, settings=task.settings).target.build("known")
    for target, preset, settings in experiment("benchmarks.peaks").STEPS.values():
        assert resolve(target, preset, settings).target.build("known")


def test_effective_samples_are_the_variance_over_the_squared_error(experiment, rng):
    weighing = experiment("benchmarks.weighing")
    values = rng.normal(size=1000)
    assert weighing.effective_samples(values, np.zeros(1000)) == pytest.approx(1000)
    # weights that ignore half of the samples leave half
    log_w = np.where(np.arange(1000) < 500, 0.0, -np.inf)
    assert weighing.effective_samples(values, log_w) == pytest.approx(500)


def test_training_counts_against_samples_on_the_lattice(experiment):
    method = {"setup_seconds": 10.0, "train_seconds": 20.0, "sample_seconds": 2.0}
    method |= {"modulus": 2.0, "modulus_error": 0.01, "effective": 40.0}
    with_weights = {**method, "ess": 0.5, "log_z": 1.0, "log_z_error": 0.1}
    methods = {"flow": with_weights, "bijx": with_weights, "hmc": method, "smc": method}
    text = experiment("benchmarks.profile_tables").lattice({"methods": methods})
    assert "| HMC | - | - | 2.000(10) | 20 | 20.0 |" in text
    assert "| HMC | 10.0 | 600 | 11400 |" in text


def test_a_worker_answers_and_reports_errors_in_one_sentence(experiment):
    with experiment("benchmarks.workers").Worker("ours") as worker:
        with pytest.raises(RuntimeError, match="unknown target 'gm'; nearest: gmm"):
            worker.ask("train_seeds", target="gm", seeds=[0], steps=1)
        with pytest.raises(RuntimeError, match="could not 'no'"):
            worker.ask("no")
        worker.process.kill()
        worker.process.wait()
        with pytest.raises(RuntimeError, match="ended with code -9 before"):
            worker.ask("train_seeds", target="gmm", seeds=[0], steps=1)


def test_environments_are_checked_before_work(experiment, tmp_path):
    environments = experiment("benchmarks.environments")
    assert environments.requirement("sesamo") == "sesamo==1.0.0"
    with pytest.raises(ValueError, match="no 'torchy'"):
        environments.requirement("torchy")
    with pytest.raises(ValueError, match=r"cannot import sesamo: install it with"):
        environments.peer_python("sesamo", tmp_path / "python", tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "nothing"], "no part has nothing in its name: see --list"),
        (["--repeats", "0"], "--repeats 0 must be at least 1"),
    ],
)
def test_wrong_usage_is_one_sentence(experiment, capsys, words, message):
    with pytest.raises(SystemExit) as stop:
        experiment("benchmarks.run").parse(words)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_parts_are_listed_in_order_and_finished_ones_skipped(
    experiment, results, monkeypatch, capsys
):
    run = experiment("benchmarks.run")
    names = run.parse([]).chosen
    assert names[:2] == ["step", "time_to_ess_gmm"]
    assert names[-1] == "time_to_ess_phi4_complex"
    assert len(set(names)) == len(names)
    assert "time_to_ess_hubbard_small_batches" in names
    experiment("benchmarks.records").write_part("step", part(experiment, targets={}))
    monkeypatch.setattr("sys.argv", ["run.py", "--list", "--only", "step"])
    run.main()
    assert capsys.readouterr().out == "step (done)\n"


def test_a_part_is_written_with_its_machine_or_fails_in_one_sentence(
    experiment, results, monkeypatch
):
    def broken():
        raise RuntimeError("benchmarks.ours ended")

    run = experiment("benchmarks.run")
    measures = {"step": lambda: {"targets": {}}, "growth": broken}
    monkeypatch.setattr(run, "parts", lambda _: measures)
    monkeypatch.setattr(run.tables, "main", lambda: None)
    monkeypatch.setattr("sys.argv", ["run.py"])
    with pytest.raises(SystemExit, match=r"^run.py: benchmarks.ours ended$"):
        run.main()
    read = experiment("benchmarks.records").read_part
    assert read("step")["machine"]["processor"]
    assert read("step")["took_seconds"] >= 0
    assert read("growth") is None

"""Training that ends before its last step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_runs import PLAIN, Crash, history, strict

from sesamo_jax import Config, Target, TrainingConfig, build_model, fit
from sesamo_jax.config import resolve
from sesamo_jax.run import execute as runs
from sesamo_jax.run.checkpoint import Checkpoints
from sesamo_jax.run.execute import execute
from sesamo_jax.run.report.printed import format_report
from sesamo_jax.training.stopping import why_stopped

NAN = float("nan")


@pytest.mark.parametrize(
    ("ess", "settings", "ends"),
    [
        # two seeds; the first two lines are not enough
        ([[0.9, 0.2], [0.95, 0.79], [0.8, 0.81]], {"stop_at_ess": 0.8}, 3),
        ([[0.9, 0.2], [0.9, NAN], [0.7, 0.9]], {"stop_at_ess": 0.8}, None),
        ([[0.3, 0.1], [0.2, 0.2], [0.25, 0.1], [0.1, 0.2]], {"stop_at_plateau": 2}, 4),
        (
            [[0.3, 0.1], [0.2, 0.2], [0.4, 0.1], [0.1, 0.2]],
            {"stop_at_plateau": 2},
            None,
        ),
        ([[0.3, 0.1], [NAN, NAN], [0.1, NAN]], {"stop_at_plateau": 2}, 3),
        ([[NAN, 0.1], [NAN, 0.1], [NAN, 0.1]], {"stop_at_plateau": 1}, None),
        ([[0.5, 0.5], [0.4, 0.4]], {"stop_at_plateau": 1, "stop_at_ess": 0.6}, 2),
        ([[0.9, 0.9], [0.1, 0.1]], {}, None),
    ],
)
def test_training_ends_with_the_line_where_all_seeds_agree(ess, settings, ends):
    training = TrainingConfig(**settings)
    rows = [np.array(row) for row in ess]
    found = [why_stopped(rows[:n], training) for n in range(len(rows) + 1)]
    first = next((n for n, why in enumerate(found) if why is not None), None)
    assert first == ends


def test_seeds_end_together_with_the_states_of_a_longer_training():
    target = Target("shifted", (1,), lambda x: jnp.sum((x - 1.5) ** 2) / 2)
    at_step = {}

    def trained(**settings):
        training = TrainingConfig(steps=60, batch_size=64, chunk=15, **settings)
        config = Config(method="flow", training=training)

        def keep(states, row):
            at_step[int(row["step"][0])] = jax.tree.map(np.asarray, states.params)

        return fit(build_model(target, config), target, config, 3, on_chunk=keep)

    whole = trained()
    assert whole.stopped is None
    ess = whole.history["ess"].min(axis=1)
    assert ess[0] < 0.5 < ess[1] < ess[2]
    goal = float(ess[1] + ess[2]) / 2
    expected = at_step[45]
    early = trained(stop_at_ess=goal)
    assert early.stopped == f"every seed has reached an ESS of {goal:g}"
    np.testing.assert_array_equal(early.states.step, 45)
    np.testing.assert_array_equal(early.history["ess"], whole.history["ess"][:3])
    jax.tree.map(np.testing.assert_array_equal, early.params, expected)


def test_a_run_that_ended_early_says_so_and_is_not_trained_on(tmp_path, monkeypatch):
    settings = PLAIN | {"training.stop_at_ess": 1e-6, "evaluation.audit": False}
    run = resolve("gmm", "smoke", settings, seed=1, seeds=2)
    monkeypatch.setattr(runs, "make_figures", lambda folder: [])

    def crash(*arguments):
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(runs, "judge", crash)
        with pytest.raises(Crash):
            execute(run, tmp_path / "run")
    lines = history(tmp_path / "run")
    assert [(line["seed"], line["step"]) for line in lines] == [
        ("1", "10"),
        ("2", "10"),
    ]
    metrics = execute(run, tmp_path / "run", resume=True)
    assert history(tmp_path / "run") == lines
    assert Checkpoints(tmp_path / "run" / "checkpoint").latest_step() == 10
    assert metrics == strict(tmp_path / "run" / "metrics.json")
    for entry in metrics["seeds"]:
        assert (entry["steps"], entry["samples_drawn"]) == (10, 320)
        assert entry["stopped"] == "every seed has reached an ESS of 1e-06"
    words = "training ended at step 10: every seed has reached an ESS of 1e-06"
    assert words in format_report(metrics)
    assert execute(run, tmp_path / "run", resume=True) == metrics


def test_a_training_without_samples_of_the_model_has_no_ess_to_stop_at():
    for name, value in (("stop_at_ess", 0.5), ("stop_at_plateau", 3)):
        with pytest.raises(ValueError, match=rf"training.{name}={value} has no effect"):
            resolve("dw4", settings={f"training.{name}": value})

"""Judging many seeds: each by itself, by programs that all of them share."""

from dataclasses import replace

import jax
import pytest
from small_runs import plain_run

from sesamo_jax import build_model
from sesamo_jax.config import complete
from sesamo_jax.run.metrics import judge
from sesamo_jax.training.fit import FitResult
from sesamo_jax.training.state import init_states


@pytest.fixture(scope="module")
def judged():
    """Return entries, arrays and the number of compilations, for two and five seeds."""
    jax.config.update("jax_disable_most_optimizations", True)
    compiled = []

    def count(event, seconds, **_):
        compiled.append("backend_compile" in event)

    jax.monitoring.register_event_duration_secs_listener(count)
    found = {}
    for seeds in (2, 5):
        run = plain_run()
        target = run.target.build("gmm")
        run = replace(run, seed=4, seeds=seeds, config=complete(run.config, target))
        model = build_model(target, run.config)
        states = init_states(model, run.config, range(4, 4 + seeds))
        jax.clear_caches()
        compiled.clear()
        result = judge(run, model, target, FitResult(states, {}, 1.0, 1.0), None)
        found[seeds] = (*result, sum(compiled))
    jax.monitoring.unregister_event_duration_listener(count)
    jax.config.update("jax_disable_most_optimizations", False)
    return found


@pytest.mark.slow  # compiles much
def test_more_seeds_take_no_more_programs(judged):
    assert judged[2][2] == judged[5][2] > 0


def test_every_seed_has_its_entry_and_its_samples(judged):
    entries, arrays, _ = judged[5]
    assert [entry["seed"] for entry in entries] == [4, 5, 6, 7, 8]
    assert arrays["x"].shape[:2] == (5, 40)
    assert len({entry["log_z"] for entry in entries}) == 5


def test_a_seed_is_judged_alike_in_any_company(judged):
    for few, many in zip(judged[2][0], judged[5][0], strict=False):
        for name in ("ess", "log_z", "elbo", "pareto_k"):
            assert few[name] == many[name]

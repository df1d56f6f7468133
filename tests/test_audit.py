"""The audit: what it notices, and that it does not cry wolf."""

from dataclasses import replace
from math import log, pi

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sesamo_jax import Config, EvaluationConfig, Model, Target, TrainingConfig, evaluate
from sesamo_jax.core import Exact, Samples
from sesamo_jax.estimators.doubts import far_off
from sesamo_jax.evaluation.audit import build_audit
from sesamo_jax.evaluation.sampling import build_draw
from sesamo_jax.evaluation.witness import build_witness
from sesamo_jax.symmetries import Z2

WIDTH, APART, LEFT = 0.5, 3.0, 0.3
CONFIG = Config(
    method="flow",
    training=TrainingConfig(steps=200, batch_size=1000),
    evaluation=EvaluationConfig(samples=5000, batch_size=5000),
)


def two_wells(symmetric=True, exact=False):
    """Return two Gaussians of unequal mass around -APART and APART, log Z = 0.7."""

    def parts(x):
        centres = jnp.array([-APART, APART])
        squares = jnp.sum((x - centres[:, None] * jnp.array([1.0, 0.0])) ** 2, axis=1)
        return jnp.log(jnp.array([LEFT, 1 - LEFT])) - squares / (2 * WIDTH**2)

    def action(x):
        return log(2 * pi * WIDTH**2) - 0.7 - jax.nn.logsumexp(parts(x))

    def sample(key, n):
        side, normal = jax.random.split(key)
        sign = jnp.where(jax.random.uniform(side, (n,)) < LEFT, -1.0, 1.0)
        shift = APART * sign[:, None] * jnp.array([1.0, 0.0])
        return shift + WIDTH * jax.random.normal(normal, (n, 2))

    return Target(
        "wells",
        (2,),
        action,
        Z2((2,), flips=(0,), broken=True) if symmetric else None,
        jnp.float64,
        prior_variance=APART**2,
        observables={"x": lambda x: x[0]},
        exact=Exact(log_z=0.7),
        sample=sample if exact else None,
    )


def mixture(left=LEFT, width=WIDTH, off=0.0, centre=0.0):
    """Return a model of such wells, whose log q may be off by a constant."""
    sides = jnp.array([left, 1 - left])

    def log_prob(params, x, drawn=None):
        centres = jnp.array([[-APART, 0.0], [APART + centre, 0.0]])
        squares = jnp.sum((x[:, None] - centres) ** 2, axis=-1)
        parts = jnp.log(sides) - squares / (2 * width**2)
        return jax.nn.logsumexp(parts, axis=1) - log(2 * pi * width**2) + off

    def sample(params, key, n):
        side, normal = jax.random.split(key)
        right = jax.random.uniform(side, (n,)) >= left
        shift = jnp.where(right, APART + centre, -APART)[:, None]
        x = shift * jnp.array([1.0, 0.0]) + width * jax.random.normal(normal, (n, 2))
        log_q = log_prob(params, x) - off
        return Samples(x, log_q, x, jnp.zeros(n, int), jnp.zeros(n))

    nothing = jnp.zeros
    return Model(
        init=lambda key: {"flow": nothing(()), "modulation": nothing(())},
        sample=sample,
        images=None,
        flow_log_prob=log_prob,
        log_prob=log_prob,
        margins=lambda y: nothing((len(y), 0)),
    )


def judged(model, target, key, config=CONFIG):
    return evaluate(model, target, config, model.init(key), key)


@pytest.mark.parametrize("exact", [True, False])
def test_a_good_model_agrees(exact, key):
    out = judged(mixture(width=0.55), two_wells(exact=exact), key)
    source = "exact samples" if exact else "modulated HMC"
    assert out["verdict"] == f"agrees with {source}"
    assert abs(out["bar"] - 0.7) < 5 * out["bar_error"]
    assert out["elbo"] < 0.7 < out["eubo"]
    assert out["forward_from"] == source
    # Z / E_p[w] of a Gaussian q wider than p, in two dimensions.
    ratio = (0.55 / WIDTH) ** 2
    assert out["forward_ess"] == pytest.approx((2 * ratio - 1) / ratio**2, abs=0.02)
    if not exact:
        assert out["sectors_audit"][1] == pytest.approx(LEFT, abs=0.05)


FAULTS = {
    "a mode of three tenths is missing": (mixture(left=1e-9), "misses about"),
    "a mode is far too rare": (mixture(left=1e-5), "misses|larger weights|to"),
    "log q is not that of its samples": (mixture(off=0.3), "does not invert"),
    "wrong by a shift": (mixture(centre=2.5), "misses|larger weights|overestimate|to"),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("exact", [True, False])
def test_faults_are_named(name, exact, key):
    model, words = FAULTS[name]
    verdict = judged(model, two_wells(exact=exact), key)["verdict"]
    assert np.any([word in verdict for word in words.split("|")]), verdict


def test_chains_that_no_move_joins_give_no_verdict(key):
    out = judged(mixture(), two_wells(symmetric=False), key)
    assert out["verdict"].startswith("not audited: chains from the model")
    assert "R-hat" in out["verdict"]


def test_chains_that_cannot_move_give_no_verdict(key):
    """All but the origin is a wall for trajectories that start around it."""
    target = two_wells()

    def action(x):
        inside = jnp.all(jnp.abs(x) < 1e-9)
        return jnp.where(inside, target.action(x), jnp.inf)

    walled = replace(target, action=action, exact=Exact())
    verdict = judged(mixture(), walled, key)["verdict"]
    assert verdict.startswith("not audited: 16 of 16 hmc chains are stuck")


def test_without_an_audit_the_report_says_so(key):
    off = replace(CONFIG, evaluation=replace(CONFIG.evaluation, audit=False))
    out = judged(mixture(), two_wells(), key, off)
    assert out["verdict"] == "not audited: evaluation.audit is false"
    assert out["bar"] is None
    assert out["forward_ess"] is None


def test_far_off_estimates_are_doubted():
    entry = {
        "log_z": 0.75,
        "log_z_error": 0.01,
        "observables": {"x": {"mean": 1.0, "error": 0.5}},
    }
    sentence = far_off(entry, Exact(log_z=0.7, observables={"x": 0.9}))
    assert sentence == "log Z is 5.0 standard errors from its exact value 0.7"
    assert far_off(entry, Exact(log_z=0.72, observables={"x": 0.9})) is None


@pytest.mark.slow
@pytest.mark.parametrize("exact", [True, False])
def test_two_hundred_healthy_models_are_not_accused(exact):
    """At least 95 in 100 agree, and BAR's pulls have unit variance."""
    target = two_wells(exact=exact)
    rng = np.random.default_rng(7)
    verdicts, pulls = [], []
    groups = [mixture(*rng.uniform((0.2, 0.47), (0.4, 0.6))) for _ in range(10)]
    for number, model in enumerate(groups):
        draw = build_draw(model, target, CONFIG)
        audit = build_audit(model, target, 1000)
        build = build_witness(model, target, CONFIG)
        params = model.init(jax.random.key(0))
        for repeat in range(20):
            key = jax.random.key(100 * number + repeat)
            witness = None if build is None else build(params, key)
            out = audit(params, draw(params, key), witness)
            verdicts.append(out["verdict"])
            pulls.append((out["bar"] - 0.7) / out["bar_error"])
    agree = np.mean([verdict.startswith("agrees") for verdict in verdicts])
    assert agree >= 0.95, set(verdicts)
    assert np.std(pulls) == pytest.approx(1, abs=0.15)

"""Independence Metropolis over given weights, and what the report says about it."""

from math import erfc

import jax.numpy as jnp
import numpy as np
import pytest
from tolerances import SIGMAS

from sesamo_jax import Target
from sesamo_jax.estimators.autocorrelation import gamma_method
from sesamo_jax.estimators.independence import chain_through
from sesamo_jax.estimators.weighted import reweighted
from sesamo_jax.evaluation.report import report
from sesamo_jax.evaluation.sampling import Draws


def test_acceptance_of_two_weights_in_closed_form(rng):
    """Weights a and b > a with shares 1 - s and s of the proposals.

    In equilibrium the chain sits at b with probability s b / mean(w), and only a step
    from b to a can be rejected, with probability 1 - a / b.
    """
    low, high, share, n = 0.5, 4.0, 0.3, 200_000
    w = np.where(rng.random(n) < share, high, low)
    chain = chain_through(np.log(w), rng)
    at_high = share * high / (share * high + (1 - share) * low)
    expected = 1 - at_high * (1 - share) * (1 - low / high)
    # Rejections come in runs as long as the stay at b: 1 / P(accept at b).
    stay = 2 / (1 - (1 - share) * (1 - low / high))
    error = np.sqrt(stay * expected * (1 - expected) / n)
    assert abs(chain.acceptance - expected) < SIGMAS * error
    moved = np.diff(chain.indices) > 0
    assert chain.acceptance == pytest.approx(moved.mean())


def test_averages_of_the_chain_are_the_reweighted_ones(rng):
    """A target exp(-x^2/2 + x/2) from proposals of a wider, shifted Gaussian."""
    x = rng.normal(-0.3, 1.4, size=60_000)
    log_w = -(x**2) / 2 + x / 2 + (x + 0.3) ** 2 / (2 * 1.4**2)
    chain = chain_through(log_w, rng)
    for values, exact in ((x, 0.5), (x**2, 1.25), (x**3, 1.625)):
        metropolis = gamma_method(values[chain.indices][None])
        weighted = reweighted(values, log_w)
        assert abs(metropolis.mean - exact) < SIGMAS * metropolis.error
        # Both from the same proposals: their errors do not add, this is generous.
        error = np.hypot(metropolis.error, weighted.error)
        assert abs(metropolis.mean - weighted.mean) < SIGMAS * error
        assert metropolis.tau_int > 0.5


def test_equal_weights_are_all_accepted(rng):
    chain = chain_through(np.full(20_000, -3.7), rng)
    assert chain.acceptance == 1
    np.testing.assert_array_equal(chain.indices, np.arange(20_000))
    values = rng.normal(size=20_000)
    assert gamma_method(values[chain.indices][None]).tau_int == pytest.approx(
        0.5, abs=0.05
    )


def test_weights_of_zero_are_never_visited(rng):
    log_w = np.zeros(1000)
    log_w[rng.random(1000) < 0.4] = -np.inf
    log_w[:3] = -np.inf
    chain = chain_through(log_w, rng)
    assert chain.indices[0] == np.argmax(np.isfinite(log_w)) >= 3
    assert np.all(np.isfinite(log_w[chain.indices]))
    after = log_w[chain.indices[0] + 1 :]
    assert chain.acceptance == pytest.approx(np.isfinite(after).mean())


@pytest.mark.parametrize("value", [-np.inf, np.nan, np.inf])
def test_weights_without_a_chain(value, rng):
    assert chain_through(np.full(5, value), rng) is None


def test_one_proposal_is_a_chain_of_no_steps(rng):
    chain = chain_through(np.array([-np.inf, 2.0]), rng)
    assert chain.indices.tolist() == [1]
    assert np.isnan(chain.acceptance)


def judged(log_w, observables, action):
    """Return the report of made-up draws."""
    n = len(log_w)
    draws = Draws(
        x=np.zeros((n, 2)),
        u=np.zeros(n, int),
        action=action,
        log_w=log_w,
        leaked=None,
        sectors=None,
        heat_bath=None,
        observables=observables,
        forward_log_w=None,
        integration_error=None,
    )
    return report(draws, Target("made_up", (2,), lambda x: jnp.sum(x**2)))


def test_report_names_the_quantity_of_its_autocorrelation_time(rng):
    log_w = rng.normal(size=4000)
    action, order = rng.normal(size=4000), rng.normal(size=4000)
    plain = judged(log_w, {"level": order}, action)
    assert plain["imh_observable"] == "action"
    lattice = judged(log_w, {"abs_magnetization": order}, action)
    assert lattice["imh_observable"] == "abs_magnetization"
    assert plain["imh_acceptance"] == lattice["imh_acceptance"]
    # In closed form for log-normal weights; 4000 correlated steps.
    assert plain["imh_acceptance"] == pytest.approx(erfc(1 / 2), abs=0.06)
    assert plain["imh_tau_int"] != lattice["imh_tau_int"]
    # Log weights of variance 1 keep a chain about as long for any quantity.
    assert plain["imh_tau_int"] == pytest.approx(lattice["imh_tau_int"], rel=0.5)
    assert judged(log_w, {"level": order}, action) == plain


def test_report_without_a_chain_or_one_that_never_moves(rng):
    action = rng.normal(size=50)
    nothing = judged(np.full(50, -np.inf), {}, action)
    assert nothing["imh_acceptance"] is None
    assert nothing["imh_tau_int"] is None
    stuck = np.full(50, -np.inf)
    stuck[0] = 0.0
    frozen = judged(stuck, {}, action)
    assert frozen["imh_acceptance"] == 0
    # Longer than the chain, so not known.
    assert frozen["imh_tau_int"] is None

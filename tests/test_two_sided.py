"""Estimates from samples of the model and of the target, and their errors."""

import numpy as np
import pymbar
import pytest

from sesamo_jax.estimators import elbo
from sesamo_jax.estimators.two_sided import two_sided

LOG_Z = 1.7


def log_w(x, centre, width):
    """Return log w of a normal q for p = exp(LOG_Z) times the standard normal."""
    return LOG_Z - x**2 / 2 + ((x - centre) / width) ** 2 / 2 + np.log(width)


def sides(rng, centre, width, n, chains, samples, memory=0.0):
    """Return log weights at samples of q, and at chains of p that forget slowly."""
    of_q = log_w(centre + width * rng.normal(size=n), centre, width)
    noise = rng.normal(size=(chains, samples))
    x = np.empty_like(noise)
    x[:, 0] = noise[:, 0]
    for t in range(1, samples):
        x[:, t] = memory * x[:, t - 1] + np.sqrt(1 - memory**2) * noise[:, t]
    return of_q, log_w(x, centre, width)


@pytest.mark.parametrize(
    ("centre", "width", "memory"),
    [(0.4, 1.2, 0.0), (-0.5, 1.0, 0.7), (0.2, 0.85, 0.5)],
)
def test_pulls_have_unit_variance(centre, width, memory, rng):
    """Of chains with memory, too, and of a q narrower than p."""
    found = [
        two_sided(*sides(rng, centre, width, 3000, 16, 200, memory)) for _ in range(300)
    ]
    for name in ("bar", "log_z_from_p"):
        pulls = [
            (getattr(e, name).mean - LOG_Z) / getattr(e, name).error for e in found
        ]
        assert abs(np.mean(pulls)) < 5 / np.sqrt(len(pulls)), name
        assert np.std(pulls) == pytest.approx(1, abs=0.15), name
    excess = [e.excess.mean / e.excess.error for e in found]
    assert np.std(excess) == pytest.approx(1, abs=0.15)
    assert np.max(np.abs(excess)) < 5


def test_bennett_is_that_of_pymbar(rng):
    """Independent samples, as many of q as of p: one equation, one error."""
    of_q, of_p = sides(rng, 0.7, 1.5, 4000, 4000, 1)
    peer = pymbar.other_estimators.bar(-of_q, of_p.ravel())
    found = two_sided(of_q, of_p).bar
    assert found.mean == pytest.approx(-peer["Delta_f"], abs=1e-5)
    assert found.error == pytest.approx(peer["dDelta_f"], rel=0.05)


def test_the_bracket_holds_log_z(rng):
    of_q, of_p = sides(rng, 0.8, 1.3, 20_000, 50, 400)
    found = two_sided(of_q, of_p)
    assert elbo(of_q).mean < LOG_Z - 0.05
    assert found.eubo.mean > LOG_Z + 0.05
    # E_p[log w] = log Z + KL(p | q) in closed form.
    kl = np.log(1.3) + (1 + 0.8**2) / (2 * 1.3**2) - 0.5
    assert abs(found.eubo.mean - LOG_Z - kl) < 5 * found.eubo.error


@pytest.mark.parametrize("share", [0.03, 0.4])
def test_a_mode_that_the_model_never_visits_is_an_excess(share, rng):
    """log Z from its own samples lacks -log(1 - share); the other side does not."""
    # Log-normal weights, whose distribution under p is shifted by their variance.
    here, variance = np.log(1 - share), 0.05**2
    of_q = rng.normal(here - variance / 2, 0.05, size=20_000)
    inside = rng.random((16, 500)) > share
    there = rng.normal(here + variance / 2, 0.05, (16, 500))
    of_p = np.where(inside, there, 300.0)
    found = two_sided(of_q, of_p)
    assert abs(found.excess.mean + np.log(1 - share)) < 5 * found.excess.error
    assert found.excess.mean > 4 * found.excess.error
    assert abs(found.missing.mean - share) < 5 * found.missing.error
    assert abs(found.bar.mean) < 5 * found.bar.error


def test_where_nothing_is_shared_nothing_is_known():
    found = two_sided(np.full(100, -np.inf), np.zeros((4, 100)))
    assert np.isnan(found.bar.mean)
    assert np.isnan(found.excess.mean)


def test_where_the_model_has_no_mass_its_weight_is_infinite(rng):
    """As of a canonicalized flow: EUBO is infinite, the other estimates are not."""
    of_q, of_p = sides(rng, 0.3, 1.1, 5000, 16, 200)
    missed = rng.random(of_p.shape) < 0.05
    # What q covers is 0.95 of p, so that its weights are by so much smaller.
    found = two_sided(
        of_q + np.log(0.95), np.where(missed, np.inf, of_p + np.log(0.95))
    )
    assert np.isposinf(found.eubo.mean)
    assert np.isnan(found.eubo.error)
    for estimate in (found.bar, found.log_z_from_p):
        assert abs(estimate.mean - LOG_Z) < 5 * estimate.error
    assert abs(found.missing.mean - 0.05) < 5 * found.missing.error

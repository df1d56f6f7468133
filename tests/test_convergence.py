"""R-hat: 1 for chains that agree, larger for what keeps them apart."""

import blackjax
import numpy as np
import pytest

from sesamo_jax.estimators.convergence import r_hat


def test_of_normal_samples_it_is_the_classical_one(rng):
    """Split chains of normal samples need no ranks: blackjax's statistic agrees."""
    series = rng.normal(size=(6, 2000)) + np.array([0, 0.1, 0, -0.2, 0.3, 0])[:, None]
    classical = float(
        blackjax.diagnostics.potential_scale_reduction(series.reshape(12, 1000))
    )
    assert r_hat(series) == pytest.approx(classical, abs=2e-3)
    assert classical > 1.01


def test_independent_samples_agree_whatever_their_tails(rng):
    assert abs(r_hat(rng.normal(size=(4, 1000))) - 1) < 5e-3
    assert abs(r_hat(rng.standard_cauchy(size=(4, 1000))) - 1) < 5e-3


def test_what_keeps_chains_apart_is_seen(rng):
    series = rng.normal(size=(8, 500))
    one_away = series + np.eye(8)[:, :1]
    drift = series + np.linspace(0, 2, 500)
    one_wide = series * (1 + 2 * np.eye(8)[:, :1])
    stuck = np.repeat([[0.0], [1.0], [0.0], [1.0]], 100, axis=1)
    for apart in (one_away, drift, one_wide, stuck):
        assert r_hat(apart) > 1.03
    assert r_hat(stuck) > 10


def test_a_constant_says_nothing():
    assert np.isnan(r_hat(np.ones((4, 100))))
    assert np.isnan(r_hat(np.arange(12.0).reshape(4, 3)))


def test_fewer_than_four_chains_are_refused(rng):
    with pytest.raises(ValueError, match="3 are too few: run at least 4"):
        r_hat(rng.normal(size=(3, 100)))

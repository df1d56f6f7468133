"""What the figures of runs show, read back from what was drawn."""

import inspect
import re

import numpy as np
import pytest

from sesamo_jax import Target
from sesamo_jax.run.figures import CAPTIONS, make_figures
from sesamo_jax.run.figures.angles import angles_figure
from sesamo_jax.run.figures.panels import panels
from sesamo_jax.run.figures.sectors import FARTHEST, sectors_figure
from sesamo_jax.run.figures.training import WINDOWS, draw_gap
from sesamo_jax.run.figures.weights import WIDEST, weights_figure
from sesamo_jax.run.metrics import angles
from sesamo_jax.symmetries import U1, Cyclic

NAMES = {"target": "made_up", "method": "sesamo", "modulation": None}


def test_every_figure_has_a_caption():
    drawn = re.findall(r'figures\["(\w+\.png)"\]', inspect.getsource(make_figures))
    assert len(drawn) > 5
    assert set(drawn) == set(CAPTIONS)


def test_the_course_of_training_is_a_median_and_a_band():
    """Over seeds where each window has one line, else over lines and seeds."""
    figure, panel = panels(1, 1, (4, 3))
    gap = np.array([[0.1, 0.2, 0.9], [0.3, np.nan, 0.4], [0.5, 0.5, 0.5]])
    draw_gap(panel, np.arange(3.0), gap, "k", "median")
    x, y = panel.lines[0].get_data()
    np.testing.assert_allclose(x, [0, 1, 2])
    np.testing.assert_allclose(y, [0.2, 0.35, 0.5])
    heights = panel.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.min() == pytest.approx(0.1 + 0.32 * 0.1)
    assert heights.max() == pytest.approx(0.2 + 0.68 * 0.7)
    long = np.linspace(0, 1, 10 * WINDOWS)[:, None]
    draw_gap(panel, np.arange(10.0 * WINDOWS), long, "k", "median")
    assert len(panel.lines[1].get_xdata()) == WINDOWS


def test_weights_of_all_seeds_have_common_bins_that_end_where_they_are_cut():
    log_w = np.array([[0.0, 0.5, 99.0], [-0.5, -np.inf, 0.25]])
    seeds = [{"log_z": 0.0}, {"log_z": 0.25}]
    total = {"ess": {"text": "0.5"}, "max_weight_share": {"mean": 0.1234}}
    metrics = NAMES | {"seeds": seeds, "aggregate": total}
    panel = weights_figure({"log_w": log_w}, metrics).axes[0]
    assert "ESS 0.5, largest share 0.1" in panel.get_title()
    ends = [patch.get_xy()[:, 0] for patch in panel.patches]
    assert len(ends) == 2
    np.testing.assert_allclose(ends[0], ends[1])
    assert ends[0].max() == pytest.approx(WIDEST, abs=0.5)
    assert ends[0].min() == pytest.approx(-0.75, abs=0.5)
    # Each of the finite weights is counted, the largest in the last bin.
    areas = []
    for patch in panel.patches:
        x, y = patch.get_xy().T
        steps = np.diff(x)
        areas.append(np.sum(np.where(steps > 0, steps * y[:-1], 0)))
    np.testing.assert_allclose(areas, 1)


def sectors_of(shares, errors, expected, chains=None):
    seeds = [
        {
            "seed": seed,
            "sectors": own,
            "sectors_error": [0.01] * 2,
            "sectors_reweighted": own,
            "sectors_reweighted_error": errors,
            "sectors_expected": expected,
            "sectors_audit": chains,
            "sectors_audit_error": None if chains is None else [0.03] * 2,
        }
        for seed, own in enumerate(shares)
    ]
    total = {"leak": {"text": "0"}}
    figure = sectors_figure(NAMES | {"seeds": seeds, "aggregate": total})
    if len(figure.axes) == 1:
        return figure, []
    points = [line for line in figure.axes[1].lines if len(line.get_xdata())]
    return figure, [np.ravel(line.get_ydata()) for line in points]


def test_pulls_are_in_errors_of_both_and_what_is_far_is_at_the_edge():
    _, pulls = sectors_of([[0.32, 0.68]], [0.04] * 2, [0.30, 0.70])
    samples, _, reweighted, _ = pulls
    np.testing.assert_allclose(samples, [2, -2])
    np.testing.assert_allclose(reweighted, [0.5, -0.5])
    # Chains stand in where nothing is exact, with an error of their own, also where
    # several seeds share them.
    figure, pulls = sectors_of([[0.35, 0.65]], [0.04] * 2, None, [0.30, 0.70])
    np.testing.assert_allclose(pulls[2], [1, -1])
    assert "Markov" in figure.axes[1].get_ylabel()
    _, pulls = sectors_of([[0.35, 0.65], [0.39, 0.61]], None, None, [0.30, 0.70])
    expected = 0.07 / np.hypot(0.02, 0.03)
    np.testing.assert_allclose(pulls[0], [expected, -expected])
    # Without any reference there is nothing to pull from.
    figure, _ = sectors_of([[0.9, 0.1]], [0.04] * 2, None)
    assert len(figure.axes) == 1
    _, pulls = sectors_of([[0.9, 0.1]], [0.04] * 2, [0.30, 0.70])
    assert [FARTHEST] in [list(np.unique(np.abs(line))) for line in pulls]


def test_angles_have_the_errors_of_counts_and_of_weights(rng):
    theta = rng.uniform(0, 2 * np.pi, (2, 500))
    log_w = np.stack([np.cos(theta[0]), np.full(500, 3.0)])
    figure = angles_figure({"angles": theta, "log_w": log_w}, NAMES)
    drawn, reweighted = figure.axes[0].containers
    edges = np.linspace(0, 2, 25)
    share = np.histogram(theta / np.pi, edges)[0] / 1000
    np.testing.assert_allclose(drawn.lines[0].get_ydata(), share * 12)
    error = np.sqrt(share * (1 - share) / 1000) * 12
    bars = drawn.lines[2][0].get_segments()
    np.testing.assert_allclose([(b[1, 1] - b[0, 1]) / 2 for b in bars], error)
    # Another way to the error of a ratio: leave one sample out.
    w = np.exp(log_w - log_w.max(axis=1, keepdims=True)).ravel()
    inside = (theta.ravel() < np.pi / 12).astype(float)
    left_out = (w @ inside - w * inside) / (w.sum() - w)
    jackknife = np.sqrt(999 / 1000 * np.sum((left_out - left_out.mean()) ** 2)) * 12
    bar = reweighted.lines[2][0].get_segments()[0]
    assert (bar[1, 1] - bar[0, 1]) / 2 == pytest.approx(jackknife, rel=0.01)


def test_only_a_single_angle_is_kept_beside_samples():
    x = np.zeros((2, 1, 3, 2)) + np.array([1.0, 1.0])

    def with_symmetry(symmetry, shape):
        return Target("t", shape, lambda x: (x**2).sum(), symmetry, dtype=float)

    found = angles(with_symmetry(U1(), (3, 2)), x)["angles"]
    np.testing.assert_allclose(found, np.pi / 4, rtol=1e-6)
    assert angles(with_symmetry(Cyclic(3), (2,)), x[..., 0, :]) == {}
    assert angles(with_symmetry(None, (3, 2)), x) == {}

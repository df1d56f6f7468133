"""Density accounting of models whose flow leaks out of the cell on purpose.

Every flow here is untrained, centred away from the cell or random: much of y falls
outside Omega, where `cell` and `orbit` accounting disagree.
"""

from dataclasses import dataclass
from functools import cached_property, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_counts, assert_mean, grid, random_params
from scipy.special import ndtr
from tolerances import F64, SIGMAS

from sesamo_jax.config import BaseConfig, Config, build_model, complete
from sesamo_jax.core import Target
from sesamo_jax.flows import RealNVPConfig
from sesamo_jax.reference.quadrature import nodes_and_weights
from sesamo_jax.samplers.weighting import log_q
from sesamo_jax.symmetries import Z2
from sesamo_jax.targets.gaussian_mixture import GaussianMixture
from sesamo_jax.targets.hubbard.target import Hubbard
from sesamo_jax.training.loss import batch_loss

EXACT = GaussianMixture(modes=3, radius=1.5, dtype="float64").build("exact")
TILTED = GaussianMixture(modes=3, radius=1.5, breaking=0.3, dtype="float64").build()
PRINTED = GaussianMixture(3, 1.5, breaking=0.3, borders="eq35", dtype="float64").build()
HUBBARD = Hubbard(u=2.0).build()
# T flips both components but the cell is x_2 > 0 alone; nothing is symmetric.
WELLS = Target(
    name="wells",
    event_shape=(2,),
    action=lambda x: (x[1] ** 2 - 1) ** 2 + x[0] ** 2 / 2 + 0.4 * x[1] + 0.3 * x[0],
    symmetry=Z2((2,), cell=(1,), broken=True),
    dtype=jnp.float64,
)
SMOOTH = RealNVPConfig(2, 1, 8, "tanh", shared=True, log_scale_bound=0.3)
TURNS = np.linspace(0.05, 1.5, 6)
LIMIT = 16.0  # no model here has mass beyond
POINTS = 240
DRAWS = POINTS**2  # of the same shape as a grid, so that both share compilations


@dataclass(frozen=True)
class Case:
    """One model; its functions are compiled once for all tests."""

    target: Target
    modulation: str = "heat_bath"
    method: str = "sesamo"
    random: bool = True
    seed: int = 7

    @cached_property
    def model(self):
        # Off centre, and wide enough for weights of small variance.
        mean = 0.0 if self.method == "canonicalization" else 0.6
        base = BaseConfig(mean=mean, variance=3.0)
        config = Config(self.method, self.modulation, flow=SMOOTH, base=base)
        return build_model(self.target, config)

    @cached_property
    def params(self):
        init = partial(self.model.init, jax.random.key(0))
        with jax.ensure_compile_time_eval():  # a test may ask first while it traces
            params = random_params(init, np.random.default_rng(self.seed))
            if not self.random:  # zero networks are the identity flow
                params["flow"] = jax.tree.map(jnp.zeros_like, params["flow"])
        return params

    @cached_property
    def samples(self):
        draw = jax.jit(partial(self.model.sample, n=DRAWS))
        return draw(self.params, jax.random.key(self.seed))

    @cached_property
    def log_prob(self):
        return jax.jit(partial(self.model.log_prob, self.params))

    @cached_property
    def flow_log_prob(self):
        return jax.jit(partial(self.model.flow_log_prob, self.params))

    @cached_property
    def accounted(self):
        """Log q of all draws by accounting, on the host."""
        function = jax.jit(partial(log_q, self.model, self.params), static_argnums=1)
        return {
            density: np.asarray(function(self.samples, density))
            for density in ("orbit", "strict", "cell")
        }

    @cached_property
    def actions(self):
        return np.asarray(self.action(self.samples.x))

    @cached_property
    def action(self):
        return jax.jit(jax.vmap(self.target.action))

    @property
    def order(self):
        return self.target.symmetry.order if self.method != "realnvp" else 1

    @cached_property
    def z(self):
        """The partition function by quadrature."""
        return self.integral(lambda x: -self.action(x))

    def integral(self, log_density, turns=(0.0,)):
        """Integrate over a grid, or the mean over grids turned by several angles.

        Turning averages the error at discontinuities, here borders of cells, which
        the trapezoidal rule would otherwise resolve no better than its step.
        """
        points, volume = grid(LIMIT, POINTS)
        totals = []
        for turn in turns:
            cos, sin = np.cos(turn), np.sin(turn)
            turned = points @ np.array([[cos, sin], [-sin, cos]])
            x = jnp.asarray(turned.reshape(-1, *self.target.event_shape))
            totals.append(float(jnp.sum(jnp.exp(log_density(x)))) * volume)
        return np.mean(totals)

    def outside(self, y):
        """Return which y leave the cell: none where there is no cell."""
        if self.model.leaked is None:
            return np.zeros(len(y), bool)
        return np.asarray(jax.jit(self.model.leaked)(y))

    def weights(self, density):
        return np.exp(-self.actions - self.accounted[density])


MODULATED = {
    "heat_bath-cyclic": Case(TILTED),
    "heat_bath-printed-borders": Case(PRINTED, random=False),
    "heat_bath-hubbard": Case(HUBBARD),
    "heat_bath-z2-untrained": Case(WELLS, random=False),
    "learned-cyclic": Case(TILTED, "learned"),
    "learned-hubbard": Case(HUBBARD, "learned"),
    "exact-cyclic": Case(EXACT, "exact"),
}
BASELINES = {
    "realnvp": Case(TILTED, method="realnvp"),
    "canonicalization-cyclic": Case(TILTED, method="canonicalization"),
    "canonicalization-hubbard": Case(HUBBARD, method="canonicalization"),
    "canonicalization-untrained": Case(WELLS, method="canonicalization", random=False),
}
CASES = MODULATED | BASELINES
FOLDED_CASES = [name for name in BASELINES if name != "realnvp"]
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_modulated = pytest.mark.parametrize("case", MODULATED.values(), ids=MODULATED)


@pytest.mark.parametrize("name", [*MODULATED, "realnvp"])
def test_log_prob_integrates_to_one(name):
    case = CASES[name]
    np.testing.assert_allclose(case.integral(case.log_prob), 1, atol=F64)


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDED_CASES)
def test_log_prob_of_a_folded_base_integrates_to_one(name):
    case = CASES[name]
    for log_density in (case.log_prob, case.flow_log_prob):
        total = case.integral(log_density, turns=TURNS)
        np.testing.assert_allclose(total, 1, atol=5e-3)


@pytest.mark.slow
@every_modulated
@pytest.mark.parametrize("density", ["orbit", "strict"])
def test_orbit_and_strict_weights_estimate_z(case, density):
    assert_mean(case.weights(density), case.z)


@every_modulated
def test_cell_weights_count_every_sector_of_a_leaking_flow(case):
    """E[w] is the integral of sum_u exp(-f(T_u y)) over all y: |G| Z, not Z."""
    weights = case.weights("cell")
    assert_mean(weights, case.order * case.z)
    error = np.std(weights) / np.sqrt(DRAWS)
    assert np.mean(weights) > case.z + 20 * error


@pytest.mark.parametrize(
    "name", ["canonicalization-cyclic", "canonicalization-hubbard"]
)
def test_cell_weights_of_a_deformed_cell_count_what_it_covers(name):
    """A folded base fills g(Omega) only, with overlaps and holes instead of |G|."""
    case = CASES[name]
    symmetry, elements = case.target.symmetry, jnp.arange(case.order)

    @jax.vmap
    def folded_action(y):
        act = jax.vmap(lambda u: case.target.action(symmetry.act(u, y)[0]))
        return -jax.nn.logsumexp(-act(elements))

    def log_integrand(y):
        reached = case.flow_log_prob(y) > -jnp.inf
        return jnp.where(reached, -folded_action(y), -jnp.inf)

    expected = case.integral(jax.jit(log_integrand), turns=TURNS)
    assert abs(expected / case.z - 1) > 0.02
    weights = case.weights("cell")
    error = np.std(weights) / np.sqrt(DRAWS)
    assert abs(np.mean(weights) - expected) < 5 * error + 5e-3 * expected


@every_case
def test_orbit_accounting_of_draws_is_the_models_log_prob(case):
    orbit, drawn = case.accounted["orbit"], np.asarray(case.samples.log_q)
    np.testing.assert_allclose(orbit, case.log_prob(case.samples.x), atol=F64)
    # Some way leads to x, so its density is at least that of the way taken.
    assert np.all(orbit >= drawn - F64)
    if case.method == "sesamo":
        assert np.max(orbit - drawn) > 0.1
    if case.method == "realnvp":
        np.testing.assert_allclose(orbit, drawn, atol=F64)


@every_case
def test_cell_accounting_evaluated_anew_is_that_of_the_draw(case):
    np.testing.assert_allclose(case.accounted["cell"], case.samples.log_q, atol=F64)


@every_case
def test_strict_accounting_rejects_exactly_the_leaked_draws(case):
    strict, cell = case.accounted["strict"], case.accounted["cell"]
    outside = case.outside(case.samples.y)
    np.testing.assert_array_equal(strict[outside], np.inf)
    np.testing.assert_array_equal(strict[~outside], cell[~outside])
    if case.method == "sesamo":
        sector = jax.jit(jax.vmap(case.target.symmetry.sector))(case.samples.y)
        np.testing.assert_array_equal(outside, sector != 0)
        assert 0.1 < outside.mean() < 0.9
    elif case.method == "realnvp" or not case.random:
        assert not outside.any()


def test_leak_beyond_printed_borders_is_that_beyond_the_true_ones(key):
    """Cells of eq. 35 overlap: by them, hardly anything of a wide Gaussian leaks."""
    case = MODULATED["heat_bath-printed-borders"]
    y = case.samples.y
    angle = np.arctan2(y[:, 1], y[:, 0])
    np.testing.assert_array_equal(case.outside(y), np.abs(angle) > np.pi / 3)
    # Of the base, by columns of its wedge |y_2| < tan(pi / 3) y_1.
    x, weights = nodes_and_weights(6.0, panels=60)
    x = x + 6.0
    height, scale = np.tan(np.pi / 3) * x, 3**0.5
    column = ndtr((height - 0.6) / scale) - ndtr((-height - 0.6) / scale)
    inside = weights @ (np.exp(-(((x - 0.6) / scale) ** 2) / 2) * column)
    inside /= scale * np.sqrt(2 * np.pi)
    outside = 1 - inside
    assert_mean(case.outside(y), outside)
    by_penalty = np.mean(np.any(case.model.margins(y) > 0, axis=1))
    assert by_penalty < outside - 0.1
    config = Config(flow=SMOOTH, base=BaseConfig(mean=0.6, variance=3.0))
    config = complete(config, PRINTED)
    loss = jax.jit(partial(batch_loss, case.model, PRINTED, config))
    metrics = loss(case.params, key)[1]
    size = config.training.batch_size
    error = np.sqrt(outside * inside / size)
    assert abs(metrics["leak"] - outside) < SIGMAS * error


@every_case
def test_draws_are_images_of_y_and_follow_log_prob(case):
    """A coarse histogram against the density integrated over its bins."""
    samples, symmetry = case.samples, case.target.symmetry
    if case.method == "realnvp":
        np.testing.assert_array_equal(samples.x, samples.y)
    else:
        x = jax.jit(jax.vmap(lambda u, y: symmetry.act(u, y)[0]))(samples.u, samples.y)
        np.testing.assert_allclose(samples.x, x, atol=F64)
    bins, inner, limit = 10, POINTS // 10, 8.0
    edges = np.linspace(-limit, limit, bins + 1)
    middle = (np.arange(bins * inner) + 0.5) / (bins * inner) * 2 * limit - limit
    points = np.stack(np.meshgrid(middle, middle, indexing="ij"), axis=-1)
    log_prob = case.log_prob(jnp.asarray(points.reshape(-1, *case.target.event_shape)))
    fine = np.exp(log_prob).reshape(bins, inner, bins, inner)
    probabilities = fine.sum(axis=(1, 3)) * (2 * limit / (bins * inner)) ** 2
    x = np.reshape(samples.x, (-1, 2))
    counts = np.histogram2d(x[:, 0], x[:, 1], bins=(edges, edges))[0]
    assert probabilities.sum() > 0.98
    assert_counts(counts, probabilities, DRAWS)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["heat_bath-cyclic", "learned-hubbard", "realnvp"])
def test_images_hold_every_element_of_each_orbit(name, key):
    case = CASES[name]
    images = jax.jit(partial(case.model.images, n=20))(case.params, key)
    order, shape = case.order, case.target.event_shape
    assert images.x.shape == (20, order, *shape)
    assert images.log_q.shape == images.u.shape == images.log_p_u.shape == (20, order)
    np.testing.assert_array_equal(images.u, np.tile(np.arange(order), (20, 1)))
    np.testing.assert_allclose(np.exp(images.log_p_u).sum(axis=1), 1, atol=F64)
    expected = case.flow_log_prob(images.y)[:, None] + images.log_p_u
    np.testing.assert_allclose(images.log_q, expected, atol=F64)
    if order > 1:
        act = jax.vmap(case.target.symmetry.act, (0, None))
        x = jax.jit(jax.vmap(lambda y: act(jnp.arange(order), y)[0]))(images.y)
        np.testing.assert_allclose(images.x, x, atol=F64)
    outside = case.outside(images.y)
    assert outside.any() == (order > 1)
    strict = log_q(case.model, case.params, images, "strict")
    expected = np.where(outside[:, None], np.inf, images.log_q)
    np.testing.assert_allclose(strict, expected, atol=F64)


def test_base_mean_and_unit_enter_the_density():
    """Whitening changes the flow's units, not the normalisation."""
    for whiten in (True, False):
        case = CASES["heat_bath-cyclic"]
        base = BaseConfig(mean=0.6, variance=3.0, whiten=whiten)
        model = build_model(TILTED, Config(flow=SMOOTH, base=base))
        log_density = jax.jit(partial(model.flow_log_prob, case.params))
        np.testing.assert_allclose(case.integral(log_density), 1, atol=F64)


def test_an_image_whose_inverse_overflows_has_no_mass():
    """The mirror image of every draw is at s = -1000 and beyond, on the way back."""
    flow = RealNVPConfig(3, 0, 4, "relu", shared=False, log_scale_bound=0.0)
    base = BaseConfig(mean=6.0, variance=0.3, whiten=False)
    model = build_model(WELLS, Config(flow=flow, base=base))
    init = partial(model.init, jax.random.key(0))
    params = random_params(init, np.random.default_rng(5), gain=0.1)
    scale = params["flow"]["params"]["bijection"]["couplings_2"]["s"]
    for layer, slope in (("Dense_0", -1.0), ("Dense_1", -200.0)):
        kernel = jnp.zeros_like(scale[layer]["kernel"]).at[0, 0].set(slope)
        scale[layer] = {"kernel": kernel, "bias": jnp.zeros_like(scale[layer]["bias"])}
    samples = jax.jit(partial(model.sample, n=200))(params, jax.random.key(1))
    assert not np.any(model.leaked(samples.y))
    mirrored = jax.vmap(lambda y: WELLS.symmetry.act(1, y)[0])(samples.y)
    assert np.all(np.isneginf(model.flow_log_prob(params, mirrored)))
    found = model.log_prob(params, samples.x)
    np.testing.assert_allclose(found, samples.log_q, atol=F64)

"""Samplers and samples in other libraries: there and back, and by closed forms."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sesamo_jax
from sesamo_jax import (
    BijectorFlow,
    Config,
    Sampler,
    Target,
    WeightedSamples,
    chains_to_datatree,
    from_hdf5,
    to_distrax,
    to_hdf5,
    to_numpyro,
    to_pyerrors,
    weighted_to_datatree,
)
from sesamo_jax.estimators import reweighted
from sesamo_jax.interfaces import optional

SHIFT, SCALE = np.array([1.0, -2.0]), np.array([1.5, 0.5])


@pytest.fixture(scope="module")
def sampler():
    """A normal distribution of known means and widths."""
    target = Target.from_log_density(lambda x: -jnp.sum(x**2), (2,), dtype=jnp.float64)
    flow = BijectorFlow(
        lambda key: {"shift": jnp.array(SHIFT), "scale": jnp.array(SCALE)},
        lambda params: distrax.Block(distrax.ScalarAffine(**params), 1),
    )
    config = Config(method="flow", flow=flow)
    return Sampler.init(target, config, jax.random.key(0))


@pytest.fixture
def samples(rng):
    """Correlated weights and observables of two shapes."""
    x = rng.normal(size=(2000, 3))
    return WeightedSamples(
        x,
        0.4 * x[:, 0] + 700,  # whose exponential is too large for floating point
        rng.integers(2, size=2000),
        {"first": x[:, 0] + 0.3, "squares": x**2},
    )


def normal(x):
    z = (x - SHIFT) / SCALE
    return -0.5 * (z**2).sum(-1) - np.log(2 * np.pi * SCALE.prod())


def test_distrax_has_the_density_and_joins_it_to_its_own(sampler, key):
    distribution = to_distrax(sampler)
    assert distribution.event_shape == (2,)
    x, log_prob = distribution.sample_and_log_prob(seed=key, sample_shape=(3, 4))
    assert x.shape == (3, 4, 2)
    np.testing.assert_allclose(log_prob, normal(x), rtol=1e-12)
    twice = distrax.Transformed(
        distribution, distrax.Block(distrax.ScalarAffine(0.0, 2.0), 1)
    )
    expected = normal(x / 2) - 2 * np.log(2)
    np.testing.assert_allclose(twice.log_prob(x), expected, rtol=1e-12)


def test_numpyro_samples_the_posterior_of_it_as_a_prior(sampler, key):
    """Normal prior and likelihood: the posterior's mean is their weighted mean."""
    numpyro = pytest.importorskip("numpyro")
    from numpyro import distributions
    from numpyro.infer import MCMC, NUTS

    data, width = np.array([0.5, 0.5]), 0.8

    def model():
        x = numpyro.sample("x", to_numpyro(sampler))
        likelihood = distributions.Normal(x, width).to_event(1)
        numpyro.sample("data", likelihood, obs=data)

    prior = to_numpyro(sampler)
    assert prior.sample(key, (3, 4)).shape == (3, 4, 2)
    x = prior.sample(key)
    np.testing.assert_allclose(prior.log_prob(x), normal(x), rtol=1e-12)
    mcmc = MCMC(NUTS(model), num_warmup=200, num_samples=1000, progress_bar=False)
    mcmc.run(key)
    found = np.asarray(mcmc.get_samples()["x"])
    precision = 1 / SCALE**2 + 1 / width**2
    mean = (SHIFT / SCALE**2 + data / width**2) / precision
    # NUTS on a normal: hardly correlated; 5 sigma of 300 independent ones
    assert np.all(np.abs(found.mean(0) - mean) < 5 / np.sqrt(300 * precision))


def test_samples_come_back_from_hdf5(samples, tmp_path):
    pytest.importorskip("h5py")
    path = tmp_path / "samples.h5"
    to_hdf5(path, samples)
    jax.tree.map(np.testing.assert_array_equal, from_hdf5(path), samples)
    with pytest.raises(ValueError, match="samples.h5 exists: choose another file"):
        to_hdf5(path, samples)
    without = samples._replace(u=None, observables={})
    to_hdf5(tmp_path / "without.h5", without)
    assert from_hdf5(tmp_path / "without.h5").u is None


def test_another_hdf5_file_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(ValueError, match="other.h5 holds no samples: it has no log_w"):
        from_hdf5(tmp_path / "other.h5")


def test_weighted_samples_come_back_from_a_data_tree(samples, tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    weighted_to_datatree(samples).to_netcdf(tmp_path / "tree.nc", engine="h5netcdf")
    with xarray.open_datatree(tmp_path / "tree.nc", engine="h5netcdf") as tree:
        posterior, stats = tree["posterior"], tree["sample_stats"]
        np.testing.assert_array_equal(posterior["x"][0], samples.x)
        np.testing.assert_array_equal(posterior["squares"][0], samples.x**2)
        np.testing.assert_array_equal(stats["log_weight"][0], samples.log_w)
        np.testing.assert_array_equal(stats["group_element"][0], samples.u)
        assert posterior["squares"].dims == ("chain", "draw", "squares_dim_0")


def test_arviz_knows_chains_by_their_data_tree(rng):
    """Its error of the mean is that of autoregressive chains."""
    arviz = pytest.importorskip("arviz")
    noise, chains = rng.normal(size=(4, 5000)), np.zeros((4, 5000))
    for i in range(1, 5000):
        chains[:, i] = 0.8 * chains[:, i - 1] + noise[:, i]
    tree = chains_to_datatree({"level": chains, "pair": np.stack([chains] * 2, -1)})
    found = arviz.ess(np.asarray(tree["posterior"]["level"]))
    # tau_int = (1 + rho) / (1 - rho) / 2 in the Gamma method's normalisation
    assert float(found) == pytest.approx(20_000 / 9, rel=0.2)
    assert tree["posterior"]["pair"].dims == ("chain", "draw", "pair_dim_0")
    with pytest.raises(ValueError, match=r"level of shape \(9,\) must have the axes"):
        chains_to_datatree({"level": np.zeros(9)})


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_pyerrors_has_the_reweighted_means_and_their_errors(samples):
    pytest.importorskip("pyerrors")
    found = to_pyerrors(samples, "seed0")
    columns = {"first": samples.observables["first"], "squares": samples.x[:, 1] ** 2}
    for name, values in columns.items():
        obs = found[name] if name == "first" else found[name][1]
        obs.gamma_method(S=0)  # samples are independent
        expected = reweighted(values, samples.log_w)
        assert obs.value == pytest.approx(expected.mean, rel=1e-10)
        assert obs.dvalue == pytest.approx(expected.error, rel=1e-3)
    # of one ensemble, so that they are correlated
    difference = found["first"] - 2 * found["first"] / 2
    difference.gamma_method(S=0)
    assert difference.dvalue < 1e-12


def test_a_library_that_is_missing_is_named_with_its_remedy(samples, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(ImportError, match="h5py is not installed: pip install h5py"):
        to_hdf5("nowhere.h5", samples)
    assert optional.needed("json").__name__ == "json"
    assert sesamo_jax.to_hdf5 is to_hdf5

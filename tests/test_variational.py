"""Where lattice bases start: the Gaussian field nearest to the target."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_mean

from sesamo_jax import BaseConfig, Config, build_model
from sesamo_jax.bases import build_base
from sesamo_jax.bases.gaussian import Gaussian
from sesamo_jax.bases.slice import SliceGaussian
from sesamo_jax.bases.spectral import SpectralGaussian
from sesamo_jax.bases.variational import nearest_gaussian
from sesamo_jax.flows import SliceCouplingConfig
from sesamo_jax.geometry.lattice import Lattice, displacement_classes
from sesamo_jax.targets.phi4.complex import Phi4Complex
from sesamo_jax.targets.phi4.real import Phi4Real

LATTICE = (4, 6)
HOPPINGS = (0.15, 0.08)


def cosines(lattice, hoppings):
    """Return sum_mu kappa_mu cos k_mu, (*lattice)."""
    momenta = [2 * np.pi * np.arange(n) / n for n in lattice]
    grids = np.meshgrid(*momenta, indexing="ij")
    return sum(h * np.cos(k) for h, k in zip(hoppings, grids, strict=True))


def free_action(masses, field=0.0):
    """Return sum of m x^2 - 2 kappa_mu x x' - b x for components (n, *LATTICE)."""

    def action(x):
        total = -field * jnp.sum(x[0])
        for part, mass in zip(x, masses, strict=True):
            total += mass * jnp.sum(part**2)
            for axis, hopping in enumerate(HOPPINGS):
                total -= 2 * hopping * jnp.sum(part * jnp.roll(part, -1, axis))
        return total

    return action


@pytest.mark.parametrize("masses", [(0.9,), (0.7, 1.3)])
@pytest.mark.parametrize("field", [0.0, 0.6])
def test_a_free_field_is_found_exactly(masses, field):
    """Its mean is b / (2 e(0)), and S(k) = 1 / (2 e(k)) of each component."""
    mean, spectra = nearest_gaussian(
        free_action(masses, field), len(masses), Lattice(LATTICE), None, jnp.float64
    )
    energies = np.reshape(masses, (-1, 1, 1)) - 2 * cosines(LATTICE, HOPPINGS)
    np.testing.assert_allclose(spectra, 0.5 / energies, rtol=1e-9)
    assert mean == pytest.approx(field / (2 * energies[0, 0, 0]), abs=1e-9)


def test_a_given_mean_is_kept():
    mean, spectra = nearest_gaussian(
        free_action((0.9,), 0.6), 1, Lattice(LATTICE), 0.25, jnp.float64
    )
    assert mean == 0.25
    expected = 0.5 / (0.9 - 2 * cosines(LATTICE, HOPPINGS))
    np.testing.assert_allclose(spectra[0], expected, rtol=1e-9)


def free_energies(theory, shape, mean, spectra, noise):
    """Return one estimate per noise of <f> - (sum of log S) / 2, (n,)."""
    axes = tuple(range(1 - len(shape), 0))
    waves = np.fft.fftn(noise, axes=axes) * np.sqrt(spectra)
    fields = np.fft.ifftn(waves, axes=axes).real
    fields[:, 0] += mean
    if isinstance(theory, Phi4Complex):
        fields = np.moveaxis(fields, 1, -1)
    else:
        fields = fields[:, 0]
    actions = jax.jit(jax.vmap(theory.build().action))(fields)
    return np.asarray(actions) - np.sum(np.log(spectra)) / 2


INTERACTING = {
    "real-symmetric": Phi4Real((4, 6), kappa=0.2, lam=0.1, dtype="float64"),
    "real-broken": Phi4Real((4, 4), kappa=0.3, lam=0.05, dtype="float64"),
    "complex-broken": Phi4Complex((2, 4), kappa=0.45, lam=0.05, dtype="float64"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", INTERACTING)
def test_nothing_nearby_has_a_lower_free_energy(name, rng):
    """With common random numbers, so that small differences are seen."""
    theory = INTERACTING[name]
    components = 2 if isinstance(theory, Phi4Complex) else 1
    shape = (components, *theory.shape)
    target = theory.build()

    def action(x):
        return target.action(jnp.moveaxis(x, 0, -1) if components == 2 else x[0])

    lattice = Lattice(theory.shape)
    mean, spectra = nearest_gaussian(action, components, lattice, None, jnp.float64)
    assert mean > 0.5 if "broken" in name else mean == 0
    noise = rng.normal(size=(20_000, *shape))
    noise = np.concatenate([noise, -noise])
    best = free_energies(theory, shape, mean, spectra, noise)
    classes, first = displacement_classes(theory.shape)
    moves = []
    for factor in (0.9, 1.1):
        for component in range(components):
            for group in range(first.size):
                changed = spectra.copy()
                changed[component][classes == group] *= factor
                moves.append((mean, changed))
        if mean:
            moves.append((factor * mean, spectra))
    if not mean:
        moves.append((0.1 * np.mean(spectra) ** 0.5, spectra))
    raised = 0
    for centre, changed in moves:
        change = free_energies(theory, shape, centre, changed, noise) - best
        change = change.reshape(2, -1).mean(axis=0)  # of independent pairs
        error = change.std(ddof=1) / len(change) ** 0.5
        assert change.mean() > -4 * error
        raised += change.mean() > 4 * error
    # A test that saw nothing but noise would pass too.
    assert raised > 0.7 * len(moves)


@pytest.mark.parametrize(
    ("kappa", "lowest", "highest"), [(0.2, 0.0, 0.0), (0.3, 1.5, 3.0)]
)
def test_the_mean_tells_the_phases_apart(kappa, lowest, highest):
    target = Phi4Real((8, 8), kappa=kappa, lam=0.022, dtype="float64").build()
    base = build_base(target, BaseConfig(kind="spectral"))
    assert lowest <= base.mean <= highest


@pytest.mark.parametrize("mean", [0.0, None])
def test_a_spectral_base_that_starts_at_zero_stays_there(mean, key):
    target = Phi4Real((4, 4), kappa=0.3, dtype="float64").build()
    config = Config(sites="all", base=BaseConfig(kind="spectral", mean=mean))
    params = build_model(target, config).init(key)["flow"]["params"]["base"]
    base = build_base(target, config.base)
    noise = jax.random.normal(key, (4, 4), jnp.float64)
    z, flipped = (
        base.apply({"params": params}, sign * noise, method="from_noise")[0]
        for sign in (1, -1)
    )
    assert ("mean" in params) == (mean is None)
    np.testing.assert_allclose(z + flipped, 2 * base.mean, atol=1e-12)
    assert (base.mean == 0) == (mean == 0.0)


def nest(values):
    return tuple(map(nest, values)) if np.ndim(values) else float(values)


SPECTRUM = np.full((2, 2), 0.3)
SPECTRUM[0, 0] = 4.0
SHAPES = {"gaussian": (3,), "spectral": (2, 2)}
SCALES = {
    "gaussian": Gaussian((3,), 0.0, 2.5, jnp.float64),
    "spectral": SpectralGaussian(Lattice((2, 2)), 0.8, nest(SPECTRUM), jnp.float64),
    "slice-broken": SliceGaussian(
        Lattice((2, 2)), 2, 1.4, nest([SPECTRUM, 2 * SPECTRUM]), jnp.float64
    ),
    "slice-four": SliceGaussian(
        Lattice((2, 2)), 4, 0.7, nest([SPECTRUM, 2 * SPECTRUM]), jnp.float64
    ),
    "slice-symmetric": SliceGaussian(
        Lattice((2, 2)), 2, 0.0, nest([SPECTRUM, SPECTRUM]), jnp.float64
    ),
}


@pytest.mark.parametrize("name", SCALES)
def test_the_unit_of_a_base_is_its_root_mean_square(name, key):
    """Of |z_j| for complex fields; zero modes that weigh as much as all waves."""
    base = SCALES[name]
    shape = SHAPES.get(name, (2, 2, getattr(base, "components", 1)))
    noise = jax.random.normal(key, (40_000, *shape), jnp.float64)
    params = base.init(key, noise[0], method="from_noise")
    draw = jax.jit(jax.vmap(lambda n: base.apply(params, n, method="from_noise")[0]))
    square = draw(noise) ** 2
    if "slice" in name:
        square = jnp.sum(square, axis=-1)
    assert_mean(square.reshape(len(noise), -1).mean(axis=1), base.scale**2)


def test_the_slice_base_takes_the_found_mean_and_spectra():
    """In the symmetric phase both components have one spectrum, and the mean is 0."""
    target = Phi4Complex((4, 4), kappa=0.15, lam=0.1, dtype="float64").build()
    config = Config(base=BaseConfig(kind="slice"), flow=SliceCouplingConfig())
    base = build_base(target, config.base)
    real, imaginary = np.asarray(base.spectra)
    assert base.mean == 0
    np.testing.assert_allclose(real, imaginary, rtol=0.1)  # found from 256 samples
    assert real[0, 0] > 1.5 * real[2, 2]

"""Settings that change nothing: refused where given explicitly, whatever they say."""

from functools import partial

import jax
import numpy as np
import pytest
from helpers import random_params

from sesamo_jax.config import build_model, complete, resolve
from sesamo_jax.config.checks.effects import USES
from sesamo_jax.config.presets import PRESETS
from sesamo_jax.config.record import from_json, to_json
from sesamo_jax.config.schema import SCALARS, SECTIONS
from sesamo_jax.targets import TARGETS
from sesamo_jax.training.loss import batch_loss

NO_EFFECT = {
    "modulation of particles": ("dw4", {"modulation": "learned"}, "method=sesamo"),
    "modulation of a flow": (
        "gmm",
        {"method": "realnvp", "modulation": "heat_bath"},
        "method=sesamo",
    ),
    "objective of chains": (
        "phi4_real",
        {"method": "hmc", "training.objective": "reinforce"},
        "methods that train",
    ),
    "density of populations": (
        "phi4_real",
        {"method": "smc", "density": "cell"},
        "flow, vmonf or worldlines",
    ),
    "samples of chains": (
        "gmm",
        {"method": "hmc", "evaluation.samples": 500},
        "hmc.samples",
    ),
    "flow of chains": (
        "gmm",
        {"method": "hmc", "flow.width": 8},
        "flow or vmonf",
    ),
    "flow's name": (
        "gmm",
        {"method": "smc", "flow.name": "realnvp"},
        "flow or vmonf",
    ),
    "flow of worldlines": (
        "hubbard",
        {"method": "worldlines", "flow.layers": 2},
        "flow or vmonf",
    ),
    "base of worldlines": (
        "hubbard",
        {"method": "worldlines", "base.variance": 2.0},
        "flow or vmonf",
    ),
    "strict without a cell": (
        "gmm",
        {"method": "realnvp", "density": "strict"},
        "methods with a cell",
    ),
    "chains' section": ("gmm", {"hmc.chains": 7}, "method=hmc"),
    "populations' section": ("gmm", {"smc.target_ess": 0.9}, "method=smc"),
    "worldlines' section": ("hubbard", {"worldlines.blocks": 9}, "method=worldlines"),
    "mixture's section": ("gmm", {"vmonf.components": 2}, "method=vmonf"),
    "variance of a spectrum": (
        "phi4_real",
        {"base.variance": 2.0},
        "base.kind=gaussian",
    ),
    "penalty of a plain flow": (
        "gmm",
        {"method": "realnvp", "penalty.final": 3.0},
        "training with a penalty",
    ),
    "penalty of orbits": (
        "gmm",
        {"training.density": "orbit", "penalty.amplitude": 3.0},
        "training.density=cell",
    ),
    "penalty of a preset's orbits": (
        "phi4_real",
        {"penalty.sharpness": 3.0},
        "training.density=cell",
    ),
    "penalty on a slice": (
        "phi4_complex",
        {"penalty.amplitude": 3.0},
        "can leave its cell",
    ),
    "sharpness of no penalty": (
        "gmm",
        {"penalty.amplitude": 0, "penalty.final": 0.0, "penalty.sharpness": 2.0},
        "whose amplitude or final is not 0",
    ),
    "borders of a plain flow": (
        "gmm",
        {"method": "realnvp", "target.borders": "eq35"},
        "training with a penalty",
    ),
    "gamma": ("gmm", {"training.gamma": 0.7}, "objective=self_reparam"),
    "patience": ("gmm", {"training.patience": 70}, "schedule=plateau"),
    "decay": ("gmm", {"training.decay": 0.7}, "schedule=plateau"),
    "floor": ("gmm", {"training.minimum_learning_rate": 0.0}, "schedule=plateau"),
    "gradient of data": (
        "gmm",
        {
            "training.objective": "maximum_likelihood",
            "training.data": "x.npy",
            "training.gradient": "total",
        },
        "samples of the model",
    ),
    "density of a velocity": (
        "dw4",
        {
            "training.objective": "flow_matching",
            "training.data": "x.npy",
            "training.density": "orbit",
        },
        "samples of the model",
    ),
    "share": ("gmm", {"training.likelihood_share": 1.0}, "maximum_likelihood"),
    "augment": ("dw4", {"training.augment": False}, "maximum_likelihood"),
    "integration of couplings": (
        "gmm",
        {"evaluation.tolerance": 1e-7},
        "flows that are integrated",
    ),
    "steps of an adaptive flow": (
        "dw2",
        {"flow.tolerance": 1e-4, "flow.steps": 9},
        "flow.tolerance=0",
    ),
    "hopping beside a mass": (
        "phi4_real",
        {"target.mass2": -1.0, "target.kappa": 0.2},
        "without target.mass2",
    ),
    "direction of no field": (
        "phi4_complex",
        {"target.breaking": "re_plus_im"},
        "target.alpha other than 0",
    ),
    "closing a ring": (
        "hubbard",
        {"target.lattice": "ring", "target.extents": "4", "target.periodic": False},
        "target.lattice=square",
    ),
}


@pytest.mark.parametrize(
    ("target", "settings", "remedy"), NO_EFFECT.values(), ids=NO_EFFECT
)
def test_a_setting_without_effect_is_refused_with_what_it_is_for(
    target, settings, remedy
):
    with pytest.raises(ValueError, match="has no effect with method=") as error:
        resolve(target, settings=settings)
    text = str(error.value)
    name, value = list(settings.items())[-1]
    assert text.startswith(f"{name}={value} has no effect")
    assert remedy in text
    assert text.endswith("; set that, or leave it out")
    assert "\n" not in text
    # None asks for nothing, and another run's record for nothing new.
    if "name" not in name:
        rest = dict(list(settings.items())[:-1])
        run = resolve(target, settings=rest)
        assert from_json(to_json(run)) == run
    assert any(remedy in use.purpose for use in USES)


def test_none_is_never_refused():
    settings = {"method": "hmc", "training.density": None, "density": "none"}
    assert resolve("gmm", settings=settings).config.density is None


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("target", TARGETS)
def test_presets_may_set_what_a_method_does_not_use(preset, target):
    for method in ("flow", "vmonf", "hmc", "smc", "sesamo"):
        assert resolve(target, preset, {"method": method}).config.method == method


# A small system and what is set there, and fields that matter beside it or do not.
SMALL = {
    "target.modes": 3,
    "target.radius": 2.0,  # some samples lie outside the cell
    "flow.couplings": 1,
    "flow.layers": 0,
    "flow.width": 4,
    "training.batch_size": 6,
}
# What is set, then what changes nothing beside it, and what changes something.
CASES = {
    "modulated": ({}, {"training.gamma": 0.8}, {"penalty.sharpness": 0.7}),
    "plain": (
        {"method": "realnvp"},
        {"penalty.final": 0.7, "target.borders": "eq35", "modulation": "learned"},
        {"base.mean": 0.3},
    ),
}


def gradient(run):
    """Return the gradient of one batch's loss, as one array."""
    target = run.target.build("gmm")
    config = complete(run.config, target)
    model = build_model(target, config)
    params = random_params(
        partial(model.init, jax.random.key(0)), np.random.default_rng(5)
    )
    loss = partial(batch_loss, model, target, config)
    found = jax.grad(lambda p: loss(p, jax.random.key(3))[0])
    leaves = jax.tree.leaves(found(params))
    return np.concatenate([np.ravel(leaf) for leaf in leaves])


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "idle", "used"), CASES.values(), ids=CASES)
def test_what_is_refused_leaves_gradients_as_they_are(settings, idle, used):
    """And what is taken changes them: the rules are those of the loss."""
    settings = SMALL | settings
    usual = gradient(resolve("gmm", settings=settings))
    assert np.all(np.isfinite(usual))
    for name, value in used.items():
        changed = gradient(resolve("gmm", settings={**settings, name: value}))
        assert not np.array_equal(changed, usual), name
    for name, value in idle.items():
        with pytest.raises(ValueError, match=f"^{name}=.* has no effect"):
            resolve("gmm", settings={**settings, name: value})
        forced = gradient(from_json(_with(settings, name, value)))
        np.testing.assert_array_equal(forced, usual, err_msg=name)


def _with(settings, name, value):
    """Return the record of a run in which a setting was changed behind the rules."""
    tree = to_json(resolve("gmm", settings=settings))
    section, _, leaf = name.rpartition(".")
    (tree[section] if section else tree)[leaf] = value
    return tree


def test_sections_and_scalars_are_all_known():
    named = {name for use in USES for name in use.names}
    sections = {name for name in named if name.endswith(".")}
    assert {name[:-1] for name in sections} <= set(SECTIONS)
    trees = [to_json(resolve(target)) for target in TARGETS]
    for name in named - sections:
        section, _, leaf = name.rpartition(".")
        assert any(leaf in (tree[section] if section else SCALARS) for tree in trees), (
            name
        )

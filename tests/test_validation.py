"""Configurations completed to suit a target, and those that are refused."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from sesamo_jax.config import (
    BaseConfig,
    Config,
    EvaluationConfig,
    PenaltyConfig,
    TrainingConfig,
    complete,
    resolve,
)
from sesamo_jax.config.record import to_json
from sesamo_jax.core import Target
from sesamo_jax.flows import RealNVPConfig, SliceCouplingConfig
from sesamo_jax.symmetries import subgroup_chain, wells_at
from sesamo_jax.targets import build_target


def get(run, name):
    """Return a field of a run by its dotted name."""
    tree = to_json(run)
    for part in name.split("."):
        tree = tree[part]
    return tree


def test_complete_fills_what_depends_on_the_target():
    hubbard = build_target("hubbard", u=5.0, beta=2.0)
    config = complete(Config(), hubbard)
    assert config.base.variance == pytest.approx(10.0)
    assert config.base.mean == 0
    assert config.training.objective == "reverse_kl"
    assert (config.density, config.training.density) == ("orbit", "cell")
    assert config.training.gradient == "path"
    # Where the path gradient is biased, the other one is taken.
    for biased in (
        Config(method="canonicalization"),
        training(objective="self_reparam"),
    ):
        assert complete(biased, hubbard).training.gradient == "total"
    learned = complete(Config(modulation="learned"), hubbard)
    assert learned.training.objective == "rao_blackwell"
    # The law is not in use, whatever it is set to.
    plain = complete(Config(method="realnvp", modulation="learned"), hubbard)
    assert plain.training.objective == "reverse_kl"
    assert complete(config, hubbard) == config


def test_complete_leaves_what_was_set():
    config = Config(
        sites="all",
        density="strict",
        flow=RealNVPConfig(couplings=3),
        base=BaseConfig(mean=0.3, variance=7.0),
        training=TrainingConfig(
            objective="self_reparam", gradient="total", density="orbit"
        ),
    )
    assert complete(config, build_target("gmm")) == config


def training(**fields):
    return Config(training=TrainingConfig(**fields))


def evaluation(**fields):
    return Config(evaluation=EvaluationConfig(**fields))


WRONG = {
    "method": (Config(method="flows"), "unknown method 'flows'; known: sesamo"),
    "density": (Config(density="all"), "unknown density 'all'; known: orbit"),
    "base": (
        Config(base=BaseConfig(kind="uniform")),
        "unknown base.kind 'uniform'; known: gaussian",
    ),
    "objective": (
        training(objective="kl"),
        "unknown training.objective 'kl'; known: reverse_kl",
    ),
    "gradient": (
        training(gradient="half"),
        "unknown training.gradient 'half'; known: path, total",
    ),
    "schedule": (
        training(schedule="step"),
        "unknown training.schedule 'step'; known: cosine, plateau",
    ),
    "training density": (
        training(density="strict"),
        "unknown training.density 'strict'; known: cell, orbit",
    ),
    "steps": (training(steps=0), "training.steps=0 must be at least 1"),
    "batch": (training(batch_size=-1), "training.batch_size=-1 must be at least 1"),
    "rate": (
        training(learning_rate=float("nan")),
        "training.learning_rate=nan must be finite",
    ),
    "patience": (training(patience=0), "training.patience=0 must be at least 1"),
    "chunk": (training(chunk=0), "training.chunk=0 must be at least 1"),
    "samples": (evaluation(samples=0), "evaluation.samples=0 must be at least 1"),
    "evaluation batch": (
        evaluation(batch_size=0),
        "evaluation.batch_size=0 must be at least 1",
    ),
    "variance": (
        Config(base=BaseConfig(variance=0.0)),
        "base.variance=0.0 must be positive",
    ),
    "clip": (training(clip_norm=-1.0), "training.clip_norm=-1.0 must be at least 0"),
    "amplitude": (
        Config(penalty=PenaltyConfig(amplitude=-1.0)),
        "penalty.amplitude=-1.0 must be at least 0",
    ),
    "sharpness": (
        Config(penalty=PenaltyConfig(sharpness=-1.0)),
        "penalty.sharpness=-1.0 must be at least 0",
    ),
    "keep": (evaluation(keep=-1), "evaluation.keep=-1 must be at least 0"),
    "learned law without a gradient": (
        replace(training(objective="reverse_kl"), modulation="learned"),
        "gives a learned modulation no gradient",
    ),
    "sum over images in orbit accounting": (
        training(objective="rao_blackwell", density="orbit"),
        "set training.density to 'cell'",
    ),
    "canonicalization draws no u": (
        replace(training(objective="rao_blackwell"), method="canonicalization"),
        "canonicalization draws no u",
    ),
    "path gradient of the gamma term": (
        training(objective="self_reparam", gradient="path"),
        "the path gradient is biased for objective 'self_reparam'",
    ),
    "path gradient of canonicalization": (
        replace(training(gradient="path"), method="canonicalization"),
        "path gradient is biased: use gradient 'total'",
    ),
    "final amplitude": (
        Config(penalty=PenaltyConfig(final=-1.0)),
        "penalty.final=-1.0 must be at least 0",
    ),
    "canonicalization of an off-centre base": (
        Config(method="canonicalization", base=BaseConfig(mean=1.0)),
        "base.mean=1.0: canonicalization needs a base",
    ),
}


@pytest.mark.parametrize(("config", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_configuration_is_refused(config, words):
    with pytest.raises(ValueError, match=r"\w") as error:
        complete(config, build_target("gmm_broken"))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def on_data(**changes):
    config = training(objective="maximum_likelihood", data="x.npy")
    return replace(config, **changes)


def with_training(config, **fields):
    return replace(config, training=replace(config.training, **fields))


HELD_OUT = EvaluationConfig(data="y.npy")
WRONG_DATA = {
    "objective without data": (
        training(objective="maximum_likelihood"),
        "trains on data: set training.data",
    ),
    "data for another objective": (
        training(data="x.npy", objective="reverse_kl"),
        "training.data='x.npy' is for training.objective=maximum_likelihood",
    ),
    "share without objective": (
        training(likelihood_share=0.5),
        "training.likelihood_share=0.5 is that of data: set training.data",
    ),
    "share": (
        with_training(on_data(), likelihood_share=1.5),
        "training.likelihood_share=1.5 must be at most 1",
    ),
    "augment without data": (
        training(augment=True),
        "training.augment=True changes data and there are none",
    ),
    "augment without particles": (
        with_training(on_data(), augment=True),
        "rotates particles, which 'gmm_broken' does not have",
    ),
    "canonicalization": (
        on_data(method="canonicalization"),
        "canonicalization has no density at all in places",
    ),
    "mix of a mixture": (
        with_training(on_data(method="vmonf"), likelihood_share=0.5),
        "which method 'vmonf' is not: use 1",
    ),
    "chains": (on_data(method="hmc"), "method 'hmc' has no density, which training"),
    "populations": (
        Config(method="smc", evaluation=HELD_OUT),
        "method 'smc' has no density, which evaluation.data needs",
    ),
    "worldlines": (
        on_data(method="worldlines"),
        "knows no density but that of its own samples, and training.data needs one",
    ),
    "held out from worldlines": (
        Config(method="worldlines", evaluation=HELD_OUT),
        "and evaluation.data needs one",
    ),
}


@pytest.mark.parametrize(("config", "words"), WRONG_DATA.values(), ids=WRONG_DATA)
def test_data_that_do_not_fit_are_refused(config, words):
    with pytest.raises(ValueError, match=r"\w") as error:
        complete(config, build_target("gmm_broken"))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_data_of_a_group_too_large_for_sums_are_refused():
    target = build_target("hubbard", lattice="chain", extents=(20,), time_slices=2)
    config = on_data(modulation="autoregressive")
    with pytest.raises(ValueError, match="needs a density that sums over .* 'hubbard'"):
        complete(config, target)
    complete(replace(config, method="realnvp"), target)


def test_maximum_likelihood_takes_the_exact_density():
    target = build_target("gmm")
    for law in ("heat_bath", "exact", "learned"):
        config = complete(on_data(modulation=law), target)
        assert config.training.density == "orbit"
        assert config.training.objective == "maximum_likelihood"
        assert complete(config, target) == config
    assert complete(with_training(on_data(), objective=None), target) == complete(
        on_data(), target
    )
    mixture = complete(on_data(method="vmonf"), target)
    assert mixture.training.density == mixture.density == "marginal"
    assert complete(mixture, target) == mixture
    on_slice = on_data(base=BaseConfig(kind="slice"), flow=SliceCouplingConfig())
    circle = complete(on_slice, build_target("phi4_complex"))
    assert circle.training.density == "cell"
    particles = with_training(on_data(method="realnvp"), augment=True)
    assert complete(particles, build_target("dw4")).training.augment


CONTINUOUS = {
    "method": (Config(method="canonicalization"), "defined for finite groups"),
    "density": (Config(density="orbit"), "density 'orbit' sums over a finite group"),
    "strict": (Config(density="strict"), "density 'strict' sums over a finite group"),
    "training density": (
        training(density="orbit"),
        "training.density 'orbit' sums over a finite group",
    ),
    "objective": (
        training(objective="rao_blackwell"),
        "training.objective 'rao_blackwell' sums over a finite group",
    ),
}


@pytest.mark.parametrize(("config", "words"), CONTINUOUS.values(), ids=CONTINUOUS)
def test_what_needs_a_list_of_elements_is_refused_for_a_continuous_group(config, words):
    with pytest.raises(ValueError, match="has a continuous symmetry, and") as error:
        complete(config, build_target("phi4_complex"))
    assert words in str(error.value)


def test_complete_picks_what_a_continuous_group_allows():
    target = build_target("phi4_complex")
    on_slice = Config(base=BaseConfig(kind="slice"), flow=SliceCouplingConfig())
    config = complete(on_slice, target)
    assert (config.density, config.training.objective) == ("cell", "reverse_kl")
    learned = complete(replace(on_slice, modulation="learned"), target)
    assert learned.training.objective == "reinforce"


@pytest.mark.parametrize("method", ["hmc", "smc"])
def test_a_method_of_all_of_space_is_refused_on_a_slice(method):
    target = build_target("phi4_complex", space="aligned")
    with pytest.raises(ValueError, match=f"'{method}' .* set target.space to 'full'"):
        complete(Config(method=method), target)


# The remaining numbers of `TrainingConfig` reach the optimiser, which has its own
# limits: 0 < decay < 1, and a floor that is not negative and below the peak.
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("decay", 0.0),
        ("decay", 1.5),
        ("minimum_learning_rate", -1e-6),
        ("minimum_learning_rate", 1.0),
        ("gamma", float("nan")),
        ("learning_rate", float("inf")),
    ],
)
def test_a_number_that_cannot_work_is_refused_by_name(field, value):
    config = training(schedule="plateau", **{field: value})
    with pytest.raises(ValueError, match=f"training.{field}="):
        complete(config, build_target("gmm"))


@pytest.mark.parametrize("method", ["sesamo", "canonicalization"])
def test_a_method_that_needs_a_symmetry_says_so(method):
    target = Target("plain", (2,), lambda x: jnp.sum(x**2))
    with pytest.raises(ValueError, match="'plain' declares none: use method 'flow'"):
        complete(Config(method=method), target)
    for without in ("realnvp", "vmonf"):
        assert complete(Config(method=without), target).base.variance == 1.0


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("hubbard", {"dtype": "float32"}, "target.dtype='float32'"),
        ("hubbard", {"beta": float("nan")}, "target.beta=nan must be finite"),
        ("gmm", {"modes": 1}, "target.modes=1 must be at least 2"),
        ("gmm", {"radius": float("nan")}, "target.radius=nan must be finite"),
        (
            "gmm",
            {"dtype": "float16"},
            "unknown target.dtype 'float16'; known: float32",
        ),
        ("gmm", {"dtype": "int32"}, "unknown target.dtype 'int32'"),
        ("gmm", {"dtype": "double precision"}, "double precision"),
        (
            "gmm",
            {"borders": "wrong"},
            "unknown target.borders 'wrong'; known: true",
        ),
    ],
)
def test_a_wrong_target_parameter_is_refused_by_name(name, fields, words):
    with pytest.raises(ValueError, match="target|borders") as error:
        build_target(name, **fields)
    assert words in str(error.value)


@pytest.mark.parametrize("text", ["8,4", "(8, 4)", "[8, 4]", [8, 4], (8, 4)])
def test_extents_are_integers_with_commas(text):
    run = resolve("phi4_real", settings={"target.shape": text})
    assert run.target.shape == (8, 4)


@pytest.mark.parametrize("text", ["8x4", "", "8,4.5", 8])
def test_wrong_extents_are_named(text):
    with pytest.raises(ValueError, match="target.shape=.* must be integers such as"):
        resolve("phi4_real", settings={"target.shape": text})


LIKELIHOOD = {"objective": "maximum_likelihood", "data": "chains"}


@pytest.mark.parametrize("kind", ["cosets", "wells"])
@pytest.mark.parametrize(
    "fields",
    [
        {"objective": "self_reparam"},
        LIKELIHOOD | {"likelihood_share": 0.5},
    ],
)
def test_objectives_blind_to_draws_that_follow_y_are_refused(kind, fields):
    """By name and remedy; what draws nothing, or follows its draws, is not."""
    target, law = build_target("gmm_broken", modes=2), "heat_bath"
    if kind == "cosets":
        law = "cosets"
        symmetry = subgroup_chain([-np.eye(2)], broken=True)
    else:
        symmetry = wells_at(target.action, [[3.0, 0.0], [-3.0, 0.0]])
    target = replace(target, symmetry=symmetry)
    config = replace(training(**fields), modulation=law)
    with pytest.raises(ValueError, match="biased gradient.*'reinforce'"):
        complete(config, target)
    for fine in ({"objective": "reinforce"}, LIKELIHOOD):
        complete(replace(training(**fine), modulation=law), target)

"""From names, presets and text to a configuration, and the checks it must pass."""

import json
from dataclasses import dataclass, replace

import jax.numpy as jnp
import pytest

from sesamo_jax.config import (
    BaseConfig,
    Config,
    EvaluationConfig,
    PenaltyConfig,
    TrainingConfig,
)
from sesamo_jax.core import Target
from sesamo_jax.flows import FLOWS, SliceCouplingConfig
from sesamo_jax.presets import PRESETS
from sesamo_jax.settings import difference, from_json, resolve, to_json
from sesamo_jax.targets import TARGETS, build_target
from sesamo_jax.validation import complete


def get(run, name):
    """Return a field of a run by its dotted name."""
    tree = to_json(run)
    for part in name.split("."):
        tree = tree[part]
    return tree


# resolve


def test_the_default_preset_is_the_default_configuration():
    run = resolve("hubbard")
    assert run.config == Config()
    assert run.target == TARGETS["hubbard"]
    assert (run.target_name, run.flow_name, run.preset) == (
        "hubbard",
        "realnvp",
        "default",
    )
    assert (run.seed, run.seeds) == (0, 1)


def test_seeds_are_kept():
    run = resolve("gmm", seed=7, seeds=3)
    assert (run.seed, run.seeds) == (7, 3)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("training.steps", "123", 123),
        ("training.learning_rate", "3e-3", 3e-3),
        ("training.learning_rate", "1", 1.0),
        ("base.whiten", "False", False),
        ("base.whiten", "true", True),
        ("base.variance", "none", None),
        ("base.variance", "2.5", 2.5),
        ("training.objective", "None", None),
        ("training.objective", "reinforce", "reinforce"),
        ("target.radius", "3", 3.0),
        ("target.modes", "5", 5),
        ("flow.activation", "tanh", "tanh"),
        ("method", "realnvp", "realnvp"),
        ("density", "cell", "cell"),
        ("density", "none", None),
    ],
)
def test_text_is_converted_to_the_type_of_the_field(name, text, value):
    result = get(resolve("gmm", settings={name: text}), name)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("name", "value"), [("training.steps", 50), ("training.steps", 50.0)]
)
def test_numbers_are_accepted_as_they_are(name, value):
    result = get(resolve("gmm", settings={name: value}), name)
    assert result == 50
    assert type(result) is int


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("training.steps", "many", "an integer"),
        ("training.steps", "1.5", "an integer"),
        ("training.steps", 1.5, "an integer"),
        ("training.steps", "none", "an integer"),
        ("training.learning_rate", "fast", "a number"),
        ("base.variance", "wide", "a number"),
        ("base.whiten", "perhaps", "true or false"),
        ("base.whiten", "none", "true or false"),
        ("target.radius", "", "a number"),
    ],
)
def test_a_wrong_type_is_named_with_the_field_and_the_value(name, value, words):
    with pytest.raises(ValueError, match=words) as error:
        resolve("gmm", settings={name: value})
    assert str(error.value) == f"{name}={value!r} must be {words}"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("training.step", "training.steps"),
        ("trainig.batch_size", "training.batch_size"),
        ("target.radios", "target.radius"),
        ("flow.widht", "flow.width"),
        ("densty", "density"),
    ],
)
def test_an_unknown_setting_names_the_nearest_known_one(name, nearest):
    with pytest.raises(ValueError, match=f"^unknown setting {name!r}") as error:
        resolve("gmm", settings={name: "1"})
    assert f"nearest: {nearest};" in str(error.value)


def test_another_targets_field_is_unknown():
    with pytest.raises(ValueError, match="unknown setting 'target.beta'"):
        resolve("gmm", settings={"target.beta": "1"})


@pytest.mark.parametrize(
    ("arguments", "kind", "nearest"),
    [
        ({"target": "gnm"}, "target", "gmm"),
        ({"target": "gmm", "preset": "papper"}, "preset", "paper"),
        ({"target": "gmm", "settings": {"method": "sesam"}}, "method", "sesamo"),
        (
            {"target": "gmm", "settings": {"flow.name": "realnpv"}},
            "flow.name",
            "realnvp",
        ),
    ],
)
def test_an_unknown_name_names_the_nearest_and_all_known(arguments, kind, nearest):
    with pytest.raises(ValueError, match=f"^unknown {kind} ") as error:
        resolve(**arguments)
    known = {"target": TARGETS, "preset": PRESETS, "flow.name": FLOWS, "method": ()}
    assert f"nearest: {nearest};" in str(error.value)
    for name in known[kind]:
        assert name in str(error.value)


def test_a_hopeless_name_has_no_nearest():
    with pytest.raises(ValueError, match="known: .*gmm") as error:
        resolve("xyzzy")
    assert "nearest" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"seeds": 0}, "seeds=0 must be at least 1"), ({"seed": -1}, "seed=-1 must not")],
)
def test_seeds_out_of_range(arguments, words):
    with pytest.raises(ValueError, match=words):
        resolve("gmm", **arguments)


# Presets


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("method", ["sesamo", "canonicalization", "realnvp", "vmonf"])
def test_explicit_settings_win_over_every_preset(preset, name, method):
    wanted = {"training.steps": 11, "base.variance": 3.5, "training.learning_rate": 0.5}
    run = resolve(name, preset, {**wanted, "method": method})
    assert {field: get(run, field) for field in wanted} == wanted
    assert run.config.method == method


def test_later_entries_of_a_preset_win():
    # The Hubbard row follows the row for everything, the smoke row follows the default.
    assert get(resolve("gmm_broken", "paper"), "training.steps") == 10_000
    assert get(resolve("hubbard", "paper"), "training.steps") == 6000
    assert get(resolve("gmm", "default"), "training.steps") == 3000
    assert get(resolve("gmm", "smoke"), "training.steps") == 20


LATTICE_DEFAULTS = {
    "real": (
        "phi4_real",
        {},
        {"flow.name": "continuous", "base.kind": "spectral"}
        | {"training.density": "orbit", "training.objective": "reverse_kl"},
    ),
    "real, learned": (
        "phi4_real",
        {"modulation": "learned"},
        {"flow.name": "continuous", "base.kind": "spectral"}
        | {"training.density": "cell", "training.objective": "rao_blackwell"},
    ),
    "full": (
        "phi4_complex",
        {},
        {"flow.name": "slice_continuous", "base.kind": "slice", "density": "cell"},
    ),
    "aligned": (
        "phi4_complex",
        {"target.space": "aligned"},
        {"flow.name": "continuous", "base.kind": "spectral", "density": "cell"},
    ),
    "aligned, broken": (
        "phi4_complex_broken",
        {"target.space": "aligned"},
        {"flow.name": "continuous", "base.kind": "spectral", "density": "cell"},
    ),
}


@pytest.mark.parametrize(
    ("name", "settings", "expected"), LATTICE_DEFAULTS.values(), ids=LATTICE_DEFAULTS
)
def test_lattice_presets_depend_on_what_was_set_and_fit_together(
    name, settings, expected
):
    run = resolve(name, settings=settings)
    run = replace(run, config=complete(run.config, run.target.build(name)))
    assert {field: get(run, field) for field in expected} == expected


@pytest.mark.parametrize("name", ["dw2", "dw4", "lj13"])
def test_particles_take_the_equivariant_flow_and_no_modulation(name):
    run = resolve(name)
    run = replace(run, config=complete(run.config, run.target.build(name)))
    assert run.flow_name == "kernel"
    assert run.config.method == "realnvp"
    assert run.config.base.variance == 1.0  # the unit of the flow's lengths
    centres = "quadratic" if name == "lj13" else "even"
    assert get(run, "flow.centres") == centres
    # Another method on request, with the flow's symmetry then left without a cell.
    other = resolve(name, settings={"method": "sesamo"})
    assert complete(other.config, other.target.build(name)).density == "orbit"
    assert get(other, "training.density") == "orbit"


PAPER = {
    "density": "cell",
    "flow.couplings": 6,
    "flow.layers": 4,
    "flow.width": 40,
    "flow.activation": "relu",
    "base.mean": 0.0,
    "base.whiten": False,
    "training.batch_size": 8000,
    "training.learning_rate": 5e-4,
    "training.schedule": "plateau",
    "training.decay": 0.92,
    "training.patience": 2000,
    "training.minimum_learning_rate": 1e-6,
    "training.clip_norm": 0.0,
    "training.objective": "self_reparam",
    "training.gamma": 0.5,
    "training.gradient": "total",
    "training.density": "cell",
}


# Of a mixture the paper knows no sizes: those of the authors' package, and its loss.
PACKAGE = {
    "flow.width": 100,
    "vmonf.components": 4,
    "density": "marginal",
    "training.objective": "rao_blackwell",
    "training.density": "augmented",
}


@pytest.mark.parametrize(
    ("name", "method", "expected"),
    [
        ("gmm", "sesamo", {"modulation": "exact", "training.steps": 10_000}),
        ("gmm", "realnvp", {"base.variance": 20.0, "training.steps": 10_000}),
        ("gmm", "canonicalization", {"base.variance": 1.0}),
        ("gmm_broken", "sesamo", {"modulation": "learned", "training.steps": 10_000}),
        ("gmm_broken", "realnvp", {"base.variance": 20.0}),
        ("gmm", "vmonf", {"base.variance": 20.0} | PACKAGE),
        ("hubbard", "vmonf", {"training.steps": 6000} | PACKAGE),
        ("hubbard", "sesamo", {"modulation": "learned", "training.steps": 6000}),
        ("hubbard", "realnvp", {"base.variance": 18.0}),
    ],
)
def test_the_paper_preset_is_table_3(name, method, expected):
    run = resolve(name, "paper", {"method": method})
    target = run.target.build(name)
    run = replace(run, config=complete(run.config, target))
    variance = 18.0 if name == "hubbard" else 1.0
    expected = PAPER | {"base.variance": variance} | expected
    assert {field: get(run, field) for field in expected} == expected
    if name != "hubbard":
        assert get(run, "target.borders") == "eq35"


def test_a_preset_does_not_force_its_flow_sizes_on_another_flow(monkeypatch):
    @dataclass(frozen=True)
    class Other:
        depth: int = 3

        def build(self, event_shape, dtype):
            raise NotImplementedError

    monkeypatch.setitem(FLOWS, "other", Other())
    run = resolve("gmm", "paper", {"flow.name": "other", "flow.depth": "5"})
    assert run.flow_name == "other"
    assert run.config.flow == Other(5)
    with pytest.raises(ValueError, match="unknown setting 'flow.width'"):
        resolve("gmm", "paper", {"flow.name": "other", "flow.width": "5"})


# JSON


def through_json(tree):
    return json.loads(json.dumps(tree, allow_nan=False))


every_preset = pytest.mark.parametrize("preset", PRESETS)
every_target = pytest.mark.parametrize("name", TARGETS)


@every_preset
@every_target
def test_a_run_survives_json(name, preset):
    settings = {"training.steps": 17, "method": "realnvp"}
    run = resolve(name, preset, settings, seed=4, seeds=2)
    assert from_json(through_json(to_json(run))) == run


@every_preset
@every_target
def test_a_completed_run_survives_json_and_is_recognised(name, preset):
    run = resolve(name, preset, {"base.variance": 2.5})
    run = replace(run, config=complete(run.config, run.target.build(name)))
    tree = through_json(to_json(run))
    assert difference(tree, to_json(run)) is None
    assert from_json(tree) == run


def test_a_user_defined_target_survives_json(monkeypatch):
    @dataclass(frozen=True)
    class Own:
        shape: tuple[int, ...] = (2, 3)
        mass: float | None = None
        dtype: str = "float32"

        def build(self, name):
            raise NotImplementedError

    monkeypatch.setitem(TARGETS, "own", Own())
    run = resolve("own", settings={"target.mass": "0.5", "density": "cell"})
    tree = through_json(to_json(run))
    assert from_json(tree) == run
    assert difference(tree, to_json(run)) is None


def test_difference_names_the_setting_and_both_values():
    old = to_json(resolve("gmm"))
    assert difference(old, to_json(resolve("gmm"))) is None
    for name, value, words in (
        ("training.steps", 7, "training.steps was 3000, now 7"),
        ("target.radius", 9.0, "target.radius was 12.0, now 9.0"),
        ("base.variance", 2.0, "base.variance was None, now 2.0"),
        ("method", "realnvp", "method was 'sesamo', now 'realnvp'"),
    ):
        changed = json.loads(json.dumps(old))
        branch, _, leaf = name.rpartition(".")
        (changed[branch] if branch else changed)[leaf] = value
        assert difference(old, changed) == words
    assert difference(old, to_json(resolve("gmm", seeds=2))) == "seeds was 1, now 2"
    assert "target.name was 'gmm'" in difference(old, to_json(resolve("hubbard")))


# complete


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
        density="strict",
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
    "method": (Config(method="flow"), "unknown method 'flow'; known: sesamo"),
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
    "steps": (training(steps=0), "training.steps=0 must be positive"),
    "batch": (training(batch_size=-1), "training.batch_size=-1 must be positive"),
    "rate": (
        training(learning_rate=float("nan")),
        "training.learning_rate=nan must be positive",
    ),
    "patience": (training(patience=0), "training.patience=0 must be positive"),
    "chunk": (training(chunk=0), "training.chunk=0 must be positive"),
    "samples": (evaluation(samples=0), "evaluation.samples=0 must be positive"),
    "evaluation batch": (
        evaluation(batch_size=0),
        "evaluation.batch_size=0 must be positive",
    ),
    "variance": (
        Config(base=BaseConfig(variance=0.0)),
        "base.variance=0.0 must be positive",
    ),
    "clip": (training(clip_norm=-1.0), "training.clip_norm=-1.0 must not be negative"),
    "amplitude": (
        Config(penalty=PenaltyConfig(amplitude=-1.0)),
        "penalty.amplitude=-1.0 must not be negative",
    ),
    "sharpness": (
        Config(penalty=PenaltyConfig(sharpness=-1.0)),
        "penalty.sharpness=-1.0 must not be negative",
    ),
    "keep": (evaluation(keep=-1), "evaluation.keep=-1 must not be negative"),
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
        "penalty.final=-1.0 must not be negative",
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
    "data without objective": (
        training(data="x.npy"),
        "training.data='x.npy' is for training.objective=maximum_likelihood",
    ),
    "share without objective": (
        training(likelihood_share=0.5),
        "training.likelihood_share=0.5 is that of training.objective=maximum",
    ),
    "share": (
        with_training(on_data(), likelihood_share=1.5),
        "training.likelihood_share=1.5 must lie between 0 and 1",
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
    with pytest.raises(ValueError, match="'plain' declares none: use method 'realnvp'"):
        complete(Config(method=method), target)
    for without in ("realnvp", "vmonf"):
        assert complete(Config(method=without), target).base.variance == 1.0


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("hubbard", {"dtype": "float32"}, "target.dtype='float32'"),
        ("hubbard", {"beta": float("nan")}, "target.beta=nan must be positive"),
        ("gmm", {"modes": 1}, "target.modes=1 must be at least 2"),
        ("gmm", {"radius": float("nan")}, "target.radius=nan must be positive"),
        ("gmm", {"dtype": "float16"}, "dtype float16 must be"),
        ("gmm", {"dtype": "int32"}, "dtype int32 must be"),
        ("gmm", {"dtype": "double precision"}, "double precision"),
        ("gmm", {"borders": "wrong"}, "borders='wrong'"),
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

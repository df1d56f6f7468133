"""Presets: what they set, and that explicit settings win over them."""

from dataclasses import dataclass, replace

import pytest

from sesamo_jax.config import complete, resolve
from sesamo_jax.config.presets import PRESETS
from sesamo_jax.config.record import to_json
from sesamo_jax.flows import FLOWS
from sesamo_jax.targets import TARGETS


def get(run, name):
    """Return a field of a run by its dotted name."""
    tree = to_json(run)
    for part in name.split("."):
        tree = tree[part]
    return tree


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("method", ["sesamo", "canonicalization", "flow", "vmonf"])
def test_explicit_settings_win_over_every_preset(preset, name, method):
    wanted = {"training.steps": 11, "base.whiten": True, "training.learning_rate": 0.5}
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


@pytest.mark.parametrize("name", ["dw2", "lj13"])
def test_particles_take_the_equivariant_flow_and_no_modulation(name):
    run = resolve(name)
    run = replace(run, config=complete(run.config, run.target.build(name)))
    assert run.flow_name == "kernel"
    assert run.config.method == "flow"
    assert run.config.base.variance == 1.0  # the unit of the flow's lengths
    centres = "quadratic" if name == "lj13" else "even"
    assert get(run, "flow.centres") == centres
    # Another method on request, with the flow's symmetry then left without a cell.
    other = resolve(name, settings={"method": "sesamo"})
    assert complete(other.config, other.target.build(name)).density == "orbit"
    assert get(other, "training.density") == "orbit"


def test_four_particles_train_on_chains_unless_something_else_is_asked_for():
    run = resolve("dw4")
    training = complete(run.config, run.target.build("dw4")).training
    assert (training.data, training.objective) == ("chains", "flow_matching")
    assert run.flow_name == "equivariant_graph"
    for settings in (
        {"training.objective": "reverse_kl"},
        {"training.data": "x.npy", "training.objective": "maximum_likelihood"},
        {"flow.name": "kernel"},
        {"method": "sesamo"},
    ):
        other = resolve("dw4", settings=settings)
        assert other.flow_name == "kernel"
        assert complete(other.config, other.target.build("dw4")).density == "orbit"


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


@pytest.mark.parametrize(
    ("target", "settings", "method"),
    [
        ("hubbard", {}, "sesamo"),
        ("hubbard", {"target.time_slices": 1}, "sesamo"),
        ("hubbard", {"target.time_slices": "6"}, "worldlines"),
        ("hubbard", {"target.time_slices": 6, "method": "sesamo"}, "sesamo"),
        ("dw4", {}, "flow"),
        ("gmm", {}, "sesamo"),
    ],
)
def test_the_method_suits_the_target_unless_it_is_named(target, settings, method):
    assert resolve(target, settings=settings).config.method == method
    if "method" not in settings:
        assert resolve(target, "smoke", settings).config.method == method

"""What a configuration is to be cited for."""

import re

import pytest

from sesamo_jax import Config, TrainingConfig, build_target, citation
from sesamo_jax.config import citation as sources
from sesamo_jax.config import resolve
from sesamo_jax.config.schema import GRADIENTS, METHODS
from sesamo_jax.flows import FLOWS
from sesamo_jax.objectives import OBJECTIVES

TABLES = {
    "METHOD_SOURCES": METHODS,
    "FLOW_SOURCES": FLOWS,
    "OBJECTIVE_SOURCES": OBJECTIVES,
    "GRADIENT_SOURCES": GRADIENTS,
}


def keys(text):
    return re.findall(r"^@\w+\{(\w+),$", text, re.M)


def cited(name, **settings):
    run = resolve(name, "default", settings)
    return keys(citation(run.config, run.target.build(name)))


@pytest.mark.parametrize("name", TABLES)
def test_every_row_says_where_it_comes_from(name):
    assert set(getattr(sources, name)) == set(TABLES[name])


def test_every_source_has_an_entry_and_every_entry_is_a_source():
    named = {*sources.ALWAYS, *sources.OF_WEIGHTS, *sources.OF_THE_AUDIT}
    for name in TABLES:
        named |= {key for row in getattr(sources, name).values() for key in row}
    assert named == set(sources.entries())


@pytest.mark.parametrize("entry", sources.entries().values(), ids=lambda e: keys(e)[0])
def test_entries_are_bibtex_with_authors_a_year_and_where_to_find_them(entry):
    assert entry.count("{") == entry.count("}")
    found = dict(re.findall(r"^  (\w+) = \{(.+)\},$", entry, re.M))
    assert len(found) == entry.count("\n") - 1
    assert {"author", "title"} <= set(found)
    if "@software" in entry:
        assert re.fullmatch(r"\d+\.\d+\.\d+.*", found["version"])
        return
    assert re.fullmatch(r"(19|20)\d\d", found["year"])
    assert re.fullmatch(r"10\.\d+/\S+", found.get("doi", "10.1/x"))
    assert re.fullmatch(r"\d{4}\.\d{5}", found.get("eprint", "1234.56789"))
    assert ("doi" in found) != ("eprint" in found)


def test_a_configuration_is_cited_for_what_it_uses():
    always = ["sesamo_jax", "kreit2026sesamo"]
    weights = ["nicoli2021estimation", "bennett1976efficient"]
    path = "roeder2017sticking"
    assert cited("gmm") == [*always, "dinh2017density", path, *weights]
    learned = cited("gmm_broken", modulation="learned")
    assert learned == [*always, "dinh2017density", "williams1992simple", path, *weights]
    total = cited("gmm", **{"training.gradient": "total", "evaluation.audit": "false"})
    assert total == [*always, "dinh2017density", weights[0]]
    assert "gerdes2023learning" in cited("phi4_complex")
    assert cited("phi4_real", method="hmc") == [
        *always, "duane1987hybrid", "wolff2004monte"
    ]  # fmt: skip
    assert "koehler2020equivariant" in cited("dw2")
    worldlines = cited("hubbard", **{"target.time_slices": "4"})
    assert "dinh2017density" not in worldlines


def test_what_does_not_fit_together_is_refused():
    target = build_target("gmm")
    with pytest.raises(ValueError, match="unknown training.objective 'kl'"):
        citation(Config(training=TrainingConfig(objective="kl")), target)

"""What a publication should cite, by what it used."""

from collections.abc import Iterator
from importlib.metadata import version
from importlib.resources import files

from sesamo_jax.config.complete import complete
from sesamo_jax.config.schema import METHODS, Config
from sesamo_jax.core import Target
from sesamo_jax.flows import FLOWS

ALWAYS = ("sesamo_jax", "kreit2026sesamo")
# Of each row of a table, keys of references.bib; an empty one has no paper of its own.
METHOD_SOURCES: dict[str, tuple[str, ...]] = {
    "sesamo": (),
    "canonicalization": (),
    "flow": (),
    "vmonf": (),
    "worldlines": (),
    "hmc": ("duane1987hybrid", "wolff2004monte"),
    "smc": ("delmoral2006sequential",),
}
FLOW_SOURCES: dict[str, tuple[str, ...]] = {
    "black_box": ("chen2018neural",),
    "checkerboard": ("dinh2017density", "albergo2019flow"),
    "continuous": ("dehaan2021scaling", "gerdes2023learning"),
    "equivariant_graph": ("satorras2021graph",),
    "kernel": ("koehler2020equivariant",),
    "neural_spline": ("durkan2019neural",),
    "realnvp": ("dinh2017density",),
    "slice_continuous": ("dehaan2021scaling", "gerdes2023learning"),
    "slice_coupling": ("dinh2017density", "albergo2019flow"),
    "spline": ("durkan2019neural",),
}
OBJECTIVE_SOURCES: dict[str, tuple[str, ...]] = {
    "reverse_kl": (),
    "self_reparam": (),
    "reinforce": ("williams1992simple",),
    "rao_blackwell": ("williams1992simple",),
    "forward_kl": (),
    "maximum_likelihood": (),
    "flow_matching": ("lipman2023flow", "klein2023equivariant"),
}
GRADIENT_SOURCES: dict[str, tuple[str, ...]] = {
    "path": ("roeder2017sticking",),
    "total": (),
}
OF_WEIGHTS = ("nicoli2021estimation",)
OF_THE_AUDIT = ("bennett1976efficient",)


def citation(config: Config, target: Target) -> str:
    """Return BibTeX of what a configuration uses on a target.

    The package and the paper whose method it implements come first, then the sources of
    the method, the flow, the objective and its gradient, and of the estimates in
    reports. Targets, and software that this package is built on, are not among them.

    Args:
        config: how to sample; what is left open is filled to suit the target.
        target: what to sample.

    Raises:
        ValueError: as `build_model`, where they do not fit together.

    Examples:
        >>> from sesamo_jax import build_target
        >>> text = citation(Config(), build_target("gmm"))
        >>> [line.strip("{,") for line in text.splitlines() if line.startswith("@")][:2]
        ['@software{sesamo_jax', '@inproceedings{kreit2026sesamo']
    """
    library = entries()
    keys = dict.fromkeys(_keys(complete(config, target)))
    return "\n\n".join(library[key] for key in keys) + "\n"


def entries() -> dict[str, str]:
    """Return all BibTeX entries of this package, by their keys."""
    text = files(__package__).joinpath("references.bib").read_text(encoding="utf-8")
    text = text.replace("VERSION", version("sesamo-jax"))
    found = (entry.strip() for entry in text.split("\n\n"))
    return {entry.partition("{")[2].partition(",")[0]: entry for entry in found}


def _keys(config: Config) -> Iterator[str]:
    """Yield the keys of what a completed configuration uses."""
    method = METHODS[config.method]
    yield from ALWAYS
    yield from METHOD_SOURCES[config.method]
    if not method.is_trained:
        return
    # No name, of a flow of the user's own.
    names = [name for name, row in FLOWS.items() if type(row) is type(config.flow)]
    sections = {"flow": [key for name in names for key in FLOW_SOURCES[name]]}
    for section in method.uses:
        yield from sections.get(section, ())
    training = config.training
    yield from OBJECTIVE_SOURCES[training.objective or "reverse_kl"]
    yield from GRADIENT_SOURCES[training.gradient or "total"]
    yield from OF_WEIGHTS
    if config.evaluation.audit:
        yield from OF_THE_AUDIT

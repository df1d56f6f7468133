"""What a method is: one value of `--method`, and all that is said of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sesamo_jax.core.target import Target

# Those of `config.schema`, which has a section of every method and is above them all.
Config = Any
TrainingConfig = Any


def has_density(config: Config, target: Target, name: str) -> str | None:
    """Return None: the method knows its density at any configuration."""
    return None


class Method(NamedTuple):
    """A way to sample.

    Attributes:
        complete: `(config, target) -> config`, with all filled that depends on the
            target; raises ValueError where something does not fit it or each other.
        build: `(target, config)`, completed, to what draws: a `Model`, to be trained;
            of a reference sampler `key -> drawn`.
        check_sizes: `(config, target)`; raises ValueError if the method needs more
            memory than there is, as far as sizes say.
        uses: the sections and fields of the configuration that not all methods use.
        lacks_density: `(config, target, name)` to a sentence that says why the density
            at configurations of the setting `name` is not known; None where it is.
        report: `(drawn, target)` to the entries of `metrics.json` and to arrays that
            figures show, of a reference sampler; None of a method that is trained.
    """

    complete: Callable[[Config, Target], Config]
    build: Callable[[Target, Config], Any]
    check_sizes: Callable[[Config, Target], None]
    uses: tuple[str, ...]
    lacks_density: Callable[[Config, Target, str], str | None] = has_density
    report: Callable[[Any, Target], tuple[dict[str, Any], dict[str, Any]]] | None = None

    @property
    def is_trained(self) -> bool:
        """Whether it is a model with parameters, and not a reference sampler."""
        return self.report is None

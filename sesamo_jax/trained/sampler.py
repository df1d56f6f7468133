"""One trained sampler as an object: draw, evaluate, judge, save."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from sesamo_jax.config import Config
from sesamo_jax.core import Array, Key, Model, Params, Target
from sesamo_jax.core.event_checks import check_count
from sesamo_jax.trained import store
from sesamo_jax.trained.programs import Programs, as_events, build_programs
from sesamo_jax.trained.samples import WeightedSamples


@jax.tree_util.register_pytree_node_class
class Sampler:
    """A target, a configuration, and the parameters of one seed.

    A pytree whose leaves are the parameters: it goes through `jit`, `vmap`, `grad` and
    `scan`. What it computes is compiled once for every shape, for all samplers of one
    training and those of `with_params`.

    Args:
        target: what is sampled.
        config: how; with the same flow and another density, or evaluation, it judges
            the same parameters in another way.
        params: of `build_model(target, config)`, of one seed.

    Raises:
        ValueError: where the configuration does not fit the target.
    """

    def __init__(self, target: Target, config: Config, params: Params) -> None:
        self._programs, self.params = build_programs(target, config), params

    @classmethod
    def init(cls, target: Target, config: Config, key: Key) -> "Sampler":
        """Return a sampler that is not trained.

        Raises: as the constructor.
        """
        sampler = cls(target, config, None)
        return sampler.with_params(jax.jit(sampler.model.init)(key))

    def with_params(self, params: Params) -> "Sampler":
        """Return a sampler of the same target and configuration."""
        return self.tree_unflatten(self._programs, (params,))

    def members(self, params: Params) -> tuple["Sampler", ...]:
        """Return the samplers of parameters that have a leading axis over seeds."""
        count = len(jax.tree.leaves(params)[0])
        return tuple(
            self.with_params(jax.tree.map(lambda leaf, i=i: leaf[i], params))
            for i in range(count)
        )

    def tree_flatten(self) -> tuple[tuple[Params], Programs]:
        """Return the parameters, and what is static."""
        return (self.params,), self._programs

    @classmethod
    def tree_unflatten(cls, programs: Programs, children: Any) -> "Sampler":
        """Return the sampler of what `tree_flatten` returned."""
        sampler = object.__new__(cls)
        sampler._programs, (sampler.params,) = programs, children
        return sampler

    @property
    def target(self) -> Target:
        """What is sampled."""
        return self._programs.target

    @property
    def config(self) -> Config:
        """How, with all that depends on the target filled in."""
        return self._programs.config

    @property
    def model(self) -> Model:
        """The pure functions of `build_model`, which take parameters first."""
        return self._programs.model

    def __repr__(self) -> str:
        return f"Sampler(target={self.target.name!r}, method={self.config.method!r})"

    def sample(self, key: Key, n: int) -> Array:
        """Return n configurations, (n, *event_shape).

        Raises:
            ValueError: if n is no positive integer.

        Examples:
            >>> from sesamo_jax import load_pretrained
            >>> sampler = load_pretrained("gmm_broken")
            >>> sampler.sample(jax.random.key(0), 1000).shape
            (1000, 2)
        """
        check_count("sample", n)
        return self._programs.sample(self.params, key, n)

    def sample_and_log_prob(self, key: Key, n: int) -> tuple[Array, Array]:
        """Return the configurations of `sample` and their log q(x), (n,).

        Raises:
            ValueError: if n is no positive integer, or log q(x) is not known.
        """
        check_count("sample_and_log_prob", n)
        function = self._known(self._programs.sample_and_log_prob)
        return function(self.params, key, n)

    def log_prob(self, x: Any) -> Array:
        """Return the exact normalised log density log q(x), in the shape of the batch.

        Numerics: -inf where arithmetic overflows, far away.

        Args:
            x: one event, (*event_shape), or a batch of any shape, (..., *event_shape).

        Raises:
            ValueError: for another shape, complex numbers, or a method without a
                density of x, which worldlines are.
        """
        function = self._known(self._programs.log_prob)
        return function(self.params, as_events(self.target, x))

    def weighted(self, key: Key, n: int) -> WeightedSamples:
        """Return the configurations of `sample`, log weights and observables.

        Raises:
            ValueError: if n is no positive integer.
        """
        check_count("weighted", n)
        return self._programs.weighted(self.params, key, n)

    def observables(self, x: Any) -> dict[str, Array]:
        """Return the target's observables by name, at every event.

        Args:
            x: as for `log_prob`.

        Raises:
            ValueError: for another shape, or complex numbers.
        """
        return self._programs.observables(as_events(self.target, x))

    def loss(
        self, key: Key, step: int | Array = 0, data: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        """Return the training loss of one batch, to be differentiated, and its metrics.

        Args:
            key: of the batch, whose size is `config.training.batch_size`.
            step: which the penalty and the share of the likelihood depend on.
            data: a batch of configurations, for the objectives on data.
        """
        return self._programs.loss(self.params, key, jnp.asarray(step), data)

    def report(self, key: Key) -> dict[str, Any]:
        """Return what `evaluate` says of `config.evaluation.samples` new samples.

        Raises:
            ValueError: if a batch does not fit the memory, `evaluation.data` cannot be
                read, or the flow is integrated worse than `evaluation.largest_error`.
        """
        return self._programs.report(self.params, key)

    def save(self, folder: str | Path) -> None:
        """Write the sampler to a new folder, which `load` reads.

        Raises:
            ValueError: if the folder exists.
        """
        store.write(Path(folder), self.target, self.config, self.params)

    def _known(self, function: Any) -> Any:
        if function is None:
            raise ValueError(
                f"method {self.config.method!r} has no density of x: its samples come "
                "with weights, see `weighted`"
            )
        return function

"""Chains and weighted samples as an ArviZ data tree, which is xarray's."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sesamo_jax.interfaces.optional import needed
from sesamo_jax.trained.samples import WeightedSamples

# Of ArviZ's schema: the first axes of every quantity.
AXES = ("chain", "draw")


def chains_to_datatree(values: Mapping[str, Any]) -> Any:
    """Return quantities along chains as the group `posterior` of a data tree.

    Args:
        values: by name, (chains, draws, ...) each: configurations, or observables.

    Raises:
        ImportError: without xarray.
        ValueError: if a quantity has fewer than two axes.
    """
    return _tree({"posterior": values})


def weighted_to_datatree(samples: WeightedSamples) -> Any:
    """Return samples as one chain, their log weights in the group `sample_stats`.

    The group `posterior` has `x` and the observables, which are to be weighted by
    exp(`log_weight`): ArviZ itself counts all samples alike.

    Raises:
        ImportError: without xarray.
    """
    stats = {"log_weight": samples.log_w}
    if samples.u is not None:
        stats["group_element"] = samples.u
    groups = {
        "posterior": {"x": samples.x, **samples.observables},
        "sample_stats": stats,
    }
    one_chain = {
        group: {name: np.asarray(value)[None] for name, value in values.items()}
        for group, values in groups.items()
    }
    return _tree(one_chain)


def _tree(groups: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return the data tree of quantities, (chains, draws, ...), by group and name."""
    xarray = needed("xarray")
    datasets = {}
    for group, values in groups.items():
        variables = {}
        for name, value in values.items():
            array = np.asarray(value)
            if array.ndim < len(AXES):
                raise ValueError(
                    f"{name} of shape {array.shape} must have the axes (chains, draws, "
                    "...)"
                )
            inner = [f"{name}_dim_{i}" for i in range(array.ndim - len(AXES))]
            variables[name] = ((*AXES, *inner), array)
        datasets[group] = xarray.Dataset(variables)
        for axis, size in datasets[group].sizes.items():
            datasets[group].coords[axis] = np.arange(size)
    return xarray.DataTree.from_dict(datasets)

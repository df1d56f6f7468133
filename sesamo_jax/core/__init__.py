"""The records and protocols that every layer shares; no mathematics here.

Functions in these records act on one event (one configuration). Batches are made
once, at the boundary, by the functions of `Model`.
"""

from sesamo_jax.core.model import (
    Bijection,
    Integrated,
    Marginal,
    Model,
    Samples,
    Transport,
)
from sesamo_jax.core.symmetry import (
    ContinuousSymmetry,
    Factor,
    FiniteSymmetry,
    SitewiseSymmetry,
    Symmetry,
    as_finite,
)
from sesamo_jax.core.target import (
    DTYPES,
    LARGEST_EVENT,
    MAX_LISTED_SECTORS,
    Derived,
    Exact,
    Origin,
    Target,
    enable_precision,
    require_precision,
)
from sesamo_jax.core.types import Array, Key, Params

__all__ = [
    "DTYPES",
    "LARGEST_EVENT",
    "MAX_LISTED_SECTORS",
    "Array",
    "Bijection",
    "ContinuousSymmetry",
    "Derived",
    "Exact",
    "Factor",
    "FiniteSymmetry",
    "Integrated",
    "Key",
    "Marginal",
    "Model",
    "Origin",
    "Params",
    "Samples",
    "SitewiseSymmetry",
    "Symmetry",
    "Target",
    "Transport",
    "as_finite",
    "enable_precision",
    "require_precision",
]

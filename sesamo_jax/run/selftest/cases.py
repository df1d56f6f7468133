"""Random targets whose normalisation is known, with a small sampler for each."""

from collections.abc import Callable
from dataclasses import replace
from math import log, pi
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.config.complete import complete
from sesamo_jax.config.resolve import resolve
from sesamo_jax.config.schema import Config
from sesamo_jax.core import Exact, Target
from sesamo_jax.targets import build_from

# Trained for seconds: what is tried are errors of estimates, which must hold for a
# poor model as they do for a good one.
BRIEF = {
    "training.steps": 300,
    "training.batch_size": 256,
    "training.chunk": 300,
    "evaluation.samples": 2000,
    "evaluation.batch_size": 2000,
}
COUPLINGS = {"flow.name": "realnvp", "flow.couplings": 4, "flow.width": 24}


class Case(NamedTuple):
    """A target that is known, and how to build and train a sampler of it."""

    name: str
    target: Target
    config: Config


def draw_cases(seed: int, count: int) -> list[Case]:
    """Return random targets of every family in turn, the same for the same seed."""
    rng = np.random.default_rng(seed)
    families = list(FAMILIES.items())
    cases = []
    for index in range(count):
        name, family = families[index % len(families)]
        target, config = family(rng)
        cases.append(Case(f"{name} {index // len(families)}", target, config))
    return cases


def mixture(rng: np.random.Generator) -> tuple[Target, Config]:
    """Return modes on a circle; half of them tilted, which breaks Z_M."""
    return _case(
        "gmm_broken",
        COUPLINGS
        | {
            "target.modes": int(rng.integers(2, 6)),
            "target.radius": rng.uniform(3.0, 6.0),
            "target.breaking": float(rng.choice([0.0, rng.uniform(0.02, 0.2)])),
        },
    )


def hubbard(rng: np.random.Generator) -> tuple[Target, Config]:
    """Return two sites of the Hubbard model, whose Z2 x Z2 is broken."""
    return _case(
        "hubbard",
        COUPLINGS
        | {"target.u": rng.uniform(4.0, 18.0), "target.beta": rng.uniform(0.5, 2.0)},
    )


def real_field(rng: np.random.Generator) -> tuple[Target, Config]:
    """Return a free field in an external one, or without it, whose Z2 is exact."""
    target, config = _case(
        "phi4_real",
        COUPLINGS
        | {
            "base.kind": "gaussian",
            "target.shape": "3,2",
            "target.lam": 0.0,
            "target.kappa": rng.uniform(0.02, 0.18),
            "target.alpha": float(rng.choice([0.0, rng.uniform(0.1, 0.5)])),
        },
    )
    return free(target), config


def complex_field(rng: np.random.Generator) -> tuple[Target, Config]:
    """Return the same of two components, with U(1) exact or broken."""
    target, config = _case(
        "phi4_complex_broken",
        {
            "flow.name": "slice_coupling",
            "target.shape": "2,2",
            "target.lam": 0.0,
            "target.kappa": rng.uniform(0.02, 0.18),
            "target.alpha": float(rng.choice([0.0, rng.uniform(0.1, 0.5)])),
        },
    )
    return free(target), config


def free(target: Target) -> Target:
    """Return a target of a quadratic action, with what is known of it.

    f(x) = f(0) + g x + x H x / 2 has log Z = n / 2 log 2 pi - log det H / 2 - f(0) +
    g H^-1 g / 2, the mean -H^-1 g and the covariance H^-1.
    """
    size = int(np.prod(target.event_shape))

    def action(x: Any) -> Any:
        return target.action(x.reshape(target.event_shape))

    zero = jnp.zeros(size, target.dtype)
    h = np.asarray(jax.hessian(action)(zero), np.float64)
    g = np.asarray(jax.grad(action)(zero), np.float64)
    covariance = np.linalg.inv(h)
    mean = -covariance @ g
    log_z = size / 2 * log(2 * pi) - np.linalg.slogdet(h)[1] / 2
    log_z += float(g @ covariance @ g) / 2 - float(action(zero))
    components = target.event_shape[len(target.geometry.extents) :]
    sites = size // int(np.prod(components))
    observables = {
        "phi2": (np.trace(covariance) + mean @ mean) / sites,
        "magnetization": mean.reshape(sites, -1)[:, 0].mean(),
    }
    exact = Exact(log_z=log_z, observables=observables, source="Gaussian integral")
    return replace(target, exact=exact)


def _case(name: str, settings: dict[str, Any]) -> tuple[Target, Config]:
    run = resolve(name, settings=BRIEF | settings)
    target = build_from(run.target_name, run.target)
    return target, complete(run.config, target)


FAMILIES: dict[str, Callable[[np.random.Generator], tuple[Target, Config]]] = {
    "mixture": mixture,
    "hubbard": hubbard,
    "real field": real_field,
    "complex field": complex_field,
}

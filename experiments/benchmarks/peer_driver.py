"""The authors' package, `sesamo`, as a contender: `python -m benchmarks.peer_driver`.

It runs in an environment of its own and calls that package's public functions as its
README does, with the sizes, batches and learning rate of the paper's Table 3.
"""

import importlib.metadata
import time
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from sesamo import Sesamo
from sesamo.action import (
    ComplexPhi4Action,
    GaussianMixtureAction,
    HubbardAction,
    ScalarPhi4Action,
)
from sesamo.loss import StochmodLoss
from sesamo.models import (
    GaussianPrior,
    HubbardModulation,
    RealNVP,
    U1Modulation,
    Z2Modulation,
    Z2powNRegularization,
    Z2Regularization,
    ZNModulation,
    ZNRegularization,
)

from benchmarks.clock import follow
from benchmarks.serving import serve
from benchmarks.weighing import weigh

COUPLINGS, LAYERS = 6, 4
BATCH, LEARNING_RATE = 8000, 5e-4
KAPPA, LAMBDA = 0.3, 0.022
EVALUATED_AT_ONCE = 10_000


class System(NamedTuple):
    """What the peer needs to know of a target; regularization and law are made anew."""

    action: Callable[[], Any]
    law: Callable[[], Any]
    regularization: Callable[[], Any]
    shape: list[int]
    variance: float
    width: int
    dtype: torch.dtype = torch.float32


SYSTEMS = {
    "gmm": System(
        GaussianMixtureAction,
        lambda: ZNModulation(n=8),
        lambda: ZNRegularization(n=8),
        [1, 2],
        1.0,
        40,
    ),
    "hubbard": System(
        HubbardAction,
        HubbardModulation,
        Z2powNRegularization,
        [1, 2],
        18.0,
        40,
        torch.float64,
    ),
    "phi4_real": System(
        lambda: ScalarPhi4Action(KAPPA, LAMBDA),
        Z2Modulation,
        Z2Regularization,
        [8, 8],
        1.0,
        100,
    ),
    # Its fields are real ones times a phase, and have no cell.
    "phi4_aligned": System(
        lambda: ComplexPhi4Action(KAPPA, LAMBDA),
        U1Modulation,
        list,
        [1, 8, 8],
        1.0,
        100,
    ),
}


class Training:
    """A model of the peer and its optimiser, as in the README of the peer.

    Args:
        system: name in `SYSTEMS`.
        seed: of torch.
    """

    def __init__(self, system: str, seed: int) -> None:
        known = SYSTEMS[system]
        torch.manual_seed(seed)
        self.action = known.action()
        self.has_cell = known.regularization is not list
        self.model = Sesamo(
            prior=GaussianPrior(known.shape, known.dtype, var=known.variance),
            flow=RealNVP(
                known.shape, COUPLINGS, LAYERS, known.width, dtype=known.dtype
            ),
            stochastic_modulation=known.law(),
            regularization=known.regularization(),
        )
        self.loss = StochmodLoss()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LEARNING_RATE)

    def advance(self, steps: int) -> None:
        """Take steps of the optimiser."""
        for _ in range(steps):
            self.optimizer.zero_grad()
            drawn = self.model.sample_for_training(BATCH)
            loss = self.loss(self.action(drawn[0]), *drawn[1:]).mean()
            loss.backward()
            self.optimizer.step()

    @torch.no_grad()
    def judge(self, samples: int) -> dict[str, float | None]:
        """Return ESS, log Z and leak of fresh samples, by this project's estimators.

        The density is the peer's own: of x as it was drawn, right where nothing leaks.
        """
        log_w, penalties = [], []
        for _ in range(-(-samples // EVALUATED_AT_ONCE)):
            x, log_q, _, penalty = self.model.sample_for_training(EVALUATED_AT_ONCE)
            log_w.append((-self.action(x) - log_q).double().numpy())
            penalties.append(penalty.numpy())
        weights = np.concatenate(log_w)[:samples]
        leak = None
        if self.has_cell:
            leak = float(np.mean(np.concatenate(penalties)[:samples] > 0))
        return {**weigh(weights), "leak": leak}


def train(
    *, system: str, seed: int, seconds: float, stop: float, every: int, samples: int
) -> dict[str, Any]:
    """Train one seed and return its ESS along the way, as `ours.train` does."""
    training = Training(system, seed)
    points = follow(
        training.advance,
        lambda _: training.judge(samples),
        batch=BATCH,
        every=every,
        seconds=seconds,
        stop=stop,
    )
    return {"compile_seconds": 0.0, "points": points}


@cache
def _kept(system: str) -> Training:
    training = Training(system, 0)
    training.advance(2)
    return training


def steps(*, system: str, count: int) -> dict[str, float]:
    """Return seconds a training step, the mean over `count`; the model is kept."""
    training = _kept(system)
    start = time.perf_counter()
    training.advance(count)
    return {"seconds": (time.perf_counter() - start) / count, "compile_seconds": 0.0}


def draw(*, system: str, size: int, calls: int) -> float:
    """Return samples a second, each with its log q, drawn `size` at a time."""
    model = _kept(system).model
    with torch.no_grad():
        model.sample_with_logprob(size)
        start = time.perf_counter()
        for _ in range(calls):
            model.sample_with_logprob(size)
        return calls * size / (time.perf_counter() - start)


def describe() -> dict[str, Any]:
    """Return versions and threads."""
    names = ("sesamo", "torch", "numpy")
    versions = {name: importlib.metadata.version(name) for name in names}
    return {"packages": versions, "threads": torch.get_num_threads()}


CALLS = {"train": train, "steps": steps, "draw": draw, "describe": describe}

if __name__ == "__main__":
    serve(CALLS)

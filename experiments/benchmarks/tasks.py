"""What is trained against the clock, and for how long."""

from dataclasses import dataclass, field
from typing import Any

THRESHOLDS = (0.9, 0.99, 0.999)
# Where a peer's budget is not a number of seconds: so many times what ours took.
PATIENCE = 10


@dataclass(frozen=True)
class Task:
    """A target for both contenders.

    Attributes:
        target: our name of it.
        settings: ours, over the default preset.
        peer: the peer's name of it; None where the peer has no density to compare.
        beside: a task whose runs of the peer stand beside ours, instead of new ones.
        seconds: our budget of training.
        peer_seconds: the peer's; None takes `PATIENCE` times what ours took.
        every: steps between evaluations, for both.
        samples: of an evaluation, for both.
        repeats: seeds; None takes the command line's.
    """

    target: str
    settings: dict[str, Any] = field(default_factory=dict)
    peer: str | None = None
    beside: str | None = None
    seconds: float = 120.0
    peer_seconds: float | None = None
    every: int = 20
    samples: int = 20_000
    repeats: int | None = None


LATTICE: dict[str, Any] = {"target.shape": "8,8"}
# Continuous flows take longer to judge than to train.
JUDGED: dict[str, Any] = {"every": 40, "samples": 5000, "repeats": 1}
TASKS = {
    "gmm": Task("gmm", peer="gmm", peer_seconds=60.0),
    "hubbard": Task("hubbard", peer="hubbard", peer_seconds=150.0),
    "hubbard_small_batches": Task(
        "hubbard", {"training.batch_size": 250}, beside="hubbard"
    ),
    "phi4_real": Task(
        "phi4_real", LATTICE, peer="phi4_real", peer_seconds=120.0, **JUDGED
    ),
    "phi4_aligned": Task(
        "phi4_complex",
        LATTICE | {"target.space": "aligned"},
        peer="phi4_aligned",
        **JUDGED,
    ),
    "phi4_complex": Task("phi4_complex", LATTICE, **JUDGED),
}
# What a short measurement should have.
FIRST = ("gmm", "hubbard")

"""The check of seeds, of those of the command line and of those given in Python."""

from collections import Counter
from collections.abc import Sequence, Sized
from operator import index
from typing import Any

MOST_SEEDS = 100_000  # all train in one program
LARGEST_SEED = 2**32 - 1


def check_seeds(seeds: int | Sequence[int], first: int = 0) -> Sequence[int]:
    """Return the seeds of an ensemble, where they can be used.

    Args:
        seeds: the seeds, or how many, counted from `first`.
        first: seed.

    Raises:
        ValueError: for none, too many, one that is not an integer from 0 to 2^32 - 1,
            or one that is there twice.
    """
    listed = isinstance(seeds, Sized) and not isinstance(seeds, str)
    count = len(seeds) if listed else _integer("seeds", seeds)  # type: ignore[arg-type]
    if not 1 <= count <= MOST_SEEDS:
        limit = "at least 1" if count < 1 else f"at most {MOST_SEEDS} in one run"
        raise ValueError(f"seeds={count} must be {limit}")
    if not listed:
        first = _seed(first)
        _seed(first + count - 1)
        return range(first, first + count)
    known = [_seed(seed) for seed in seeds]  # type: ignore[union-attr]
    twice = sorted(seed for seed, times in Counter(known).items() if times > 1)
    if twice:
        raise ValueError(f"seed={twice[0]} is given twice: its models would be equal")
    return known


def _seed(seed: Any) -> int:
    seed = _integer("seed", seed)
    if seed < 0:
        raise ValueError(f"seed={seed} must not be negative")
    if seed > LARGEST_SEED:
        raise ValueError(f"seed={seed} must be below 2^32, with all seeds after it")
    return seed


def _integer(name: str, value: Any) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        return index(value)
    except TypeError:
        raise ValueError(f"{name}={value!r} must be an integer") from None

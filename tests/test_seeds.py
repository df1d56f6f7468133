"""Seeds: the same checks and sentences from Python as from the command line."""

import numpy as np
import pytest

from sesamo_jax import Config, build_model, build_target, fit
from sesamo_jax.config import TrainingConfig, resolve
from sesamo_jax.config.seeds import MOST_SEEDS, check_seeds
from sesamo_jax.flows import RealNVPConfig
from sesamo_jax.training.state import init_states

CONFIG = Config(
    method="realnvp",
    flow=RealNVPConfig(couplings=1, layers=0, width=2),
    training=TrainingConfig(steps=1, batch_size=2),
)


def test_seeds_are_counted_or_listed():
    assert list(check_seeds(3)) == [0, 1, 2]
    assert list(check_seeds(2, first=2**32 - 2)) == [2**32 - 2, 2**32 - 1]
    assert check_seeds([7, 2]) == [7, 2]
    assert check_seeds(np.array([5, 3])) == [5, 3]
    assert check_seeds(range(4, 6)) == [4, 5]
    assert check_seeds((np.uint32(2**32 - 1),)) == [2**32 - 1]


WRONG = {
    "negative": ([3, -1], "seed=-1 must not be negative"),
    "large": ([2**32], "seed=4294967296 must be below 2^32"),
    "none": ([], "seeds=0 must be at least 1"),
    "no count": (0, "seeds=0 must be at least 1"),
    "negative count": (-2, "seeds=-2 must be at least 1"),
    "many": (MOST_SEEDS + 1, f"seeds={MOST_SEEDS + 1} must be at most {MOST_SEEDS}"),
    "half": ([0, 1.5], "seed=1.5 must be an integer"),
    "half a count": (1.5, "seeds=1.5 must be an integer"),
    "true": ([True], "seed=True must be an integer"),
    "true count": (True, "seeds=True must be an integer"),
    "text": ("12", "seeds='12' must be an integer"),
    "missing": (None, "seeds=None must be an integer"),
    "twice": ([4, 9, 4], "seed=4 is given twice"),
}


@pytest.mark.parametrize(("seeds", "sentence"), WRONG.values(), ids=WRONG)
def test_wrong_seeds_are_refused_before_anything_is_compiled(seeds, sentence):
    target = build_target("gmm", modes=3)
    model = build_model(target, CONFIG)
    for call in (
        lambda: check_seeds(seeds),
        lambda: init_states(model, CONFIG, seeds),
        lambda: fit(model, target, CONFIG, seeds),
    ):
        with pytest.raises(ValueError, match=r"\w") as error:
            call()
        assert str(error.value).startswith(sentence)


@pytest.mark.parametrize(
    ("seed", "seeds", "sentence"),
    [
        (-1, 1, "seed=-1 must not be negative"),
        (2**32, 1, "seed=4294967296 must be below 2^32"),
        (2**32 - 1, 2, "seed=4294967296 must be below 2^32"),
        (0, 0, "seeds=0 must be at least 1"),
        (0, 4_000_000_000, "seeds=4000000000 must be at most 100000"),
        (1.5, 1, "seed=1.5 must be an integer"),
        (True, 1, "seed=True must be an integer"),
        (0, True, "seeds=True must be an integer"),
        (0, [1, 2], "seeds=[1, 2] must be an integer"),
    ],
)
def test_a_run_takes_the_same_seeds(seed, seeds, sentence):
    with pytest.raises(ValueError, match=r"\w") as error:
        resolve("gmm", seed=seed, seeds=seeds)
    assert str(error.value).startswith(sentence)

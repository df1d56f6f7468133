"""What can be chosen of worldlines."""

from dataclasses import dataclass

from sesamo_jax.core.bounds import size


@dataclass(frozen=True)
class WorldlinesConfig:
    """The law of local moments along time, for the method of that name.

    It is for few exchanges per bond; `guesses.enough` says where it ends.

    Attributes:
        sweeps: turns that every bond has to exchange its moments.
        blocks: of time slices, at most, at whose borders that can happen.
        guesses: worldlines of which the density of a sample is a mean, wherever one is
            drawn; None takes as many as `guesses.enough` says for the couplings.
    """

    sweeps: int = size(2, most=1000)
    blocks: int = size(50)
    guesses: int | None = size(None)

"""What can be chosen of a base density."""

from dataclasses import dataclass

from sesamo_jax.core.bounds import bounded, choice, positive

BASES = ("gaussian", "spectral", "slice")


@dataclass(frozen=True)
class BaseConfig:
    """The Gaussian base q_0.

    Attributes:
        kind: `gaussian`, independent components; `spectral`, a lattice field with a
            learned mean and spectrum; `slice`, the same for complex fields.
        mean: of every component at the start; None takes 0 for a `gaussian` base, and
            for the others the mean of the Gaussian field nearest to the target. A
            `spectral` base that starts at 0 keeps it.
        variance: of every component of a `gaussian` base; None takes the target's.
        whiten: the flow works in units of the base's standard deviation, or of the
            root mean square of a `spectral` or `slice` base.
    """

    kind: str = choice("gaussian", BASES)
    mean: float | None = bounded(None)
    variance: float | None = positive(None)
    whiten: bool = True

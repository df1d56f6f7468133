"""The Hubbard model as its local moments see it."""

from typing import NamedTuple


class LocalMoments(NamedTuple):
    """A Hubbard model in the spin basis, as its local moments see it.

    Attributes:
        edges: pairs of neighbouring sites.
        u: U beta.
        kappa: kappa beta.
    """

    edges: tuple[tuple[int, int], ...]
    u: float
    kappa: float

"""e^h of one time slice, held in the eigenbasis of h."""

from dataclasses import dataclass

import numpy as np

STEEPEST_HOPPING = 8.0  # range of levels e^h bears as one matrix: 3 of 16 digits


@dataclass(frozen=True, eq=False)
class Hopping:
    """e^h = waves e^levels waves^T.

    Attributes:
        levels: eigenvalues of h, (N,).
        waves: eigenvectors, in columns, (N, N).
    """

    levels: np.ndarray
    waves: np.ndarray

    @property
    def steep(self) -> bool:
        """Whether e^h as one matrix loses its small eigenvalues beside the large."""
        return bool(np.ptp(self.levels) > STEEPEST_HOPPING)

    def matrix(self, sign: int = 1) -> np.ndarray:
        """Return e^h, or e^{-h} for sign -1, (N, N)."""
        return (self.waves * np.exp(sign * self.levels)) @ self.waves.T


def hopping(matrix: np.ndarray) -> Hopping:
    """Return e^h of a symmetric h, (N, N)."""
    return Hopping(*np.linalg.eigh(matrix))

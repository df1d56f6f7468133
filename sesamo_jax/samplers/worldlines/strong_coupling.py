"""What second order in kappa^2 / U says about events between neighbours."""

from typing import NamedTuple

import numpy as np


class Rates(NamedTuple):
    """Of events on one bond, imaginary time cut into B > 1 blocks.

    Attributes:
        log_amplitude: of one exchange at one block, J beta / (2 B) with J = 4 kappa^2 /
            U.
        log_odds: of an event against none by kind, exchange and virtual hop, and by
            its length in blocks, (2, B - 1).
        energies: by kind, of one block aligned with a further neighbour, (2,).
    """

    log_amplitude: float
    log_odds: np.ndarray
    energies: np.ndarray


def second_order(u: float, kappa: float, blocks: int) -> Rates:
    """Return rates at U beta, a kappa beta that is not 0, and at least two blocks.

    They do not depend on the sign of kappa, which particles for holes on both spins
    turns.
    """
    log_hop = np.log(abs(kappa) / blocks)
    log_amplitude = np.log(2 * blocks / u) + 2 * log_hop
    # Of the two times of an event in one and the same block, half are in order.
    between = np.arange(blocks - 1) + 0.5
    hop = np.log(2) + 2 * log_hop - u / blocks * between
    hop[:1] -= np.log(2)
    exchange = np.full_like(hop, 2 * log_amplitude)
    # Bonds to further neighbours gain or lose the energy J / 2 of opposite signs.
    energies = np.exp(log_amplitude) * np.array([1.0, 0.5])
    return Rates(float(log_amplitude), np.stack([exchange, hop]), energies)

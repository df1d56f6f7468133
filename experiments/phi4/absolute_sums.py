"""|sum_j x_j| of HMC at alpha = 0, which the exact breaking ratios are made of.

`sesamo-jax study phi4 --analysis absolute_sums`, where `real_0.0_hmc` has been run.
"""

import json

import numpy as np
from reading import samples

from phi4.reading import SUMS

BLOCKS = 40


def main() -> None:
    """Write the sums of the samples in blocks of time.

    Raises:
        ValueError: if the samples are not here.
    """
    drawn = samples("phi4/real_0.0_hmc")
    if drawn is None:
        raise ValueError("the samples of real_0.0_hmc are not here: run it anew")
    sums = np.abs(drawn.x.sum(axis=(1, 2)))
    blocks = sums[: len(sums) // BLOCKS * BLOCKS].reshape(BLOCKS, -1)
    SUMS.write_text(json.dumps(np.round(blocks, 3).tolist()) + "\n")

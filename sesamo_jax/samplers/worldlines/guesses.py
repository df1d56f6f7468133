"""How many guesses of a worldline the density of a sample takes."""

from math import ceil, log2

from sesamo_jax.geometry.moments import LocalMoments

FEWEST, MOST = 16, 64
PER_BOND = 10.0


def enough(moments: LocalMoments) -> int:
    """Return a number of guesses for given couplings, a power of 2 from 16 to 64.

    Weights are unbiased with any number, but a path that no guess finds has a large
    weight and is drawn rarely: a report of few guesses is low in log Z without a sign
    of it in its error. What was missing of log Z with one guess, on two sites beside
    the exact trace, is about 0.025 x^1.5, with x the number of exchanges to expect on a
    bond, beta kappa min(4 kappa / U, 1); of that, n guesses leave about one part in n.
    The number asked for leaves 1/400, if bonds add up.

    The method ends where x^1.5 times the number of bonds exceeds about 10: 64 guesses
    are too few then, and the law itself has an ESS below a half. Two sites at U 4, beta
    4 have 8 (ESS 0.65, log Z right to its error of 0.005), 18 sites at U 9, beta 1 too
    (ESS 0.47). `pareto_k` and the ESS of the report show it; the error of log Z need
    not.
    """
    kappa = abs(moments.kappa)
    x = kappa * min(4 * kappa / moments.u, 1.0)
    needed = PER_BOND * len(moments.edges) * x**1.5
    return min(max(2 ** ceil(log2(max(needed, 1))), FEWEST), MOST)

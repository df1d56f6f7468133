"""Exact traces of the discretised Hubbard model over its Fock space, for small graphs.

With the auxiliary field integrated out, Z = (2 pi U~)^{N T / 2} Tr (e^K e^V)^T, where
K = sum_ij h_ij (a_i^+ a_j + b_i^+ b_j) and V = U~ / 2 sum_j (n^a_j - n^b_j)^2: the same
discretisation as the flow's target, so no error of it lies between them. Numbers of
both kinds of particles are conserved, and every pair of them is a block of its own.
"""

from itertools import combinations, product
from typing import NamedTuple

import numpy as np


class FockReference(NamedTuple):
    """Exact values of one discretised model.

    Attributes:
        log_z: log of the integral of exp(-f) over the auxiliary field.
        spin: <(n^a_i - n^b_i)(n^a_j - n^b_j)> at equal times, (N, N).
        double_occupancy: <n^a_j n^b_j>, (N,).
    """

    log_z: float
    spin: np.ndarray
    double_occupancy: np.ndarray


def _states(sites: int, number: int) -> np.ndarray:
    """Return the occupations of all states with a number of particles, (states, N)."""
    rows = list(combinations(range(sites), number))
    out = np.zeros((len(rows), sites))
    for row, occupied in enumerate(rows):
        out[row, list(occupied)] = 1
    return out


def _second_quantised(hop: np.ndarray, occupations: np.ndarray) -> np.ndarray:
    """Return exp(sum_ij h_ij a_i^+ a_j) between states: minors of e^h."""
    sets = [np.flatnonzero(row) for row in occupations]
    return np.array([[np.linalg.det(hop[np.ix_(a, b)]) for b in sets] for a in sets])


def fock_reference(hop: np.ndarray, u_tilde: float, slices: int) -> FockReference:
    """Return log Z and equal-time correlations from the trace.

    The largest block has binom(N, N / 2)^2 states: 400 for six sites, 4900 for eight.

    Args:
        hop: e^h of one slice, symmetric, (N, N).
        u_tilde: U~ = U beta / T.
        slices: T.
    """
    sites = len(hop)
    log_terms, spins, doubles = [], [], []
    for up, down in product(range(sites + 1), repeat=2):
        a, b = _states(sites, up), _states(sites, down)
        charge = (a[:, None] - b[None]).reshape(-1, sites)
        both = (a[:, None] * b[None]).reshape(-1, sites)
        # e^{V/2} e^K e^{V/2}: similar to e^K e^V, and symmetric.
        half = np.exp(u_tilde / 4 * np.sum(charge**2, axis=1))
        hops = np.kron(_second_quantised(hop, a), _second_quantised(hop, b))
        values, vectors = np.linalg.eigh(half[:, None] * hops * half)
        logs = slices * np.log(values)
        weights = np.exp(logs - logs.max())
        diagonal = vectors**2 @ weights / weights.sum()
        log_terms.append(logs.max() + np.log(weights.sum()))
        spins.append(np.einsum("s,si,sj->ij", diagonal, charge, charge))
        doubles.append(diagonal @ both)
    total = np.logaddexp.reduce(log_terms)
    shares = np.exp(np.array(log_terms) - total)
    return FockReference(
        log_z=total + sites * slices / 2 * np.log(2 * np.pi * u_tilde),
        spin=np.tensordot(shares, np.array(spins), 1),
        double_occupancy=shares @ np.array(doubles),
    )

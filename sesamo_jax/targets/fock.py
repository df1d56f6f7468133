"""Exact traces of the Hubbard model over its Fock space, for small graphs.

With the auxiliary field integrated out, Z = (2 pi U~)^{N T / 2} Tr (e^K e^V)^T, where
K = (beta / T) sum_ij k_ij (a_i^+ a_j + b_i^+ b_j), V = U~ / 2 sum_j (n^a_j - n^b_j)^2
and U~ = U beta / T: the same discretisation as the flow's target, so no error of it
lies between them. Without slices, Tr e^{T (K + V)}: the limit of T -> infinity. Numbers
of both kinds of particles are conserved, and every pair of them is a block of its own.
"""

from itertools import combinations, product
from typing import NamedTuple

import numpy as np


class FockReference(NamedTuple):
    """Exact values of one model; the conventions are those of `HubbardObservables`.

    Attributes:
        log_z: log of the integral of exp(-f) over the auxiliary field; in continuous
            time log Tr e^{-beta H'}, H' without the constant U N / 4.
        spin_correlation: <S^z_i S^z_j> at equal times, (N, N).
        double_occupancy: <n^a_j n^b_j>, mean over sites.
        energy: of H for one site.
        correlator: <a_j(t) a_j^+(0)>, mean over sites, t = 0, 1, ..., T slices; in
            continuous time at the ends, t = 0 and beta.
    """

    log_z: float
    spin_correlation: np.ndarray
    double_occupancy: float
    energy: float
    correlator: np.ndarray


class _Block(NamedTuple):
    """One pair of particle numbers: S = e^{V/2} e^K e^{V/2} in its eigenbasis."""

    logs: np.ndarray  # of the eigenvalues of S^T
    vectors: np.ndarray
    half: np.ndarray  # V / 2
    hops: np.ndarray  # expectation of T K in every eigenvector, placed next to e^K
    charge: np.ndarray  # n^a - n^b, (states, N)
    both: np.ndarray  # n^a n^b, (states, N)


def _states(sites: int, number: int) -> np.ndarray:
    """Return the occupations of all states with a number of particles, (states, N)."""
    rows = list(combinations(range(sites), number))
    out = np.zeros((len(rows), sites))
    for row, occupied in enumerate(rows):
        out[row, list(occupied)] = 1
    return out


def _raising(sites: int, number: int, site: int) -> np.ndarray:
    """Return a_site^+ from states of `number` particles to those of one more."""
    few, many = _states(sites, number), _states(sites, number + 1)
    index = {tuple(row): n for n, row in enumerate(many)}
    out = np.zeros((len(many), len(few)))
    for n, row in enumerate(few):
        if not row[site]:
            raised = row.copy()
            raised[site] = 1
            out[index[tuple(raised)], n] = (-1) ** row[:site].sum()
    return out


def _one_body(matrix: np.ndarray, number: int) -> np.ndarray:
    """Return sum_ij matrix_ij a_i^+ a_j between states of `number` particles."""
    sites = len(matrix)
    size = len(_states(sites, number))
    if number == 0:
        return np.zeros((size, size))
    down = [_raising(sites, number - 1, site).T for site in range(sites)]
    total = np.zeros((size, size))
    for i, j in product(range(sites), repeat=2):
        total += matrix[i, j] * down[i].T @ down[j]
    return total


def _block(
    hopping: np.ndarray, u: float, beta: float, slices: int | None, up: int, down: int
) -> _Block:
    sites = len(hopping)
    a, b = _states(sites, up), _states(sites, down)
    charge = (a[:, None] - b[None]).reshape(-1, sites)
    both = (a[:, None] * b[None]).reshape(-1, sites)
    hops = np.kron(_one_body(hopping, up), np.eye(len(b)))
    hops += np.kron(np.eye(len(a)), _one_body(hopping, down))
    potential = u * beta / 2 * np.sum(charge**2, axis=1)
    if slices is None:
        logs, vectors = np.linalg.eigh(beta * hops + np.diag(potential))
        half = np.zeros_like(potential)
        moved = beta * hops @ vectors
    else:
        half = potential / (2 * slices)
        levels, waves = np.linalg.eigh(beta / slices * hops)
        step = np.exp(half)[:, None] * (waves * np.exp(levels)) @ waves.T * np.exp(half)
        values, vectors = np.linalg.eigh(step)
        values = np.maximum(values, 1e-16 * values[-1])  # what rounding leaves of them
        logs = slices * np.log(values)
        grown = (waves * (slices * levels * np.exp(levels))) @ waves.T
        moved = np.exp(half)[:, None] * (grown @ (np.exp(half)[:, None] * vectors))
        moved /= values
    hops = np.sum(vectors * moved, axis=0)
    return _Block(logs, vectors, half, hops, charge, both)


def fock_reference(
    hopping: np.ndarray, u: float, beta: float, slices: int | None = None
) -> FockReference:
    """Return log Z and correlations from the trace.

    The largest block has binom(N, N / 2)^2 states: 400 for six sites, 4900 for eight.

    Args:
        hopping: kappa times the adjacency matrix, or any symmetric matrix, (N, N).
        u: interaction U.
        beta: inverse temperature.
        slices: N_t; None for continuous time.
    """
    sites = len(hopping)
    blocks = {
        (up, down): _block(hopping, u, beta, slices, up, down)
        for up, down in product(range(sites + 1), repeat=2)
    }
    total = np.logaddexp.reduce(np.concatenate([b.logs for b in blocks.values()]))
    spin, double, hops = np.zeros((sites, sites)), 0.0, 0.0
    for block in blocks.values():
        weights = np.exp(block.logs - total)
        states = block.vectors**2 @ weights
        spin += np.einsum("s,si,sj->ij", states, block.charge, block.charge) / 4
        double += float(np.sum(states @ block.both)) / sites
        hops += float(weights @ block.hops)
    u_tilde = u * beta / (slices or 1)
    gauss = sites * (slices or 0) / 2 * np.log(2 * np.pi * u_tilde)
    local = 4 * float(np.trace(spin)) / sites
    return FockReference(
        log_z=float(total + gauss),
        spin_correlation=spin,
        double_occupancy=double,
        energy=-hops / (beta * sites) + u * (0.25 - local / 2),
        correlator=_correlator(blocks, sites, slices or 1, float(total)),
    )


def _correlator(
    blocks: dict[tuple[int, int], _Block], sites: int, slices: int, total: float
) -> np.ndarray:
    """Return Tr[(e^K e^V)^{T - t} a (e^K e^V)^t a^+] / Z, mean over sites, (T + 1,).

    By (e^K e^V)^t = e^{-V/2} S^t e^{V/2}.
    """
    times = np.arange(slices + 1)[:, None, None] / slices
    out = np.zeros(slices + 1)
    for (up, down), few in blocks.items():
        if up == sites:
            continue
        many, rest = blocks[up + 1, down], len(_states(sites, down))
        shift = (1 - times) * few.logs[:, None] + times * many.logs - total
        shares = np.exp(shift)
        for site in range(sites):
            raising = np.kron(_raising(sites, up, site), np.eye(rest))
            lowering = np.exp(few.half)[:, None] * raising.T * np.exp(-many.half)
            raising = np.exp(many.half)[:, None] * raising * np.exp(-few.half)
            there = few.vectors.T @ lowering @ many.vectors
            back = many.vectors.T @ raising @ few.vectors
            out += np.sum(shares * (there * back.T), axis=(1, 2)) / sites
    return out

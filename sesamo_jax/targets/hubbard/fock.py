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

ROUNDING = 1e-12  # of an eigenvector's entry that is 0 by symmetry
SMALLEST = 1e-300  # in place of a singular value 0


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
    """One pair of particle numbers: e^{V/2} e^K e^{V/2} = S^T S, S = U e^l W^T.

    Attributes:
        logs: 2 T l, (states,); without slices, eigenvalues of T (K + V).
        vectors: W, in columns; without slices, eigenvectors.
        hops: expectation of T K, placed next to e^K, for every one of them.
        charge: n^a - n^b, (states, N).
        both: n^a n^b, (states, N).
        into: W^T e^{V/2}, without its scale.
        out: e^{K/2} U, without its scale.
        scale: log of the scale of both together.
    """

    logs: np.ndarray
    vectors: np.ndarray
    hops: np.ndarray
    charge: np.ndarray
    both: np.ndarray
    into: np.ndarray
    out: np.ndarray
    scale: float


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
        moved = np.sum(vectors * (beta * hops @ vectors), axis=0)
        return _Block(logs, vectors, moved, charge, both, vectors.T, vectors, 0.0)
    half = potential / (2 * slices)
    levels, waves = np.linalg.eigh(hops)
    # A 0 by symmetry must not come alive between states of very unlike weights.
    waves[np.abs(waves) < ROUNDING] = 0
    levels *= beta / slices
    grow = np.exp((levels - levels[-1]) / 2)
    weigh = np.exp(half - np.max(half))
    left, values, right = np.linalg.svd(grow[:, None] * waves.T * weigh)
    scale = float(levels[-1] / 2 + np.max(half))
    logs = 2 * slices * (np.log(np.maximum(values, SMALLEST)) + scale)
    moved = slices * levels @ left**2
    out = (waves * grow) @ left
    return _Block(logs, right.T, moved, charge, both, right * weigh, out, scale)


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
    occupied = 0.0
    for (up, _), block in blocks.items():
        weights = np.exp(block.logs - total)
        states = block.vectors**2 @ weights
        spin += np.einsum("s,si,sj->ij", states, block.charge, block.charge) / 4
        double += float(np.sum(states @ block.both)) / sites
        hops += float(weights @ block.hops)
        occupied += float(np.sum(weights)) * up / sites
    inside = _correlator(blocks, sites, slices or 1, float(total))
    u_tilde = u * beta / (slices or 1)
    gauss = sites * (slices or 0) / 2 * np.log(2 * np.pi * u_tilde)
    local = 4 * float(np.trace(spin)) / sites
    return FockReference(
        log_z=float(total + gauss),
        spin_correlation=spin,
        double_occupancy=double,
        energy=-hops / (beta * sites) + u * (0.25 - local / 2),
        correlator=np.array([1 - occupied, *inside, occupied]),
    )


def _correlator(
    blocks: dict[tuple[int, int], _Block], sites: int, slices: int, total: float
) -> np.ndarray:
    """Return Tr[(e^K e^V)^{T - t} a (e^K e^V)^t a^+] / Z, mean over sites, (T - 1,).

    For t = 1, ..., T - 1, by (e^K e^V)^t = e^{K/2} U e^{(2 t - 1) l} W^T e^{V/2}.
    """
    times = np.arange(1, slices)[:, None, None]
    out = np.zeros(slices - 1)
    for (up, down), few in blocks.items():
        if up == sites or slices == 1:
            continue
        many, rest = blocks[up + 1, down], len(_states(sites, down))
        powers = (2 * (slices - times) - 1) / (2 * slices) * few.logs[:, None]
        powers = powers + (2 * times - 1) / (2 * slices) * many.logs
        shares = np.exp(powers + few.scale + many.scale - total)
        for site in range(sites):
            raising = np.kron(_raising(sites, up, site), np.eye(rest))
            there = few.into @ raising.T @ many.out
            back = many.into @ raising @ few.out
            out += np.sum(shares * (there * back.T), axis=(1, 2)) / sites
    return out

"""Which pairs of sites of a graph are alike."""

from itertools import product

import numpy as np


def pair_classes(edges: tuple[tuple[int, int], ...], sites: int) -> np.ndarray:
    """Return a class of every pair of sites, (N, N), counted from 0.

    Two pairs share a class if the paths of two bonds between them look alike, and so
    on until nothing changes (Weisfeiler and Leman 1968). Pairs that a symmetry of the
    graph maps to each other always do. Classes of a site with itself come first.
    """
    classes = -np.eye(sites, dtype=int)
    for i, j in edges:
        classes[i, j] = classes[j, i] = 1
    count = len(np.unique(classes))
    while True:
        known: dict[tuple, int] = {}
        finer = np.empty_like(classes)
        order = [(i, i) for i in range(sites)]
        order += [(i, j) for i, j in product(range(sites), repeat=2) if i != j]
        for i, j in order:
            paths = zip(classes[i].tolist(), classes[:, j].tolist(), strict=True)
            look = (int(classes[i, j]), tuple(sorted(paths)))
            finer[i, j] = known.setdefault(look, len(known))
        if len(known) == count:
            return finer
        classes, count = finer, len(known)

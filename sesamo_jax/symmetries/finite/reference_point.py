"""The point whose Voronoi cell is a group's cell, away from every border."""

from typing import Any

import numpy as np

CANDIDATES, STEPS = 64, 400
SHARPEST = 200.0  # inverse width of the soft minimum, at unit |c|
ON_MIRROR = 1e-6  # distance from a border, of a point of length 1


def central_point(maps: Any, n: int) -> np.ndarray:
    """Return a unit vector c that is far from all of its images, (n,).

    The borders of its Voronoi cell lie at |T_g c - c| / 2; the smallest of these
    distances is raised from the best of some random points on, by the gradient of a
    soft minimum that hardens. Any c that no g but the identity fixes gives a cell, so
    the end of the search need not be the best one.
    """
    if len(maps) == 1:
        return np.eye(n)[0]
    rng = np.random.default_rng(0)
    points = rng.normal(size=(CANDIDATES, n))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    best = max(points, key=lambda c: nearest_border(maps, c))
    c, found = best, nearest_border(maps, best)
    for step in range(STEPS):
        images = maps.of(c)[1:]
        squares = np.sum((images - c) ** 2, axis=1)
        sharpness = SHARPEST * (step + 1) / STEPS
        weights = np.exp(-sharpness * (squares - squares.min()))
        away = c - (weights / weights.sum()) @ images
        c = c + 0.3 / (1 + 20 * step / STEPS) * away
        c = c / np.linalg.norm(c)
        distance = nearest_border(maps, c)
        if distance > found:
            best, found = c, distance
    return best


def nearest_border(maps: Any, point: np.ndarray) -> float:
    """Return the distance of a point, (n, ...), from the nearest border of its cell."""
    if len(maps) == 1:
        return np.inf
    away = (maps.of(point) - point)[1:].reshape(len(maps) - 1, -1)
    return float(np.sqrt(np.min(np.sum(away**2, axis=1)))) / 2
